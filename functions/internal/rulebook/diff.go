package rulebook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Place is where a customer ends up: in a tier, in none, or set aside because the vocabulary does not hold the customer.
type Place string

// The places beside the tiers.
const (
	PlaceNone     Place = "none"
	PlaceSetAside Place = "set aside"
)

// Places lists every place in the order of work.
var Places = []Place{Place(functions.P1), Place(functions.P2), Place(functions.P3), PlaceNone, PlaceSetAside}

// PlaceOf is the place of a customer whom the rules gave that tier, or none.
func PlaceOf(tier functions.Tier) Place { return cmp.Or(Place(tier), PlaceNone) }

// BookDiff is what two versions of the rules say differently, told without any data. A customer who breaks no fact
// moves if and only if one of the moves holds it; one who keeps the tier gets another action, reason or score only as
// the changes and scores say. Notes say where that could not be held.
type BookDiff struct {
	Same       bool              `json:"same"` // both say the same of every customer; names of rules apart
	Parameters []ParameterChange `json:"parameters"`
	Moves      []Move            `json:"moves"`   // who changes place
	Changes    []Change          `json:"changes"` // what else changes for those who keep their tier
	Scores     []ScoreChange     `json:"scores"`
	ScoreMoves []ScoreMove       `json:"score_moves"` // how far scores move, by tier; only tiers where they may
	Notes      []string          `json:"notes"`
}

// ParameterChange is a parameter with its number in each version; empty where there is none.
type ParameterChange struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Move is a region of customers that change place.
type Move struct {
	From Place `json:"from"`
	To   Place `json:"to"`
	Region
}

// The kinds of a change.
const (
	ChangeRule    = "rule"    // another rule gives the same tier
	ChangeReason  = "reason"  // the reason of the rule
	ChangeMention = "mention" // what is added to the reason
	ChangeAction  = "action"
	ChangeValue   = "value_proxy"
	ChangeOrder   = "order of mentions"
)

// Change is a text that changes for customers who keep their tier; empty where nothing is said. Tier is empty when it is
// the same for all of them.
type Change struct {
	What   string         `json:"what"`
	Tier   functions.Tier `json:"tier,omitempty"`
	Before string         `json:"before"`
	After  string         `json:"after"`
	Region
}

// mostRegions is into how many lines one change is told apart. What needs more is no change that a person reads.
const mostRegions = 100

// Diff tells what two versions of the rules say differently, by what they mean and not by how they are written. Both
// are evaluated on every cell of the pieces into which both together cut the fields.
func Diff(before, after *Book) *BookDiff {
	d := &BookDiff{
		Parameters: []ParameterChange{}, Moves: []Move{}, Changes: []Change{}, Scores: []ScoreChange{},
		ScoreMoves: []ScoreMove{}, Notes: []string{},
	}
	v := newVersions(before, after)
	d.Parameters = append(d.Parameters, changedParameters(before.priority.parameters, after.priority.parameters)...)
	told := d.tellMoves(v)
	told = d.tellRules(v) && told
	told = d.tellReasons(v) && told
	told = d.tellMentions(v) && told
	told = d.tellActions(v) && told
	d.tellScores(v)
	d.tellValue(v)
	rulesOnly := !slices.ContainsFunc(d.Changes, func(c Change) bool { return c.What != ChangeRule })
	d.Same = told && rulesOnly && len(d.Moves) == 0 && len(d.ScoreMoves) == 0
	if len(v.free) > 0 && !d.Same {
		d.note(fmt.Sprintf("%s cannot be taken apart: a line that names it may hold nobody", strings.Join(v.freeNames(), ", ")))
	}
	return d
}

func (d *BookDiff) note(text string) {
	if !slices.Contains(d.Notes, text) {
		d.Notes = append(d.Notes, text)
	}
}

func changedParameters(before, after map[string]*parameter) []ParameterChange {
	var changes []ParameterChange
	all := map[string]bool{}
	for _, name := range append(sortedKeys(before), sortedKeys(after)...) {
		all[name] = true
	}
	for _, name := range sortedKeys(all) {
		change := ParameterChange{Name: name}
		was, is := before[name], after[name]
		if was != nil {
			change.Before = was.text
		}
		if is != nil {
			change.After = is.text
		}
		if was == nil || is == nil || was.number != is.number {
			changes = append(changes, change)
		}
	}
	return changes
}

