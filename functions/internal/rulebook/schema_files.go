package rulebook

import (
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
)

// fieldsSchema is the schema of fields.yaml: the fields that the program can read, and facts over those that are there.
func (v *vocabulary) fieldsSchema() *jsonschema.Schema {
	var keys []key
	for _, c := range columns {
		keys = append(keys, key{c.name, c.schema(), c.table == ""})
	}
	because := key{"because", sentence("why it is so"), true}
	name := key{"fact", formed("its name: small letters, digits and dashes", idForm.String()), false}
	fact := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		mapOf("", name, key{"if", refer(cellsName), false}, key{"then", refer(cellsName), false}, because),
		mapOf("", name, key{"always", refer(cellsName), false}, because),
	}}
	s := mapOf("What a rule may name, with bounds, and what the detection guarantees.",
		key{"fields", mapOf("the fields; a customer outside of what stands here is set aside", keys...), false},
		key{"facts", listOf("what the detection guarantees; proofs stand on it, and it judges nobody", fact, 0), true},
	)
	s.Title = "RetentionOps: fields.yaml"
	s.Definitions = map[string]*jsonschema.Schema{cellsName: v.cells("a map of fields, all of which must hold")}
	return s
}

// schema is what may be said of a column.
func (c *column) schema() *jsonschema.Schema {
	keys := []key{
		{"meaning", sentence("what it is, in words"), true},
		{"type", oneOf("what it holds", string(c.kind)), false},
	}
	switch {
	case c.kind == kindChoice:
		values := listOf("the words it may have; a customer with another is set aside", oneOf("", c.words...), 1)
		values.UniqueItems = true
		keys = append(keys, key{"values", values, false})
	case c.kind.isNumber():
		keys = append(keys,
			key{"min", numberBetween("a customer below it is set aside", -maxNumber, maxNumber), false},
			key{"max", numberBetween("a customer above it is set aside", -maxNumber, maxNumber), false},
			key{"unit", sentence("such as EUR or days"), true})
	}
	if c.table == "" {
		keys = append(keys, key{"statistic", oneOf("a figure of all customers", "median"), false}, key{"of", oneOf("the field it is of", "total_revenue"), false})
		return mapOf(c.name+" is a figure of all customers", keys...)
	}
	empty := yesNoSchema("whether a customer may be without it")
	if !c.canBeEmpty {
		empty = &jsonschema.Schema{Description: "every row of the queue carries it", Enum: []any{"no", false}}
	}
	return mapOf(c.name+" is read from "+c.table, append(keys, key{"may_be_empty", empty, true}, key{"from", oneOf("the table", c.table), false})...)
}

// prioritySchema is the schema of priority.yaml.
func (v *vocabulary) prioritySchema() *jsonschema.Schema {
	tier := oneOf("the tier it gives; P1 is worked first", texts(functions.Tiers)...)
	rule := mapOf("who fits gets the tier, unless an earlier rule fitted",
		key{"rule", formed("its name: small letters, digits and dashes", idForm.String()), false},
		key{"tier", tier, false}, key{"when", refer(whenName), false},
		key{"reason", sentence("why, in words; {total_revenue} puts a value in"), false})
	mention := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		mapOf("", key{"when", refer(whenName), false}, key{"say", sentence("added to the reason after a comma"), false}),
		mapOf("", key{"when", refer(whenName), false}, key{"in_brackets", sentence("added to the reason in brackets"), false}),
	}}
	s := mapOf("Who is worked first, why, and what to do.",
		key{"rules", oneOf("the kind of rules", "priority"), false},
		key{"parameters", parametersSchema(), true},
		key{"tiers", most(maxRules, listOf("the first rule that fits wins; who fits none gets no tier", rule, 1)), false},
		key{"also_mention", most(maxRules, listOf("added to the reason, in this order", mention, 0)), true},
		key{"score", scoreSchema(), false},
		key{"value_proxy", mapOf("the value at stake",
			key{"share", numberBetween("the share of the amount, 0 to 1", 0, 1), false}, key{"of", oneOf("the amount", v.amounts()...), false},
			key{"decimals", wholeBetween("digits after the point", 0, 9), false}), false},
		key{"actions", tierActions(), false},
	)
	s.Title = "RetentionOps: priority.yaml"
	s.Definitions = map[string]*jsonschema.Schema{whenName: v.whenSchema()}
	return s
}

