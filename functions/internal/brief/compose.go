package brief

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// The bounds of a brief. It is read by people: what is longer than this is a list, and lists lie in the exports.
const (
	maxTop     = 50  // customers shown of a tier
	maxActions = 10  // actions shown of a tier; the rest is one line
	maxList    = 20  // notes, findings, data issues, things to do
	maxWords   = 500 // characters of one text
)

// Input is what a brief is composed of.
type Input struct {
	Decision   functions.GetAlertDecisionOutput
	Assessment *retention.Assessment // nil when the customers were not read: the brief says so
	Playbook   rulebook.Playbook     // the zero value on an INFO day
	Rollout    rulebook.Rollout
	Settings   rulebook.BriefSettings
	Guardrails functions.Guardrails
	Exports    []functions.TierExports
	Notes      []string
	RunID      string // empty outside a run
}

// Compose puts together the data of a brief. It decides what is shown (customer ids only by setting, lists only up to
// a bound); how it looks is the templates' matter, and escaping is Render's.
func Compose(in Input) Data {
	decision := in.Decision
	data := Data{
		Date:         decision.AlertDate.String(),
		Severity:     string(decision.Severity),
		ActionNeeded: decision.ActionRequired,
		Decision:     words(decision.Reason),
		Phase:        string(in.Rollout.Phase),
		PhaseNote:    phaseNote(in.Rollout, decision),
		Metrics:      metrics(decision),
		Dashboard:    URL(in.Settings.DashboardURL),
		Guardrails:   guardrails(in.Guardrails),
		Notes:        texts(in.Notes),
		RunID:        in.RunID,
	}
	for _, export := range in.Exports {
		data.Exports = append(data.Exports, Export{
			Tier: string(export.Tier), Rows: Count(export.Rows), URL: URL(export.Link),
		})
	}
	if decision.ActionRequired {
		duties(&data, in)
	}
	if in.Assessment == nil {
		data.Notes = append(data.Notes, "The customers were not read for this brief: it shows the alert only.")
		data.QueueValue = money(in.Settings.Currency, functions.Money{})
		return data
	}
	customers(&data, in)
	return data
}

// duties fills in what the playbook asks of people.
func duties(data *Data, in Input) {
	play := in.Playbook
	data.ToDo = texts(play.Do)
	data.AnswerWithin = duration(play.Ticket.AnswerWithin)
	if !in.Rollout.Sends || !acts(in.Rollout, in.Decision.Severity) {
		return // no ticket, and nobody is notified, also when somebody posts the text by hand
	}
	title := strings.NewReplacer("{date}", data.Date, "{severity}", data.Severity).Replace(play.Ticket.Title)
	data.Ticket = Ticket{Type: words(play.Ticket.Type), Priority: words(play.Ticket.Priority), Title: words(title)}
	if mention := Mention(play.Mention); mentions[mention] != "" {
		data.Mention = mention
	}
}

// customers fills in everything that comes from the assessment.
func customers(data *Data, in Input) {
	assessment, currency := in.Assessment, in.Settings.Currency
	data.Customers, data.RulesVersion = Count(assessment.Customers), assessment.RulesVersion
	data.SetAside = Count(assessment.Quality.SetAside)
	if assessment.Excluded > 0 {
		verb := "are"
		if assessment.Excluded == 1 {
			verb = "is"
		}
		data.Notes = append(data.Notes, fmt.Sprintf("%s %s on the exclusion list and in no tier.", plural(assessment.Excluded, "customer", "customers"), verb))
	}
	issues := assessment.Quality.Issues
	if more := len(issues) - maxList; more > 0 {
		data.Notes = append(data.Notes, fmt.Sprintf("%d more kinds of data issue are not listed here.", more))
		issues = issues[:maxList]
	}
	for _, issue := range issues {
		data.DataIssues = append(data.DataIssues, Issue{
			Name: words(issue.Issue), Customers: Count(issue.Customers), Meaning: words(issue.Meaning),
		})
	}

	byStatus, atRisk := map[functions.Status]int64{}, map[functions.Risk]int64{}
	for _, cell := range assessment.StatusByRisk {
		byStatus[cell.Status] += cell.Customers
		if cell.Status == functions.AtRisk {
			atRisk[cell.Risk] += cell.Customers
		}
	}
	for _, status := range functions.Statuses {
		data.Statuses = append(data.Statuses, groupOf(string(status), byStatus[status], assessment.Customers))
	}
	data.AtRisk = Count(byStatus[functions.AtRisk])
	for _, risk := range functions.Risks {
		data.AtRiskByRisk = append(data.AtRiskByRisk, groupOf(string(risk), atRisk[risk], byStatus[functions.AtRisk]))
	}

	queue := functions.Money{}
	for _, total := range assessment.Tiers {
		queue = queue.Plus(total.ValueAtRisk)
		data.Queue += Count(total.Customers)
		data.Tiers = append(data.Tiers, tier(total, in))
	}
	data.QueueValue = money(currency, queue)
}

// purposes are the tiers' purposes by §7.1.
var purposes = map[functions.Tier]string{
	functions.P1: "Prevention", functions.P2: "Intervention", functions.P3: "Win-back",
}

