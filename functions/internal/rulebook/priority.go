package rulebook

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
)

// The most that a file may hold of each.
const (
	maxRules      = 200
	maxParameters = 100
	maxMentions   = 40 // a reason may hold them all
	maxActions    = 50 // of a tier
)

// priority is priority.yaml: who gets which tier, and what follows from it.
type priority struct {
	parameters map[string]*parameter
	rules      []*rule // the first that fits wins
	mentions   []mention
	score      score
	share      valueShare
	actions    map[functions.Tier][]action
	ranges     []TierScore // proven
}

// rule gives a tier.
type rule struct {
	id     string
	tier   functions.Tier
	when   *expression
	reason template
	label  value // its name in the file
}

// mention is added to the reason of whoever fits it.
type mention struct {
	when     *expression
	say      template
	brackets bool // in brackets behind the reason, not after a comma
}

// action is what to do with a customer of a tier; the last has no condition.
type action struct {
	when  *expression
	do    string
	label value // its line in the file
	says  value // what is done, in the file
}

// valueShare is the part of a field that is at stake.
type valueShare struct {
	share    decimal.Decimal
	brief    short // the same
	of       *field
	decimals int32
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// loadPriority reads priority.yaml with the words of the vocabulary.
func loadPriority(files fs.FS, v *vocabulary, out *collector) (*priority, []byte) {
	document, data := openDocument(files, priorityFile, out)
	if document == nil || len(v.fields) == 0 {
		return nil, data // without a vocabulary every name would be unknown, and that says nothing
	}
	top := document.root.section("rules", "parameters", "tiers", "also_mention", "score", "value_proxy", "actions")
	if top.missing() {
		return nil, data
	}
	top.need("rules").word("kind of rules", []string{"priority"})
	p := &priority{parameters: map[string]*parameter{}, actions: map[functions.Tier][]action{}}
	s := &scope{vocabulary: v, parameters: p.parameters}
	if parameters, has := top.maybe("parameters"); has {
		p.readParameters(parameters)
	}
	p.readRules(s, top.need("tiers"))
	if mentions, has := top.maybe("also_mention"); has {
		p.readMentions(s, mentions)
	}
	p.score = readScore(s, top.need("score"), p.tiers())
	p.readShare(s, top.need("value_proxy"))
	p.readActions(s, top.need("actions"))
	if out.findings.Errors() == 0 && !out.kept {
		p.prove(v)
		p.warnOfUnused()
	}
	return p, data
}

// warnOfUnused tells of parameters that change nothing. It is asked of sound files only: where there is an error, the
// use of a parameter may be what could not be read.
func (p *priority) warnOfUnused() {
	for _, name := range sortedKeys(p.parameters) {
		if parameter := p.parameters[name]; !parameter.used {
			parameter.label.warn(idUnusedParam, fmt.Sprintf("the parameter %s is used nowhere", name), "")
		}
	}
}

// warn adds a finding that does not keep the files from being used.
func (v value) warn(id, message, hint string) {
	v.reportPart(0, runeLen(v.raw()), Finding{ID: id, Message: message, Hint: hint, Severity: SeverityWarning})
}

// tiers are those that a rule gives, in the order of work.
func (p *priority) tiers() []functions.Tier {
	var used []functions.Tier
	for _, tier := range functions.Tiers {
		if slices.ContainsFunc(p.rules, func(r *rule) bool { return r.tier == tier }) {
			used = append(used, tier)
		}
	}
	return used
}

// reservedWords mean something in a cell or an expression.
var reservedWords = []string{
	"over", "at", "least", "below", "up", "to", "yes", "no", "empty", "not", "and", "or", "in", "none", "otherwise",
	"true", "false", "nil", "let", "if", "else", "matches", "contains",
}

func (p *priority) readParameters(list value) {
	m := list.names("parameter")
	for i, name := range m.order {
		label, content := m.labels[name], m.keys[name]
		switch {
		case i >= maxParameters:
			label.report(idTooLong, fmt.Sprintf("there are more than %d parameters", maxParameters), "")
			return
		case !nameForm.MatchString(name):
			label.report(idType, fmt.Sprintf("%q cannot name a parameter", name), "use small letters, digits and _, such as high_value")
		case columnNamed(name) != nil:
			label.report(idDuplicateName, name+" is a field; a parameter needs a name of its own", "")
		case slices.Contains(reservedWords, name), slices.Contains(functionNames, name):
			label.report(idDuplicateName, name+" is a word of the rules; a parameter needs a name of its own", "")
		}
		p.parameters[name] = &parameter{label: label, number: content.numberIn(-maxNumber, maxNumber), text: content.raw()}
	}
}

func (p *priority) readRules(s *scope, list value) {
	seen := map[string]bool{}
	for i, item := range list.items() {
		if i >= maxRules {
			item.report(idTooLong, fmt.Sprintf("there are more than %d rules", maxRules), "")
			return
		}
		one := item.section("rule", "tier", "when", "reason")
		if one.missing() {
			continue
		}
		r := &rule{label: one.need("rule")}
		r.id = r.label.identifier("rule", seen)
		r.tier = functions.Tier(one.need("tier").word("tier", texts(functions.Tiers)))
		r.when = s.condition(one.need("when"))
		r.reason = s.template(one.need("reason"))
		p.rules = append(p.rules, r)
	}
	if !list.missing() && list.node.Kind == yaml.SequenceNode && len(list.node.Content) == 0 {
		list.report(idType, "there are no rules: nobody would get a tier", "")
	}
}

func (p *priority) readMentions(s *scope, list value) {
	for i, item := range list.items() {
		if i >= maxMentions {
			item.report(idTooLong, fmt.Sprintf("there are more than %d mentions", maxMentions), "")
			return
		}
		one := item.section("when", "say", "in_brackets")
		if one.missing() {
			continue
		}
		m := mention{when: s.condition(one.need("when"))}
		say, says := one.maybe("say")
		bracketed, brackets := one.maybe("in_brackets")
		switch {
		case says && brackets:
			bracketed.report(idNotAllowed, "a mention has either say or in_brackets", "")
		case brackets:
			m.say, m.brackets = s.template(bracketed), true
		case says:
			m.say = s.template(say)
		default:
			one.report(idMissingKey, `the key "say" is missing`, "say adds a text after a comma, in_brackets adds it in brackets")
		}
		p.mentions = append(p.mentions, m)
	}
}

func (p *priority) readShare(s *scope, content value) {
	one := content.section("share", "of", "decimals")
	if one.missing() {
		return
	}
	p.share.share = one.need("share").exactIn(0, 1)
	p.share.brief = shortOf(functions.Money{Decimal: p.share.share})
	decimals := one.need("decimals")
	p.share.decimals = int32(decimals.wholeIn(0, 9))
	of := one.need("of")
	var amounts []string
	for _, f := range s.vocabulary.fields {
		if f.kind == kindAmount && !f.isStatistic() {
			amounts = append(amounts, f.name)
		}
	}
	p.share.of = s.vocabulary.byName[of.word("amount", amounts)]
	if p.share.of != nil && p.share.of.mayBeEmpty {
		of.report(idMayBeEmpty, p.share.of.name+" can be empty", "every customer in a tier has a value at stake")
	}
	if f := p.share.of; f != nil && max(-f.low, f.high)*powersOfTen[p.share.decimals] > mostUnits {
		decimals.report(idOutOfBounds, fmt.Sprintf("%s can be %s, and with %d decimals that has more than 18 digits",
			f.name, plainNumber(max(-f.low, f.high)), p.share.decimals), "write fewer decimals; amounts have 2")
	}
}

func (p *priority) readActions(s *scope, content value) {
	m := content.names("tier")
	for _, name := range m.order {
		tier := functions.Tier(m.labels[name].word("tier", texts(functions.Tiers)))
		list := m.keys[name]
		items := list.items()
		for i, item := range items {
			if i >= maxActions {
				item.report(idTooLong, fmt.Sprintf("there are more than %d actions of %s", maxActions, tier), "")
				break
			}
			p.readAction(s, tier, item, i == len(items)-1)
		}
		if !list.missing() && list.node.Kind == yaml.SequenceNode && len(items) == 0 {
			list.report(idNoAction, name+" has no action", "end the list with: - otherwise: what to do")
		}
	}
	if m.missing() {
		return
	}
	for _, r := range p.rules {
		if r.tier == "" || m.labels[string(r.tier)].node != nil {
			continue
		}
		r.label.report(idNoAction, fmt.Sprintf("%s gives tier %s, which has no action", r.id, r.tier),
			fmt.Sprintf("add it under actions: %s: and below it - otherwise: what to do; there are actions for %s", r.tier, strings.Join(m.order, ", ")))
	}
}

func (p *priority) readAction(s *scope, tier functions.Tier, item value, last bool) {
	one := item.section("when", "do", "otherwise")
	if one.missing() {
		return
	}
	a := action{label: one.value}
	if otherwise, has := one.maybe("otherwise"); has {
		a.do, a.says = otherwise.fixedText(), otherwise
		switch {
		case len(one.order) > 1:
			otherwise.report(idNotAllowed, "otherwise stands alone", "write - otherwise: what to do")
		case !last:
			otherwise.report(idNoOtherwise, "otherwise is the last line: what follows is never reached", "")
		}
	} else {
		a.when, a.says = s.condition(one.need("when")), one.need("do")
		a.do = a.says.fixedText()
		if last {
			one.report(idNoOtherwise, fmt.Sprintf("the actions of %s do not end with otherwise", tier),
				"add a last line: - otherwise: what to do with all the others")
		}
	}
	p.actions[tier] = append(p.actions[tier], a)
}

// fixedText reads a text in which nothing is filled in.
func (v value) fixedText() string {
	text := v.text()
	if at := strings.IndexAny(v.raw(), "{}"); at >= 0 && text != "" {
		from := runeLen(v.raw()[:at])
		v.reportPart(from, from+1, Finding{ID: idBadPlaceholder, Message: "nothing is filled in here: an action is the same for everyone"})
	}
	return text
}