func most(count int, list *jsonschema.Schema) *jsonschema.Schema {
	list.MaxItems = &count
	return list
}

func parametersSchema() *jsonschema.Schema {
	count := maxParameters
	return &jsonschema.Schema{
		Type: "object", Description: "numbers with a name, which may be changed without touching a rule", MaxProperties: &count,
		PatternProperties:    map[string]*jsonschema.Schema{nameForm.String(): numberBetween("", -maxNumber, maxNumber)},
		AdditionalProperties: nobodys(),
	}
}

func scoreSchema() *jsonschema.Schema {
	var starts []key
	for _, tier := range functions.Tiers {
		starts = append(starts, key{string(tier), numberOrName("what a customer of "+string(tier)+" begins with", 0, highestScore), true})
	}
	points := expressionSchema("a formula, such as ln(1 + total_revenue) * 2")
	points = &jsonschema.Schema{Description: points.Description, AnyOf: []*jsonschema.Schema{points, {Type: "number"}}}
	part := mapOf("",
		key{"name", formed("its name: small letters, digits and dashes", idForm.String()), false},
		key{"points", points, false}, key{"at_most", numberOrName("it adds no more than this", -highestScore, highestScore), true})
	return mapOf("ranks customers inside a tier; the tier always comes first",
		key{"start", mapOf("what each tier begins with", starts...), false},
		key{"add", listOf("what is added", part, 0), true},
		key{"at_most", numberOrName("no score is above this", 0, highestScore), false},
		key{"decimals", wholeBetween("digits after the point", 0, 6), false})
}

func tierActions() *jsonschema.Schema {
	line := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		mapOf("", key{"when", refer(whenName), false}, key{"do", sentence("what to do"), false}),
		mapOf("", key{"otherwise", sentence("what to do with all the others; the last line"), false}),
	}}
	var keys []key
	for _, tier := range functions.Tiers {
		keys = append(keys, key{string(tier), listOf("the first that fits; the last line is always otherwise", line, 1), true})
	}
	return mapOf("what to do with the customers of each tier", keys...)
}

