package rulebook

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Page is the rules as a document for people who do not open the files: the same text as Markdown and as HTML.
type Page struct {
	RulesVersion string          `json:"rules_version"`
	Phase        functions.Phase `json:"phase"` // empty when only the files that judge are known
	Sections     []PageSection   `json:"sections"`
}

// PageSection is a part of the document.
type PageSection struct {
	Title  string      `json:"title"`
	Text   []string    `json:"text,omitempty"` // paragraphs, before the tables
	Tables []PageTable `json:"tables,omitempty"`
}

// PageTable is a table of the document.
type PageTable struct {
	Caption string     `json:"caption,omitempty"`
	Head    []string   `json:"head"`
	Rows    [][]string `json:"rows"`
}

// first is the table with its first columns alone.
func (t PageTable) first(columns int) PageTable {
	t.Head = t.Head[:columns]
	for i := range t.Rows {
		t.Rows[i] = t.Rows[i][:columns]
	}
	return t
}

// Page tells what the rules say. The examples are read from the files that the book is of; those that are at fault are
// left out, as rules test reports them; without files all are. Today tells which silences are in force. Of a book that
// only judges the document tells what it judges by.
func (b *Book) Page(files fs.FS, today functions.Date) (Page, error) {
	page := Page{RulesVersion: b.version, Sections: []PageSection{b.pageTiers(), b.pageActions(), b.pageScore(), b.pageParameters()}}
	if len(b.rollouts) > 0 {
		page.Phase = b.phase
		page.Sections = append(page.Sections, b.pagePlaybooks(), b.pageGuardrails(), b.pageWatch(today), b.pageRollout())
	}
	if files != nil {
		examples, err := b.pageExamples(files)
		if err != nil {
			return Page{}, err
		}
		page.Sections = append(page.Sections, examples)
	}
	page.Sections = append(page.Sections, b.pageVocabulary(), b.pageFacts())
	return page, nil
}

func (b *Book) pageTiers() PageSection {
	p := b.priority
	rules := PageTable{Head: []string{"", "tier", "who", "reason", "rule"}}
	for i, r := range p.rules {
		rules.Rows = append(rules.Rows, []string{fmt.Sprint(i + 1), string(r.tier), b.inWords(r.when), r.reason.String(), r.id})
	}
	s := PageSection{Title: "Who gets which tier", Tables: []PageTable{rules}, Text: []string{
		"The rules are asked in this order, and the first that fits wins. Who fits none gets no tier. P1 is worked first.",
	}}
	if len(p.mentions) > 0 {
		mentions := PageTable{Caption: "Added to the reason, in this order", Head: []string{"when", "says", "where"}}
		for i := range p.mentions {
			m := &p.mentions[i]
			where := "after a comma"
			if m.brackets {
				where = "in brackets"
			}
			mentions.Rows = append(mentions.Rows, []string{b.inWords(m.when), m.say.String(), where})
		}
		s.Tables = append(s.Tables, mentions)
	}
	return s
}

func (b *Book) pageActions() PageSection {
	table := PageTable{Head: []string{"tier", "when", "what to do"}}
	for _, tier := range b.priority.tiers() {
		for _, a := range b.priority.actions[tier] {
			when := "all others"
			if a.when != nil {
				when = b.inWords(a.when)
			} else if len(b.priority.actions[tier]) == 1 {
				when = "everyone"
			}
			table.Rows = append(table.Rows, []string{string(tier), when, a.do})
		}
	}
	return PageSection{Title: "What to do", Text: []string{"In each tier the first line that fits is the action."}, Tables: []PageTable{table}}
}

