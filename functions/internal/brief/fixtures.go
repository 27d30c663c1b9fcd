package brief

import (
	"cmp"
	"fmt"
	"time"

	"cloud.google.com/go/civil"
	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Fixture is a made-up day that templates are tried on.
type Fixture struct {
	Name  string
	Input Input
}

// Fixtures are the days that templates are tried on when they are loaded: one of each severity, one with nothing in
// it, one with everything that can be wrong. All names and figures in them are invented.
func Fixtures() []Fixture {
	return []Fixture{
		{"warning", warningDay()},
		{"critical", criticalDay()},
		{"info", infoDay()},
		{"empty", emptyDay()},
		{"faults", faultsDay()},
	}
}

// Payload is what the webhook would carry of the day, with texts written by the templates: what payload templates are
// tried on. The ids, the times and the ticket that a CRITICAL updates are invented like the rest.
func (f Fixture) Payload(t *Templates) (Payload, error) {
	in, data := f.Input, Compose(f.Input)
	began := in.Decision.AlertDate.In(time.UTC).Add(6 * time.Hour)
	key := fmt.Sprintf("rop_%s_%s_%s", in.Decision.AlertDate, in.Decision.Severity, in.Rollout.Phase)
	p := Payload{
		Date: in.Decision.AlertDate, Severity: in.Decision.Severity, AlertFlag: in.Decision.AlertFlag,
		Metrics: PayloadMetrics{
			CurrentValue: in.Decision.CurrentValue, BaselineValue: in.Decision.BaselineValue,
			DeltaRelativePct: in.Decision.DeltaRelativePct,
		},
		ExportURLs: ExportURLsOf(in.Exports), Phase: in.Rollout.Phase, RulesVersion: in.Assessment.RulesVersion,
		RunID: cmp.Or(in.RunID, "01KEQ8ZQ5S0000000000000001"), IdempotencyKey: key, ExpiresAt: began.Add(24 * time.Hour),
		Slack: SlackMessage{Channel: in.Rollout.Channel, Mention: in.Playbook.Mention},
		Ticket: PayloadTicket{
			Project: in.Rollout.TicketProject, Type: data.Ticket.Type, Priority: data.Ticket.Priority, Title: data.Ticket.Title,
			Due: began.Add(in.Playbook.Ticket.AnswerWithin), Label: key,
		},
	}
	if in.Decision.Severity == functions.Critical && p.Ticket.Type != "" {
		p.Ticket.Update = in.Rollout.TicketProject + "-2400"
	}
	for _, tier := range in.Assessment.Tiers {
		switch tier.Tier {
		case functions.P1:
			p.PriorityCounts.P1 = tier.Customers
		case functions.P2:
			p.PriorityCounts.P2 = tier.Customers
		case functions.P3:
			p.PriorityCounts.P3 = tier.Customers
		}
	}
	for _, format := range functions.Formats {
		written, err := t.Render(format, data)
		if err != nil {
			return p, err
		}
		p.Tell(written)
	}
	return p, nil
}

func warningDay() Input {
	return Input{
		Decision: decision(functions.Warning, 25.2, 21.4, 17.76,
			"AT_RISK share is 17.8% above its baseline: WARNING from 15%."),
		Assessment: assessment(87, 312, 189),
		Playbook: rulebook.Playbook{
			Severity: functions.Warning, Export: []functions.Tier{functions.P1, functions.P2}, Mention: "nobody",
			Ticket: rulebook.Ticket{
				Type: "Task", Priority: "High", Title: "Retention Alert {severity} - {date}", AnswerWithin: 24 * time.Hour,
			},
			Do: []string{
				"Assign the ticket to a retention manager.",
				"Start the P1 outreach today, highest score first.",
				"Queue the P2 win-back sequence for tomorrow.",
			},
		},
		Rollout: rulebook.Rollout{
			Phase: functions.PhaseProduction, ActsOn: []functions.Severity{functions.Warning, functions.Critical},
			Sends: true, Channel: "#retention-alerts", TicketProject: "RETENTION",
		},
		Settings:   rulebook.BriefSettings{TopCustomers: 3, Currency: "EUR", DashboardURL: "https://dashboard.example/retention?view=day&tab=1"},
		Guardrails: functions.Guardrails{Verdict: functions.VerdictOK},
		Exports: []functions.TierExports{
			{Tier: functions.P1, Rows: 87, Link: "https://files.example/2026-01-12/P1.csv"},
			{Tier: functions.P2, Rows: 312, Link: "file:///exports/2026-01-12/P2.csv"},
		},
		RunID: "01KEQ8ZQ5S0000000000000000",
	}
}

func criticalDay() Input {
	in := warningDay()
	in.Decision = decision(functions.Critical, 55.45, 44.32, 25.12, "AT_RISK share is 25.12% above its baseline: CRITICAL from 25%.")
	in.Decision.AlertDate = civil.Date{Year: 2026, Month: time.January, Day: 19}
	in.Assessment = assessment(96, 401, 204)
	in.Playbook.Severity, in.Playbook.Mention = functions.Critical, "channel"
	in.Playbook.Export = functions.Tiers
	in.Playbook.Ticket.Priority, in.Playbook.Ticket.AnswerWithin = "Highest", 4*time.Hour
	in.Playbook.Do = []string{
		"Call the incident lead now; the ticket is due in four hours.",
		"Phone the top P1 customers before noon.",
		"Send P2 and P3 today, and stop price changes until the cause is known.",
	}
	in.Guardrails = functions.Guardrails{Verdict: functions.VerdictWarn, Findings: []functions.GuardrailFinding{
		{Guardrail: "tier_growth", Verdict: functions.VerdictWarn, Message: "P2 grew by 64% since 2026-01-12; warns over 50%"},
	}}
	in.Exports = []functions.TierExports{
		{Tier: functions.P1, Rows: 96, Link: "https://files.example/2026-01-19/P1.csv"},
		{Tier: functions.P2, Rows: 401, Link: "https://files.example/2026-01-19/P2.csv"},
		{Tier: functions.P3, Rows: 204, Link: "https://files.example/2026-01-19/P3.csv"},
	}
	return in
}

func infoDay() Input {
	in := warningDay()
	in.Decision = decision(functions.Info, 28.17, 27.52, 2.36, "AT_RISK share is 2.36% above its baseline, below 15%: no action.")
	in.Decision.AlertDate = civil.Date{Year: 2026, Month: time.January, Day: 5}
	in.Decision.AlertFlag, in.Decision.ActionRequired = false, false
	in.Playbook, in.Exports, in.RunID = rulebook.Playbook{}, nil, ""
	in.Guardrails = functions.Guardrails{}
	return in
}

// emptyDay has an alert and nobody to work on, in a phase that does not act on it.
func emptyDay() Input {
	in := criticalDay()
	in.Assessment = assessment(0, 0, 0)
	in.Rollout.Phase, in.Rollout.ActsOn, in.Rollout.Channel = functions.PhasePilot, []functions.Severity{functions.Warning}, "#retention-test"
	in.Settings = rulebook.BriefSettings{Currency: "CHF"}
	in.Exports, in.RunID = nil, ""
	in.Guardrails = functions.Guardrails{Verdict: functions.VerdictOK}
	return in
}

// faultsDay has no baseline, bad data, a stop that somebody passed, a file that stood in, ids, and texts that try to
// be more than texts.
func faultsDay() Input {
	in := warningDay()
	in.Decision.Reason = "The share is high, and there is no baseline yet to compare it with."
	in.Decision.BaselineValue, in.Decision.DeltaRelativePct, in.Decision.BaselineReady = nil, nil, false
	in.Rollout = rulebook.Rollout{Phase: functions.PhaseShadow, ActsOn: in.Rollout.ActsOn, Folder: "shadow"}
	in.Settings.ShowCustomerIDs, in.Settings.TopCustomers = true, 2
	in.Assessment = assessment(3, 1, 1)
	in.Assessment.Rows[0].CustomerID = "<!channel> @here <script>alert(1)</script>"
	in.Assessment.Rows[1].Reason = "[offer](http://evil.example) | `code` *bold*\nnext line \u202Etxt.exe"
	in.Assessment.Rows[3].Action = "<b>R&D</b> \"call\" www.evil.example"
	in.Assessment.Quality = functions.DataQuality{SetAside: 14, Issues: []functions.QualityIssue{
		{Issue: "unknown_status", Customers: 9, Meaning: "the status is none of ACTIVE, AT_RISK, INACTIVE"},
		{Issue: "missing_in_base_customers", Customers: 5, Meaning: "no row in base_customers"},
	}}
	in.Assessment.Customers += 14
	in.Guardrails = functions.Guardrails{
		Verdict: functions.VerdictStop, Overridden: "Mara Lind: migration weekend, checked by hand",
		Findings: []functions.GuardrailFinding{
			{Guardrail: "set_aside_share", Verdict: functions.VerdictStop, Message: "12.5% of the customers were set aside; stops over 10%"},
		},
	}
	in.Notes = []string{"Google Sheets did not answer; the CSV files stand in."}
	return in
}

func decision(severity functions.Severity, current, baseline, delta float64, reason string) functions.GetAlertDecisionOutput {
	return functions.GetAlertDecisionOutput{
		AlertDate: civil.Date{Year: 2026, Month: time.January, Day: 12},
		Severity:  severity, AlertFlag: true, CurrentValue: current, BaselineValue: &baseline, DeltaRelativePct: &delta,
		SampleSize: 4338, Thresholds: functions.Thresholds{WarningPct: 15, CriticalPct: 25},
		BaselineReady: true, ActionRequired: true, Reason: reason,
	}
}

// assessment makes customers for the tiers: revenue and score fall with the rank.
func assessment(p1, p2, p3 int) *retention.Assessment {
	made := &retention.Assessment{AsOf: civil.Date{Year: 2026, Month: time.January, Day: 12}, RulesVersion: "0f1e2d3c4b5a"}
	kinds := []struct {
		tier      functions.Tier
		status    functions.Status
		customers int
		days      int64
		base      float64
		reason    string
	}{
		{functions.P1, functions.Active, p1, 24, 70, "ACTIVE + HIGH risk (frequency drop)"},
		{functions.P2, functions.AtRisk, p2, 61, 50, "AT_RISK + HIGH risk (frequency drop)"},
		{functions.P3, functions.Inactive, p3, 130, 30, "INACTIVE + HIGH risk (frequency drop), gone for 130 days"},
	}
	for _, kind := range kinds {
		total := functions.TierTotal{Tier: kind.tier}
		for i := range kind.customers {
			revenue := functions.Money{Decimal: decimal.New(int64(384710-4321*(i%80)), -2)}
			row := retention.QueueRow{
				RunDate: made.AsOf, CustomerID: fmt.Sprintf("C-%s-%04d", kind.tier, i+1), Status: kind.status,
				RiskLevel: functions.RiskHigh, Tier: kind.tier, Score: kind.base + 24.5 - float64(i)/50,
				Reason: kind.reason, DaysSinceLastOrder: kind.days, TotalRevenue: revenue, Action: action(kind.tier, i%80),
				ValueProxy: functions.Money{Decimal: revenue.Mul(decimal.New(3, -1))}, RuleID: string(kind.tier),
			}
			total.Customers++
			total.ValueAtRisk = total.ValueAtRisk.Plus(row.ValueProxy)
			made.Rows = append(made.Rows, row)
		}
		made.Tiers = append(made.Tiers, total)
	}
	made.StatusByRisk = []functions.StatusRiskCell{
		{Status: functions.Active, Risk: functions.RiskHigh, Customers: int64(p1)},
		{Status: functions.Active, Risk: functions.RiskLow, Customers: int64(18 * p1)},
		{Status: functions.AtRisk, Risk: functions.RiskHigh, Customers: int64(p2)},
		{Status: functions.AtRisk, Risk: functions.RiskMedium, Customers: int64(p2 / 3)},
		{Status: functions.AtRisk, Risk: functions.RiskLow, Customers: int64(2 * p2)},
		{Status: functions.Inactive, Risk: functions.RiskHigh, Customers: int64(p3)},
		{Status: functions.Inactive, Risk: functions.RiskLow, Customers: int64(6 * p3)},
	}
	for _, cell := range made.StatusByRisk {
		made.Customers += cell.Customers
	}
	return made
}

func action(tier functions.Tier, i int) string {
	switch {
	case tier == functions.P2:
		return "Win-back email sequence (3 emails, 7 days) + free shipping"
	case tier == functions.P3:
		return "Strong comeback offer (20% discount) + survey"
	case i < 43:
		return "VIP outreach + 10% loyalty incentive"
	case i < 66:
		return "Personal email + free shipping offer"
	default:
		return "Personal email + reminder"
	}
}
