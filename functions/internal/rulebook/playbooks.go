package rulebook

import (
	"fmt"
	"io/fs"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// playbooks is playbooks.yaml: what an alert sets going. It judges nobody.
type playbooks struct {
	detection       Detection
	playbooks       map[functions.Severity]Playbook
	guardrails      Guardrails
	brief           BriefSettings
	receiptRequired bool
	payload         string
	mail            Mail

	payloadPlace value            // what names the payload; missing where the file does not
	teamPlaces   map[string]value // the addresses of each team
}

// alertSeverities are those that set something going.
var alertSeverities = []functions.Severity{functions.Warning, functions.Critical}

// The words that a playbook may use.
var (
	mentionWords  = []string{"nobody", "here", "channel"}
	ticketTypes   = []string{"Task", "Bug", "Story", "Incident"}
	priorityWords = []string{"Lowest", "Low", "Medium", "High", "Highest"}
	titleNames    = []string{"date", "severity"}
)

// loadPlaybooks reads playbooks.yaml.
func loadPlaybooks(files fs.FS, out *collector) *playbooks {
	document, _ := openDocument(files, playbooksFile, out)
	if document == nil {
		return nil
	}
	top := document.root.section("detection", "playbooks", "receipt", "payload", "mail", "brief", "guardrails")
	if top.missing() {
		return nil
	}
	p := &playbooks{playbooks: map[functions.Severity]Playbook{}, payload: "make"}
	p.detection = readDetection(top.need("detection"))
	all := top.need("playbooks").section(texts(alertSeverities)...)
	for _, severity := range alertSeverities {
		p.playbooks[severity] = readPlaybook(severity, all.need(string(severity)))
	}
	p.receiptRequired = readReceipt(top.need("receipt"))
	if payload, has := top.maybe("payload"); has {
		p.payload, p.payloadPlace = readPayload(payload), payload
	} else {
		top.remind("payload", "the webhook gets what brief_templates/payload.make.tmpl writes")
	}
	if teams, has := top.maybe("mail"); has {
		p.readMail(teams)
	} else {
		top.remind("mail", "nobody gets mail")
	}
	p.brief = readBrief(top.need("brief"))
	p.guardrails = readGuardrails(top.need("guardrails"))
	return p
}

func readDetection(content value) Detection {
	s := content.section("warning_from", "critical_from", "baseline_days", "min_customers")
	if s.missing() {
		return Detection{}
	}
	before := s.faults()
	warning, critical := s.need("warning_from"), s.need("critical_from")
	d := Detection{
		WarningPct: warning.numberIn(0, 1000), CriticalPct: critical.numberIn(0, 1000),
		BaselineDays: s.need("baseline_days").wholeIn(1, 365), MinCustomers: s.need("min_customers").wholeIn(0, 1_000_000_000),
	}
	if s.faults() == before && d.CriticalPct < d.WarningPct {
		critical.report(idOutOfBounds, fmt.Sprintf("critical_from %s lies below warning_from %s", critical.raw(), warning.raw()), "")
	}
	return d
}

func readPlaybook(severity functions.Severity, content value) Playbook {
	p := Playbook{Severity: severity}
	s := content.section("export", "mention", "ticket", "do")
	if s.missing() {
		return p
	}
	for _, tier := range wordsOf(s.need("export"), "tier", texts(functions.Tiers)) {
		p.Export = append(p.Export, functions.Tier(tier))
	}
	p.Mention = s.need("mention").word("mention", mentionWords)
	p.Ticket = readTicket(s.need("ticket"))
	tasks := s.need("do")
	for _, item := range tasks.items() {
		p.Do = append(p.Do, item.text())
	}
	if !tasks.missing() && len(p.Do) == 0 {
		tasks.report(idNoAction, fmt.Sprintf("a %s asks nobody to do anything", severity), "write one sentence a line, each with a dash")
	}
	return p
}

// wordsOf reads a list of valid words, each once.
func wordsOf(list value, what string, valid []string) []string {
	var words []string
	for _, item := range list.items() {
		word := item.word(what, valid)
		if slices.Contains(words, word) && word != "" {
			item.report(idDuplicateName, word+" stands here twice", "")
			continue
		}
		words = append(words, word)
	}
	return words
}

var titlePlaceholder = regexp.MustCompile(`\{([^{}]*)\}`)

func readTicket(content value) Ticket {
	s := content.section("type", "priority", "title", "answer_within")
	if s.missing() {
		return Ticket{}
	}
	title := s.need("title")
	t := Ticket{
		Type: s.need("type").word("ticket type", ticketTypes), Priority: s.need("priority").word("ticket priority", priorityWords),
		Title: title.text(), AnswerWithin: s.need("answer_within").duration(),
	}
	for _, at := range titlePlaceholder.FindAllStringSubmatchIndex(title.raw(), -1) {
		if name := title.raw()[at[2]:at[3]]; !slices.Contains(titleNames, name) {
			title.reportPart(runeLen(title.raw()[:at[0]]), runeLen(title.raw()[:at[1]]), Finding{
				ID: idBadPlaceholder, Message: fmt.Sprintf("nothing is named %q", name), Hint: didYouMean(name, "names here", titleNames),
			})
		}
	}
	if rest := titlePlaceholder.ReplaceAllString(title.raw(), ""); strings.ContainsAny(rest, "{}") {
		title.report(idBadPlaceholder, "a { or } is not part of a pair", "write {date} or {severity}")
	}
	return t
}

func readBrief(content value) BriefSettings {
	s := content.section("top_customers", "show_customer_ids", "currency", "dashboard_url")
	if s.missing() {
		return BriefSettings{}
	}
	b := BriefSettings{
		TopCustomers:    s.need("top_customers").wholeIn(0, 20),
		ShowCustomerIDs: s.need("show_customer_ids").yesNo(),
		Currency:        s.need("currency").text(),
	}
	if dashboard, has := s.maybe("dashboard_url"); has {
		b.DashboardURL = dashboard.mayBeEmptyText()
		if u, err := url.Parse(b.DashboardURL); b.DashboardURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			dashboard.report(idType, "this is not the address of a page", `write https://…, or "" for none`)
		}
	}
	return b
}

