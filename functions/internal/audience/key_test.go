package audience_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

var day = functions.Date{Year: 2026, Month: 1, Day: 12}

// rowOf is a sound queue row of a customer.
func rowOf(id string) retention.QueueRow {
	return retention.QueueRow{
		RunDate: day, CustomerID: id, Status: functions.Active, RiskLevel: functions.RiskHigh, RiskScore: 70, Tier: functions.P1,
		Score: 94.5, Reason: "ACTIVE + HIGH risk (frequency drop), high value", DaysSinceLastOrder: 24,
		TotalRevenue: money("3847.10"), TotalOrders: 12, Action: "Personal call within 24 h", ValueProxy: money("1154.13"),
		RuleID: "p1_prevention", RulesVersion: "0123456789ab",
	}
}

func money(text string) functions.Money {
	m, err := functions.ParseMoney(text)
	if err != nil {
		panic(err)
	}
	return m
}

// The grammar in key.go, row by row.
func TestAKeyLeavesAsItIsOrNotAtAll(t *testing.T) {
	t.Parallel()
	const formula, broken = "formula", "NUL"
	for _, row := range []struct {
		name, id string
		leftOut  string // a word of the reason; empty: exported unchanged
	}{
		{name: "a plain number", id: "17850"},
		{name: "leading zeros", id: "007"},
		{name: "what looks like an exponent", id: "12E5"},
		{name: "a telephone number", id: "+4917012345"},
		{name: "a negative number", id: "-12"},
		{name: "one sign and one digit", id: "+0"},
		{name: "a long signed number", id: "-" + strings.Repeat("9", 40)},
		{name: "a blank and a signed number", id: " -12"},
		{name: "a full-width sign and digits", id: "＋4917012345"},
		{name: "a formula sign in the middle", id: "A=1+1"},
		{name: "an e-mail address", id: "anna@example.com"},
		{name: "a dash in the middle", id: "2026-17"},
		{name: "an apostrophe", id: "'quoted"},
		{name: "quotes", id: `say "hi"`},
		{name: "quotes around a formula", id: `"=1+1"`},
		{name: "a comma", id: "a,b"},
		{name: "a semicolon", id: "a;b"},
		{name: "a tab in the middle", id: "a\tb"},
		{name: "a line feed in the middle", id: "a\nb"},
		{name: "a line break in the middle", id: "a\r\nb"},
		{name: "a line break at the end", id: "a\r\n"},
		{name: "a leading blank", id: " a"},
		{name: "only a blank", id: " "},
		{name: "other scripts", id: "東京-Žižkov-🛍"},
		{name: "a mark that joins letters", id: "e\u0301"},
		{name: "a minus that no spreadsheet reads", id: "−12"},
		{name: "a point first", id: ".5"},
		{name: "a Slack mention", id: "<!channel>"},

		{name: "a formula", id: "=1+1", leftOut: formula},
		{name: "a command", id: "=cmd|'/C calc'!A0", leftOut: formula},
		{name: "a signed sum", id: "+1+1", leftOut: formula},
		{name: "a signed product", id: "-2*3", leftOut: formula},
		{name: "a signed decimal", id: "+1.5", leftOut: formula},
		{name: "a signed exponent", id: "-1E5", leftOut: formula},
		{name: "a telephone number with blanks", id: "+49 170 12345", leftOut: formula},
		{name: "two signs and digits", id: "+-12", leftOut: formula},
		{name: "a lone sign", id: "-", leftOut: formula},
		{name: "a sign and a word", id: "-abc", leftOut: formula},
		{name: "a sign and digits of another script", id: "+١٢", leftOut: formula},
		{name: "a function by its old sign", id: "@SUM(A1)", leftOut: formula},
		{name: "an at sign and digits", id: "@12", leftOut: formula},
		{name: "an equals sign and digits", id: "=12", leftOut: formula},
		{name: "a tab first", id: "\ta", leftOut: formula},
		{name: "a carriage return first", id: "\ra", leftOut: formula},
		{name: "a line feed first", id: "\na", leftOut: formula},
		{name: "a tab and a signed number", id: "\t-12", leftOut: formula},
		{name: "a blank and a formula", id: " =1+1", leftOut: formula},
		{name: "a hard blank and a formula", id: "\u00a0=1+1", leftOut: formula},
		{name: "a byte order mark and a formula", id: "\ufeff=1+1", leftOut: formula},
		{name: "a control character and a formula", id: "\x01=1+1", leftOut: formula},
		{name: "a full-width formula", id: "＝1+1", leftOut: formula},
		{name: "a full-width function", id: "＠SUM(A1)", leftOut: formula},
		{name: "a full-width sum", id: "－2+3", leftOut: formula},

		{name: "nothing", id: "", leftOut: broken},
		{name: "a NUL in the middle", id: "a\x00b", leftOut: broken},
		{name: "a NUL and a formula", id: "\x00=1", leftOut: broken},
		{name: "bytes that are not UTF-8", id: "a\xff", leftOut: broken},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, report := audience.Build(day, functions.P1, []retention.QueueRow{rowOf(row.id)}, 0, "", audience.Settings{})
			if row.leftOut == "" {
				if len(report.LeftOut) > 0 || len(a.Rows) != 1 || a.Rows[0][1] != row.id {
					t.Fatalf("Build of %q = %q, %+v; want it unchanged", row.id, a.Rows, report)
				}
				if cells := parse(t, text(t, a), ','); cells[1][1] != row.id {
					t.Errorf("the file has %q, want %q", cells[1][1], row.id)
				}
				return
			}
			if len(a.Rows) != 0 || report.Exported != 0 || report.Available != 1 || len(report.LeftOut) != 1 {
				t.Fatalf("Build of %q = %q, %+v; want it left out", row.id, a.Rows, report)
			}
			out := report.LeftOut[0]
			if !strings.Contains(out.Reason, row.leftOut) || out.Customers != 1 || !cmp.Equal(out.CustomerIDs, []string{row.id}) {
				t.Errorf("left out = %+v, want %q for %q", out, row.id, row.leftOut)
			}
		})
	}
}