func tier(total functions.TierTotal, in Input) Tier {
	shown := Tier{
		Name: string(total.Tier), Purpose: purposes[total.Tier],
		Customers: Count(total.Customers), Value: money(in.Settings.Currency, total.ValueAtRisk),
		InPlaybook: in.Decision.ActionRequired && slices.Contains(in.Playbook.Export, total.Tier),
	}
	actions := map[string]int64{}
	top := min(in.Settings.TopCustomers, maxTop)
	rank := 0
	for i := range in.Assessment.Rows {
		row := &in.Assessment.Rows[i]
		if row.Tier != total.Tier {
			continue
		}
		actions[row.Action]++
		if rank++; rank > top {
			continue
		}
		customer := Customer{
			Rank: rank, Value: money(in.Settings.Currency, row.ValueProxy), Score: Score(row.Score),
			Reason: words(row.Reason), Action: words(row.Action), Days: Count(row.DaysSinceLastOrder),
		}
		if in.Settings.ShowCustomerIDs {
			customer.ID = words(row.CustomerID)
		}
		shown.Top = append(shown.Top, customer)
	}
	shown.Actions = ranked(actions)
	return shown
}

// ranked sorts actions by how many customers they are for; those beyond the bound are one line.
func ranked(counts map[string]int64) []Action {
	actions := make([]Action, 0, len(counts))
	for text, customers := range counts {
		actions = append(actions, Action{Text: words(text), Customers: Count(customers)})
	}
	slices.SortFunc(actions, func(a, b Action) int {
		return cmp.Or(cmp.Compare(b.Customers, a.Customers), cmp.Compare(a.Text, b.Text))
	})
	if len(actions) > maxActions {
		var rest Count
		for _, action := range actions[maxActions:] {
			rest += action.Customers
		}
		left := len(actions) - maxActions
		actions = append(actions[:maxActions], Action{Text: fmt.Sprintf("%d other actions", left), Customers: rest})
	}
	return actions
}

func metrics(decision functions.GetAlertDecisionOutput) Metrics {
	shown := Metrics{
		Current: Percent(decision.CurrentValue), SampleSize: Count(decision.SampleSize),
		WarningFrom: Change(decision.Thresholds.WarningPct), CriticalFrom: Change(decision.Thresholds.CriticalPct),
	}
	if decision.BaselineValue != nil && decision.DeltaRelativePct != nil {
		shown.HasBaseline = true
		shown.Baseline, shown.Delta = Percent(*decision.BaselineValue), Change(*decision.DeltaRelativePct)
	}
	return shown
}

func guardrails(said functions.Guardrails) Guardrails {
	shown := Guardrails{
		Verdict: string(said.Verdict), Overridden: words(said.Overridden),
		Stopped: said.Verdict == functions.VerdictStop && said.Overridden == "",
	}
	for _, finding := range said.Findings[:min(len(said.Findings), maxList)] {
		shown.Findings = append(shown.Findings, GuardrailFinding{
			Guardrail: words(finding.Guardrail), Verdict: string(finding.Verdict), Message: words(finding.Message),
		})
	}
	return shown
}

// phaseNote says what the phase means for this brief, so that nobody takes a rehearsal for a run.
func phaseNote(rollout rulebook.Rollout, decision functions.GetAlertDecisionOutput) string {
	switch {
	case rollout.Phase == functions.PhaseDisabled:
		return "Disabled: no playbook runs, nothing was sent."
	case rollout.Phase == functions.PhaseShadow:
		return "Shadow: nothing was sent."
	case rollout.Phase == functions.PhasePilot && decision.ActionRequired && !acts(rollout, decision.Severity):
		return fmt.Sprintf("Pilot: no playbook runs for %s yet, nothing was sent.", decision.Severity)
	case rollout.Phase == functions.PhasePilot && rollout.Sends && rollout.Channel != "":
		return "Pilot: for " + words(rollout.Channel) + " only."
	case rollout.Phase == functions.PhasePilot:
		return "Pilot."
	case !rollout.Sends:
		return "Nothing was sent."
	case decision.ActionRequired && !acts(rollout, decision.Severity):
		return fmt.Sprintf("No playbook runs for %s in this phase, nothing was sent.", decision.Severity)
	default:
		return ""
	}
}

func acts(rollout rulebook.Rollout, severity functions.Severity) bool {
	return slices.Contains(rollout.ActsOn, severity)
}

func groupOf(name string, customers, of int64) Group {
	shown := Group{Name: name, Customers: Count(customers)}
	if of > 0 {
		shown.Share = Percent(math.Round(float64(customers)/float64(of)*1000) / 10)
	}
	return shown
}

// duration is a time to answer in words: 24 hours, 90 minutes, 3 days.
func duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return ""
	case d >= 2*day && d%day == 0:
		return plural(int64(d/day), "day", "days")
	case d%time.Hour == 0:
		return plural(int64(d/time.Hour), "hour", "hours")
	default:
		return plural(int64(d/time.Minute), "minute", "minutes")
	}
}

// plural writes a number with its word.
func plural(n int64, one, many string) string {
	word := many
	if n == 1 {
		word = one
	}
	return Count(n).String() + " " + word
}

func texts(list []string) []string {
	shown := make([]string, 0, len(list))
	for _, text := range list[:min(len(list), maxList)] {
		shown = append(shown, words(text))
	}
	if more := len(list) - maxList; more > 0 {
		shown = append(shown, fmt.Sprintf("… and %d more.", more))
	}
	return shown
}

// words is a text from the data or the rules, on one line and not too long.
func words(text string) string {
	runes := []rune(clean(text))
	if len(runes) > maxWords {
		return string(runes[:maxWords-1]) + "…"
	}
	return string(runes)
}