func readGuardrails(content value) Guardrails {
	s := content.section("tier_share", "tier_growth", "tier_shrinkage", "set_aside_share", "unknown_status_share", "stale_days", "min_tier_size")
	if s.missing() {
		return Guardrails{}
	}
	g := Guardrails{
		TierShare: readLimit(s.need("tier_share"), 100), TierGrowth: readLimit(s.need("tier_growth"), 1_000_000),
		TierShrinkage: readLimit(s.need("tier_shrinkage"), 100), SetAsideShare: readLimit(s.need("set_aside_share"), 100),
		MinTierSize:        int64(s.need("min_tier_size").wholeIn(0, 1_000_000_000)),
		UnknownStatusShare: usualUnknownShare, StaleDays: usualStaleDays,
	}
	if unknown, has := s.maybe("unknown_status_share"); has {
		g.UnknownStatusShare = readLimit(unknown, 100)
	} else {
		s.remind("unknown_status_share", usualUnknownShare.String())
	}
	if stale, has := s.maybe("stale_days"); has {
		g.StaleDays = readWholeLimit(stale, mostDays)
	} else {
		s.remind("stale_days", usualStaleDays.String())
	}
	return g
}

// Files of an earlier version lack these limits. They hold all the same: what is old or unknown is not sent because
// nobody wrote a line.
var (
	usualUnknownShare = Limit{WarnOver: 0.5, StopOver: 5}
	usualStaleDays    = Limit{WarnOver: 1, StopOver: 3}
)

// String is the limit as it is written.
func (l Limit) String() string {
	return fmt.Sprintf("{warn_over: %s, stop_over: %s}", plainNumber(l.WarnOver), plainNumber(l.StopOver))
}

// remind notes a key that files of an earlier version do not have, and what holds without it.
func (s section) remind(key, holds string) {
	s.add(Finding{
		ID: idMissingKey, Severity: SeverityNote, Message: fmt.Sprintf("the key %q is missing, so this holds: %s", key, holds),
		Hint: "the rules as shipped have it",
	})
}

// mostDays is more days than any data is old.
const mostDays = 36_500

// readReceipt tells whether a delivery counts only with a receipt.
func readReceipt(content value) bool {
	if content.raw() == "not expected" { // of an earlier version
		content.report(idUnknownValue, `the receipt that is "not expected" is now called optional`, "write receipt: optional")
		return false
	}
	return content.word("receipt", []string{"required", "optional"}) == "required"
}

var payloadForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)

// readPayload reads the name of a template of the webhook's body. Whether there is one is for who knows the templates.
func readPayload(content value) string {
	name := content.text()
	if name != "" && !payloadForm.MatchString(name) {
		content.report(idType, fmt.Sprintf("%q is no name of a payload", name), "write make for brief_templates/payload.make.tmpl")
	}
	return name
}