// playbooksSchema is the schema of playbooks.yaml.
func playbooksSchema() *jsonschema.Schema {
	limits := func(description string, highest float64) *jsonschema.Schema {
		return mapOf(description+", in percent",
			key{"warn_over", numberBetween("above it a queue is warned about", 0, highest), false},
			key{"stop_over", numberBetween("above it a queue is not sent, unless a named person overrides it", 0, highest), false})
	}
	tiers := listOf("the tiers whose customers go into a file", oneOf("", texts(functions.Tiers)...), 0)
	tiers.UniqueItems = true
	playbook := func(severity string) key {
		return key{severity, mapOf("what a "+severity+" sets going",
			key{"export", tiers, false}, key{"mention", oneOf("whom the message calls", mentionWords...), false},
			key{"ticket", mapOf("the ticket that is opened",
				key{"type", oneOf("", ticketTypes...), false}, key{"priority", oneOf("", priorityWords...), false},
				key{"title", sentence("{date} and {severity} put a value in"), false},
				key{"answer_within", formed("such as 24 hours", durationForm.String()), false}), false},
			key{"do", listOf("what people are asked to do, in this order", sentence(""), 1), false}), false}
	}
	var playbooks []key
	for _, severity := range alertSeverities {
		playbooks = append(playbooks, playbook(string(severity)))
	}
	team := func(description string) *jsonschema.Schema {
		return most(maxTeam, listOf(description, formed("ann@example.com or Ann <ann@example.com>", `^[^@]*[^@\s]+@[^@\s]+$`), 0))
	}
	address := &jsonschema.Schema{Type: "string", Description: `the page that a brief links to; "" for none`, Pattern: `^(https?://.+)?$`}
	count := func(description string, low, high float64) *jsonschema.Schema {
		return wholeBetween(description, low, high)
	}
	s := mapOf("What an alert sets going, and the limits beyond which nothing is sent.",
		key{"detection", mapOf("the thresholds of the detection, shown beside an alert",
			key{"warning_from", numberBetween("% over the baseline", 0, 1000), false}, key{"critical_from", numberBetween("% over the baseline", 0, 1000), false},
			key{"baseline_days", count("days that the baseline is the mean of", 1, 365), false},
			key{"min_customers", count("below this no alert is raised", 0, 1_000_000_000), false}), false},
		key{"playbooks", mapOf("one for each severity; INFO has none", playbooks...), false},
		key{"receipt", oneOf("whether a delivery counts only with a message or ticket id", "required", "optional"), false},
		key{"payload", formed("the template of the webhook's body: make is brief_templates/payload.make.tmpl", payloadForm.String()), true},
		key{"mail", mapOf("who gets mail, and what goes with it",
			key{teamRetention, team("told when a message did not arrive"), false},
			key{teamData, team("told when the data or its warehouse is at fault"), false},
			key{"attach_up_to_kb", count("kilobytes of audiences that may be attached; 0 attaches none", 0, maxAttachedKB), false}), true},
		key{"brief", mapOf("what a brief shows",
			key{"top_customers", count("of each tier", 0, 20), false}, key{"show_customer_ids", yesNoSchema("whether a brief names customers by their id"), false},
			key{"currency", sentence("such as EUR"), false}, key{"dashboard_url", address, true}), false},
		key{"guardrails", mapOf("a queue beyond them is warned about or not sent",
			key{"tier_share", limits("one tier, of all customers", 100), false},
			key{"tier_growth", limits("growth of one tier against the queue sent last", 1_000_000), false},
			key{"tier_shrinkage", limits("shrinkage of one tier against the queue sent last", 100), false},
			key{"set_aside_share", limits("customers that could not be judged, of all", 100), false},
			key{"unknown_status_share", limits("customers whose status is a word that nobody knows, of all", 100), true},
			key{"stale_days", mapOf("days between today and the day of the data, in whole days",
				key{"warn_over", count("above it a queue is warned about", 0, mostDays), false},
				key{"stop_over", count("above it a queue is not sent, unless a named person overrides it", 0, mostDays), false}), true},
			key{"min_tier_size", count("growth and shrinkage of a smaller tier are not looked at", 0, 1_000_000_000), false}), false},
	)
	s.Title = "RetentionOps: playbooks.yaml"
	return s
}

// rolloutSchema is the schema of rollout.yaml.
func rolloutSchema() *jsonschema.Schema {
	var phases []key
	for _, phase := range functions.Phases {
		severities := listOf("the severities that set something going", oneOf("", texts(alertSeverities)...), 0)
		severities.UniqueItems = true
		sends := yesNoSchema("whether messages and tickets go out")
		if phase == functions.PhaseShadow || phase == functions.PhaseDisabled {
			sends = &jsonschema.Schema{Description: "this phase never sends", Enum: []any{"no", false}}
		}
		if phase == functions.PhaseDisabled {
			none := 0
			severities.MaxItems = &none
		}
		settings := mapOf("",
			key{"acts_on", severities, false}, key{"sends", sends, phase == functions.PhaseDisabled},
			key{"channel", formed(`such as "#retention-alerts", in quotes`, channelForm.String()), true},
			key{"ticket_project", formed("in capital letters", projectForm.String()), true},
			key{"folder", formed("under which the exports of the phase are kept", folderForm.String()), true})
		settings.If = &jsonschema.Schema{
			Required: []string{"sends"}, Properties: map[string]*jsonschema.Schema{"sends": {Enum: []any{"yes", true}}},
		}
		settings.Then = &jsonschema.Schema{Required: []string{"channel", "ticket_project"}}
		phases = append(phases, key{string(phase), settings, false})
	}
	s := mapOf("How far the rollout has come.",
		key{"phase", oneOf("the present phase", texts(functions.Phases)...), false},
		key{"phases", mapOf("what each phase may do", phases...), false})
	s.Title = "RetentionOps: rollout.yaml"
	return s
}