// tellMoves tells who changes place. It gives false when that could not be told.
func (d *BookDiff) tellMoves(v *versions) bool {
	type pair struct{ from, to Place }
	groups := newGroups[pair]()
	var logics []*logic
	for i := range v.sides {
		logics = append(logics, v.sides[i].rules...)
	}
	told := v.survey(question{logics: logics, whole: v.redrawn, ask: func() int {
		p := pair{v.sides[0].place(), v.sides[1].place()}
		if p.from == p.to {
			return unchanged
		}
		return groups.number(p)
	}}, func(group int, regions []Region) {
		for _, region := range regions {
			d.Moves = append(d.Moves, Move{From: groups.keys[group].from, To: groups.keys[group].to, Region: region})
		}
	})
	slices.SortStableFunc(d.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(slices.Index(Places, a.From), slices.Index(Places, b.From)),
			cmp.Compare(slices.Index(Places, a.To), slices.Index(Places, b.To)))
	})
	return d.heard(told, "who changes tier")
}

// heard notes what could not be told, or not whole.
func (d *BookDiff) heard(told telling, what string) bool {
	switch told {
	case toldWhole:
	case toldInPart:
		d.note(fmt.Sprintf("%s takes more than %d lines: the rest is left out", what, mostRegions))
	case untold:
		d.note(fmt.Sprintf("the rules cut the customers into too many cells to tell %s; --data counts it", what))
	}
	return told == toldWhole
}

// wording is a text before and after.
type wording struct{ before, after string }

// tellWordings asks, of customers that keep a tier, what a text was and is, and tells where the two differ. The texts
// are asked for on the cell in hand, with the numbers of the rules that fit it.
func (d *BookDiff) tellWordings(v *versions, what string, tier functions.Tier, also []*logic, whole []*domain, ask func(rules [2]int) wording) bool {
	groups := newGroups[wording]()
	logics := slices.Concat(also, v.sides[0].rules, v.sides[1].rules)
	told := v.survey(question{logics: logics, whole: whole, ask: func() int {
		kept, rules := v.kept()
		if kept == "" || tier != "" && kept != tier {
			return absent
		}
		w := ask(rules)
		if w.before == w.after {
			return unchanged
		}
		return groups.number(w)
	}}, func(group int, regions []Region) {
		w := groups.keys[group]
		for _, region := range regions {
			d.Changes = append(d.Changes, Change{What: what, Tier: tier, Before: w.before, After: w.after, Region: region})
		}
	})
	return d.heard(told, fmt.Sprintf("which %s changes", what))
}

// tellRules tells where another rule gives the same tier.
func (d *BookDiff) tellRules(v *versions) bool {
	told := true
	before, after := v.sides[0].book.priority.rules, v.sides[1].book.priority.rules
	for _, tier := range functions.Tiers {
		if v.oneOf(tier, func(r *rule) string { return r.id }) {
			continue
		}
		told = d.tellWordings(v, ChangeRule, tier, nil, nil, func(rules [2]int) wording {
			return wording{before[rules[0]].id, after[rules[1]].id}
		}) && told
	}
	return told
}

// tellReasons compares the reasons that rules give. Words that a cell settles are put in, so that {retention_status} and
// ACTIVE are the same where only ACTIVE customers are.
func (d *BookDiff) tellReasons(v *versions) bool {
	told := true
	before, after := v.sides[0].book.priority.rules, v.sides[1].book.priority.rules
	var whole []*domain
	for _, r := range slices.Concat(before, after) {
		whole = append(whole, v.wordsIn(r.reason)...)
	}
	for _, tier := range functions.Tiers {
		if v.oneOf(tier, func(r *rule) string { return r.reason.String() }) {
			continue
		}
		told = d.tellWordings(v, ChangeReason, tier, nil, whole, func(rules [2]int) wording {
			return wording{v.settled(before[rules[0]].reason), v.settled(after[rules[1]].reason)}
		}) && told
	}
	return told
}