// CheckPayload finds fault with a payload that none of the templates writes.
func (b *Book) CheckPayload(templates []string) Findings {
	if slices.Contains(templates, b.playbooks.payload) {
		return nil
	}
	finding := Finding{
		File: playbooksFile, ID: idUnknownValue, Severity: SeverityError, Message: fmt.Sprintf("no template writes the payload %q", b.playbooks.payload),
		Hint: didYouMean(b.playbooks.payload, "templates here", templates) + fmt.Sprintf("; brief_templates/payload.%s.tmpl would be one", b.playbooks.payload),
	}
	if b.playbooks.payloadPlace.missing() {
		return Findings{finding}
	}
	out := &collector{}
	b.playbooks.payloadPlace.into(out).add(finding)
	return out.findings
}

func (p *playbooks) readMail(content value) {
	s := content.section("retention_team", "data_team", "attach_up_to_kb")
	if s.missing() {
		return
	}
	p.teamPlaces = map[string]value{teamRetention: s.need("retention_team"), teamData: s.need("data_team")}
	p.mail = Mail{
		RetentionTeam: addressesOf(p.teamPlaces[teamRetention]), DataTeam: addressesOf(p.teamPlaces[teamData]),
		AttachUpTo: int64(s.need("attach_up_to_kb").wholeIn(0, maxAttachedKB)) << 10,
	}
}

// warnOfSilentMail tells of a team that nobody is in, once messages go out: the mail is what is left when one does not
// arrive.
func (p *playbooks) warnOfSilentMail(now Rollout) {
	if !now.Sends {
		return
	}
	for _, team := range []struct{ name, missed string }{
		{teamRetention, "nobody gets the brief when a message does not arrive"},
		{teamData, "nobody is told when the warehouse or the rules are at fault"},
	} {
		if place := p.teamPlaces[team.name]; !place.missing() && len(place.node.Content) == 0 {
			place.add(Finding{
				ID: idNobodyTold, Severity: SeverityWarning, Hint: "write addresses: [ann@example.com]",
				Message: fmt.Sprintf("the phase %s sends, and %s is empty: %s", now.Phase, team.name, team.missed),
			})
		}
	}
}

const (
	// maxAttachedKB is what mail servers let pass, once it is encoded: Postfix takes 10,240,000 bytes as shipped.
	maxAttachedKB = 7000
	// maxTeam is how many addresses a team may have.
	maxTeam = 50
)

// The teams that get mail.
const (
	teamRetention = "retention_team"
	teamData      = "data_team"
)

// addressesOf reads a list of mail addresses, with a name or without.
func addressesOf(list value) []string {
	var addresses []string
	seen := map[string]bool{}
	for i, item := range list.items() {
		text := item.text()
		if text == "" {
			continue
		}
		address, err := mail.ParseAddress(text)
		switch {
		case err != nil || strings.ContainsFunc(address.Address, func(r rune) bool { return r <= ' ' || r > '~' }):
			item.report(idType, fmt.Sprintf("%q is not a mail address", text), "write ann@example.com or Ann <ann@example.com>")
		case seen[strings.ToLower(address.Address)]:
			item.report(idDuplicateName, address.Address+" stands here twice", "")
		case i == maxTeam:
			item.report(idTooLong, fmt.Sprintf("more than %d addresses", maxTeam), "write to a list's address instead")
		default:
			addresses = append(addresses, text)
			seen[strings.ToLower(address.Address)] = true
		}
	}
	return addresses
}

// readLimit reads a pair of limits.
func readLimit(content value, most float64) Limit {
	return readLimitOf(content, func(limit value) float64 { return limit.numberIn(0, most) })
}

// readWholeLimit reads a pair of limits in whole numbers.
func readWholeLimit(content value, most int) Limit {
	return readLimitOf(content, func(limit value) float64 { return float64(limit.wholeIn(0, most)) })
}

func readLimitOf(content value, read func(value) float64) Limit {
	s := content.section("warn_over", "stop_over")
	if s.missing() {
		return Limit{}
	}
	before := s.faults()
	warn, stop := s.need("warn_over"), s.need("stop_over")
	l := Limit{WarnOver: read(warn), StopOver: read(stop)}
	if s.faults() == before && l.StopOver < l.WarnOver {
		stop.report(idOutOfBounds, fmt.Sprintf("stop_over %s lies below warn_over %s", stop.raw(), warn.raw()), "a queue is warned about before it is stopped")
	}
	return l
}