// monitoringSchema is the schema of monitoring.yaml.
func monitoringSchema() *jsonschema.Schema {
	lines := []string{"one line over the figures, such as success_rate < 90. Figures:"}
	for _, figure := range Figures {
		lines = append(lines, fmt.Sprintf("%s: %s (%s)", figure.Name, figure.Meaning, figure.holds()))
	}
	condition := refer(whenName)
	days := func(description string) *jsonschema.Schema { return formed(description, daysForm.String()) }
	s := mapOf("What health is held against.",
		key{"window", days("what the figures are of, such as 30 days"), false},
		key{"targets", most(maxTargets, listOf("what the figures should be, one line a figure; they raise no alarm", condition, 0)), false},
		key{"alarms", most(maxAlarms, listOf("what somebody is told of, once when it begins and once when it ends", mapOf("",
			key{"name", formed("what the alarm is remembered by", idForm.String()), false},
			key{"when", condition, false}, key{"for", days("so many days in a row; left out: over the whole window"), true},
			key{"tell", oneOf("who is told", tellWords...), false}, key{"what", sentence("what it means, for people"), false}), 0)), false})
	s.Title = "RetentionOps: monitoring.yaml"
	s.Definitions = map[string]*jsonschema.Schema{whenName: expressionSchema(strings.Join(lines, "\n"))}
	return s
}

// silencesSchema is the schema of silences.yaml.
func silencesSchema() *jsonschema.Schema {
	day := func(description string) *jsonschema.Schema {
		return formed(description, `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	}
	severities := listOf("what it silences; left out: all of them", oneOf("", texts(alertSeverities)...), 1)
	severities.UniqueItems = true
	s := mapOf("Times in which alerts set nothing going.",
		key{"silences", most(maxSilences, listOf("times, each with an end", mapOf("",
			key{"from", day("the first day of alerts"), false}, key{"to", day("the last day of alerts; at most 92 days in all"), false},
			key{"who", sentence("whom to ask"), false}, key{"why", sentence("the reason"), false}, key{"severities", severities, true}), 0)), false})
	s.Title = "RetentionOps: silences.yaml"
	return s
}

// examplesSchema is the schema of a file of examples.
func (v *vocabulary) examplesSchema() *jsonschema.Schema {
	var values []key
	for _, f := range v.fields {
		if !f.isStatistic() {
			values = append(values, key{f.name, f.value(), true})
		}
	}
	median := &jsonschema.Schema{Type: "number"}
	if f := v.byName[medianRevenue]; f != nil {
		median = numberBetween(f.described(), f.low, f.high)
	}
	expect := mapOf("what the rules should say; what is left out is not compared",
		key{"tier", oneOf("", append(texts(functions.Tiers), "none")...), true},
		key{"rule", formed("the rule that gives the tier, or none", idForm.String()), true},
		key{"score", numberBetween("", 0, highestScore), true}, key{"reason", sentence(""), true},
		key{"action", sentence(""), true}, key{"value_proxy", numberBetween("the value at stake", 0, maxNumber), true})
	least := 1
	expect.MinProperties = &least
	s := mapOf("Examples: what the rules should say of a customer.",
		key{"tests", oneOf("the file that is tested", priorityFile), false},
		key{"statistics", mapOf("figures of all customers", key{medianRevenue, median, false}), false},
		key{"base", mapOf("what an example does not say", values...), true},
		key{"examples", listOf("", mapOf("",
			key{"name", sentence("what it shows; each name once"), false}, key{"customer", mapOf("what differs from the base", values...), false},
			key{"expect", expect, false}), 1), false})
	s.Title = "RetentionOps: priority_test.yaml"
	return s
}

// value is what a customer of an example may have in a field.
func (f *field) value() *jsonschema.Schema {
	var s *jsonschema.Schema
	switch f.kind {
	case kindChoice:
		s = oneOf("", f.values...)
	case kindYesNo:
		s = yesNoSchema("")
	case kindWhole:
		s = wholeBetween("", f.low, f.high)
	default:
		s = numberBetween("", f.low, f.high)
	}
	if f.mayBeEmpty {
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, oneOf("", "empty")}}
	}
	s.Description = f.described()
	return s
}

// amounts are the fields that a share can be taken of.
func (v *vocabulary) amounts() []string {
	var names []string
	for _, f := range v.fields {
		if f.kind == kindAmount && !f.isStatistic() && !f.mayBeEmpty {
			names = append(names, f.name)
		}
	}
	return names
}