func (b *Book) pageScore() PageSection {
	score := &b.priority.score
	starts := PageTable{Head: []string{"tier", "begins with", "goes from", "to"}}
	for _, tier := range b.priority.tiers() {
		from, to := "", ""
		for _, r := range b.ScoreRanges() {
			if r.Tier == tier {
				from, to = plainNumber(r.Low), plainNumber(r.High)
			}
		}
		starts.Rows = append(starts.Rows, []string{string(tier), plainNumber(score.start[tier]), from, to})
	}
	if len(b.ScoreRanges()) == 0 { // not proven, of a book that only judges
		starts = starts.first(2)
	}
	parts := PageTable{Caption: "What is added", Head: []string{"part", "points", "at most"}}
	for _, part := range score.parts {
		limit := ""
		if !math.IsInf(part.atMost, 1) {
			limit = plainNumber(part.atMost)
		}
		parts.Rows = append(parts.Rows, []string{part.name, b.written(part.points), limit})
	}
	share := &b.priority.share
	return PageSection{
		Title: "How customers of a tier are ranked", Tables: []PageTable{starts, parts},
		Text: []string{
			fmt.Sprintf("The score ranks customers inside a tier; the tier always comes first. No score is above %s; it is rounded to %s.",
				plainNumber(score.atMost), digits(int32(score.decimals))),
			fmt.Sprintf("The value at stake of a customer is %s %% of %s, rounded to %s.",
				share.share.Shift(2).String(), share.of.name, digits(share.decimals)),
		},
	}
}

func digits(count int32) string {
	switch count {
	case 0:
		return "a whole number"
	case 1:
		return "one digit after the point"
	default:
		return fmt.Sprintf("%d digits after the point", count)
	}
}

func (b *Book) pageParameters() PageSection {
	table := PageTable{Head: []string{"name", "number", "what it is"}}
	for _, one := range b.parametersInOrder() {
		table.Rows = append(table.Rows, []string{one.name, one.number, one.comment})
	}
	s := PageSection{Title: "Numbers with a name", Tables: []PageTable{table}}
	if len(table.Rows) == 0 {
		s.Tables, s.Text = nil, []string{"There are none."}
	}
	return s
}

func (b *Book) pagePlaybooks() PageSection {
	s := PageSection{Title: "What an alert sets going", Text: []string{
		fmt.Sprintf("A WARNING is %s %% over the mean of the last %d days, a CRITICAL %s %%; below %d customers there is no alert. INFO sets nothing going.",
			plainNumber(b.Detection().WarningPct), b.Detection().BaselineDays, plainNumber(b.Detection().CriticalPct), b.Detection().MinCustomers),
	}}
	for _, severity := range alertSeverities {
		p, _ := b.Playbook(severity)
		table := PageTable{Caption: string(severity), Head: []string{"", ""}, Rows: [][]string{
			{"tiers that go into files", strings.Join(texts(p.Export), ", ")},
			{"the message calls", p.Mention},
			{"ticket", fmt.Sprintf("%s, priority %s: %s", p.Ticket.Type, p.Ticket.Priority, p.Ticket.Title)},
			{"answered within", duration(p.Ticket.AnswerWithin)},
		}}
		for i, task := range p.Do {
			table.Rows = append(table.Rows, []string{fmt.Sprintf("task %d", i+1), task})
		}
		s.Tables = append(s.Tables, table)
	}
	receipt := "A delivery counts when it was taken."
	if b.ReceiptRequired() {
		receipt = "A delivery counts only with the id of the message or of the ticket."
	}
	s.Text = append(s.Text, receipt, fmt.Sprintf("When a message does not arrive, the brief goes by mail to %s. When the warehouse or the rules are at fault, %s told.",
		people(len(b.Mail().RetentionTeam), "nobody", "one address", "%d addresses"),
		people(len(b.Mail().DataTeam), "nobody is", "one address is", "%d addresses are")))
	return s
}

// people counts addresses: the book is shown around, and names nobody.
func people(count int, none, one, several string) string {
	switch count {
	case 0:
		return none
	case 1:
		return one
	default:
		return fmt.Sprintf(several, count)
	}
}