func (d *BookDiff) tellActions(v *versions) bool {
	told := true
	for _, tier := range functions.Tiers {
		if slices.Equal(v.sides[0].actionTexts(tier), v.sides[1].actionTexts(tier)) {
			continue
		}
		var whens []*logic
		for i := range v.sides {
			for _, a := range v.sides[i].actions[tier] {
				whens = append(whens, a.when)
			}
		}
		told = d.tellWordings(v, ChangeAction, tier, whens, nil, func([2]int) wording {
			return wording{v.sides[0].actionFor(tier), v.sides[1].actionFor(tier)}
		}) && told
	}
	return told
}

// tellMentions compares what is added to reasons, each text on its own. A text that is said of exactly those of whom
// another was said is that one in new words.
func (d *BookDiff) tellMentions(v *versions) bool {
	told, first := true, len(d.Changes)
	for _, key := range v.mentionKeys() {
		var whens []*logic
		var texts []string
		for i := range v.sides {
			if m := v.sides[i].mentions[key]; m != nil {
				whens, texts = append(whens, m), append(texts, v.sides[i].saidWhen[key])
			}
		}
		if len(texts) == len(v.sides) && texts[0] == texts[1] {
			continue
		}
		told = d.tellWordings(v, ChangeMention, "", whens, nil, func([2]int) wording {
			return wording{v.sides[0].saying(key), v.sides[1].saying(key)}
		}) && told
	}
	mentions, swapped := reworded(d.Changes[first:])
	d.Changes = append(d.Changes[:first:first], mentions...)
	if swapped || v.mentionsReordered() {
		d.Changes = append(d.Changes, Change{
			What: ChangeOrder, Before: v.sides[0].mentionOrder(), After: v.sides[1].mentionOrder(), Region: everyone(),
		})
	}
	return told
}

// reworded joins a mention that is gone with one that is new for the same customers. Two of the same text may have
// swapped their places: then only the order can change.
func reworded(changes []Change) (joined []Change, swapped bool) {
	byText := map[string][]string{} // the lines of each text
	for _, c := range changes {
		byText[c.Before+"\x00"+c.After] = append(byText[c.Before+"\x00"+c.After], c.Where)
	}
	taken := map[string]string{} // a new text, by the text that it replaces
	used := map[string]bool{}
	for _, gone := range changes {
		if _, done := taken[gone.Before]; gone.After != "" || done {
			continue
		}
		for _, come := range changes {
			if come.Before == "" && !used[come.After] && slices.Equal(byText[gone.Before+"\x00"], byText["\x00"+come.After]) {
				taken[gone.Before], used[come.After] = come.After, true
				break
			}
		}
	}
	for _, c := range changes {
		if c.Before == "" && used[c.After] {
			continue
		}
		if c.After == "" {
			c.After = taken[c.Before]
		}
		if c.Before == c.After {
			swapped = true
			continue
		}
		joined = append(joined, c)
	}
	return joined, swapped
}

func (d *BookDiff) tellValue(v *versions) {
	before, after := v.sides[0].book.priority.share, v.sides[1].book.priority.share
	if before.share.Equal(after.share) && before.of.name == after.of.name && before.decimals == after.decimals {
		return
	}
	d.Changes = append(d.Changes, Change{What: ChangeValue, Before: before.words(), After: after.words(), Region: everyone()})
}

// words tells what is at stake as a person reads it.
func (s valueShare) words() string {
	return fmt.Sprintf("%s %% of %s, to %d decimals", s.share.Shift(2).String(), s.of.name, s.decimals)
}

// groups numbers what cells are grouped by, from 1.
type groups[K comparable] struct {
	numbers map[K]int
	keys    []K
}

func newGroups[K comparable]() *groups[K] {
	return &groups[K]{numbers: map[K]int{}, keys: make([]K, 1)}
}

func (g *groups[K]) number(key K) int {
	if g.numbers[key] == 0 {
		g.numbers[key] = len(g.keys)
		g.keys = append(g.keys, key)
	}
	return g.numbers[key]
}
