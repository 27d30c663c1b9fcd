package playbook_test

import (
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// TestAWarningStandsInEveryBrief runs on data of two days ago: it leaves, and whoever reads any brief is told.
func TestAWarningStandsInEveryBrief(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.Alert.Today = func() functions.Date { return day.AddDays(2) }
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"})
	if err != nil || out.Guardrails.Verdict != functions.VerdictWarn {
		t.Fatalf("got %+v, %v", out.Guardrails, err)
	}
	const words = "the data is as of 2026-01-12, and today is 2026-01-14: 2 days, warns over 1"
	plain := strings.NewReplacer(`\-`, "-", `\.`, ".")
	for _, format := range functions.Formats {
		told, err := brief.Stored(t.Context(), h.Archive, day, format)
		if err != nil {
			t.Fatal(err)
		}
		parts := map[string]string{"text": told.Text}
		if told.HTML != "" {
			parts["html"] = told.HTML
		}
		if len(told.Blocks) > 0 {
			parts["blocks"] = string(told.Blocks)
		}
		for part, text := range parts {
			if !strings.Contains(plain.Replace(text), words) {
				t.Errorf("the %s of the %s brief does not warn:\n%s", part, format, text)
			}
		}
	}
}

// TestDataThatIsTooOldStopsARun runs on data of four days ago: nothing leaves, the row says why, and a named person
// passes it.
func TestDataThatIsTooOldStopsARun(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.Alert.Today = func() functions.Date { return day.AddDays(4) }
	_, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"})
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition ||
		!strings.Contains(problem.Detail, "4 days, stops over 3") || !strings.Contains(problem.Hint, `"override"`) {
		t.Errorf("got %v", err)
	}
	if sent, made := hook.requests(), files(t, h.exports); len(sent) > 0 || len(made) > 0 {
		t.Errorf("%d requests and the files %q left", len(sent), made)
	}
	if rows := h.rows(t); len(rows) != 1 || rows[0].NotificationReason != "guardrail" || rows[0].Stage != "guardrails" ||
		!strings.Contains(rows[0].ErrorMessage, "4 days, stops over 3") {
		t.Errorf("the log has %+v", rows)
	}
	override := &functions.Override{By: "Mara", Why: "the import is late"}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12", Override: override})
	if err != nil || out.DeliveryState != functions.DeliveryConfirmed || out.Guardrails.Overridden != "Mara: the import is late" {
		t.Fatalf("with an override: %+v, %v", out, err)
	}
	if rows := h.rows(t); rows[0].ForcedBy != "Mara: the import is late" {
		t.Errorf("the log says forced by %q", rows[0].ForcedBy)
	}
}