func (b *Book) pageGuardrails() PageSection {
	g := b.Guardrails()
	table := PageTable{Head: []string{"what", "warned about over", "not sent over"}}
	for _, one := range []struct {
		what  string
		limit Limit
	}{
		{"share of one tier in all customers", g.TierShare},
		{"growth of a tier against the queue sent last", g.TierGrowth},
		{"shrinkage of a tier against the queue sent last", g.TierShrinkage},
		{"share of customers that could not be judged", g.SetAsideShare},
		{"share of customers with a status that nobody knows", g.UnknownStatusShare},
	} {
		table.Rows = append(table.Rows, []string{one.what, plainNumber(one.limit.WarnOver) + " %", plainNumber(one.limit.StopOver) + " %"})
	}
	table.Rows = append(table.Rows, []string{
		"age of the data", plainNumber(g.StaleDays.WarnOver) + " days", plainNumber(g.StaleDays.StopOver) + " days",
	})
	return PageSection{Title: "Guardrails", Tables: []PageTable{table}, Text: []string{
		fmt.Sprintf("A queue beyond them is warned about, or not sent unless a named person overrides it. Growth and shrinkage of a tier "+
			"with fewer than %d customers are not looked at.", g.MinTierSize),
	}}
}

func (b *Book) pageRollout() PageSection {
	table := PageTable{Head: []string{"phase", "acts on", "sends", "channel", "tickets in", "folder of exports"}}
	for _, phase := range functions.Phases {
		r := b.rollouts[phase]
		name, sends := string(phase), "no"
		if phase == b.phase {
			name += " (now)"
		}
		if r.Sends {
			sends = "yes"
		}
		actsOn := strings.Join(texts(r.ActsOn), ", ")
		if actsOn == "" {
			actsOn = "nothing"
		}
		table.Rows = append(table.Rows, []string{name, actsOn, sends, r.Channel, r.TicketProject, r.Folder})
	}
	return PageSection{Title: "How far the rollout has come", Text: []string{fmt.Sprintf("The phase is %s.", b.phase)}, Tables: []PageTable{table}}
}

func (b *Book) pageExamples(files fs.FS) (PageSection, error) {
	names, err := exampleFiles(files)
	if err != nil {
		return PageSection{}, err
	}
	table := PageTable{Head: []string{"example", "customer", "what the rules should say"}}
	for _, name := range names {
		for _, e := range b.readExamples(files, name, &collector{}) {
			table.Rows = append(table.Rows, []string{e.name, listed(e.own), listed(e.expected)})
		}
	}
	s := PageSection{Title: "Examples", Text: []string{"These are tried whenever the rules change."}, Tables: []PageTable{table}}
	if len(table.Rows) == 0 {
		s.Tables, s.Text = nil, []string{"There are none."}
	}
	return s, nil
}

// listed writes the keys of a map with their values.
func listed(s section) string {
	var out []string
	for _, name := range s.order {
		out = append(out, name+" "+strings.Join(strings.Fields(s.keys[name].raw()), " "))
	}
	return strings.Join(out, ", ")
}

func (b *Book) pageVocabulary() PageSection {
	table := PageTable{Head: []string{"field", "what it is", "what it holds", "from"}}
	for _, f := range b.vocabulary.fields {
		table.Rows = append(table.Rows, []string{f.name, f.meaning, f.holds(), f.origin()})
	}
	return PageSection{Title: "The vocabulary", Tables: []PageTable{table}, Text: []string{
		"What a rule may name. A customer outside of it is set aside and counted, and gets no tier.",
	}}
}

func (b *Book) pageFacts() PageSection {
	table := PageTable{Head: []string{"who", "what holds for them", "fact"}}
	for _, f := range b.vocabulary.facts {
		who := "everyone"
		if f.condition != nil {
			who = b.inWords(f.condition)
		}
		table.Rows = append(table.Rows, []string{who, b.inWords(f.consequence), f.name})
	}
	return PageSection{Title: "What the detection guarantees", Tables: []PageTable{table}, Text: []string{
		"The check of the rules proves with these whom a rule can reach at all. They judge nobody.",
	}}
}
