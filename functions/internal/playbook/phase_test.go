package playbook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// TestThePhaseStandsInEverythingOfARun looks for it in the answer, both rows, the message, the queue's brief in every
// format and the mail: nobody may take a rehearsal for a run, or a run for a rehearsal.
func TestThePhaseStandsInEverythingOfARun(t *testing.T) {
	t.Parallel()
	for _, phase := range []functions.Phase{functions.PhaseShadow, functions.PhasePilot, functions.PhaseProduction} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			h, post := newMailHouse(t, phase, says(200, "Accepted"))
			out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if out.Phase != phase {
				t.Errorf("the answer says %s", out.Phase)
			}
			rows, err := h.warehouse.DB().QueryContext(t.Context(), "SELECT phase FROM ops_runs_log")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var logged []string
			for rows.Next() {
				var text string
				if err := rows.Scan(&text); err != nil {
					t.Fatal(err)
				}
				logged = append(logged, text)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{string(phase), string(phase)}, logged); diff != "" {
				t.Errorf("rows of begin and end (-want +got):\n%s", diff)
			}
			for _, format := range functions.Formats {
				kept, err := brief.Stored(t.Context(), h.Archive, day, format)
				if err != nil {
					t.Fatal(err)
				}
				if kept.Phase != phase || !strings.Contains(kept.Text, "phase "+string(phase)) {
					t.Errorf("the %s brief says %s:\n%s", format, kept.Phase, kept.Text)
				}
			}
			var message stored
			if err := json.Unmarshal(h.document(t, "payloads/rop_2026-01-12_WARNING_"+string(phase)+".json"), &message); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(message.Body, `"phase":"`+string(phase)+`"`) {
				t.Errorf("the message does not say it: %s", message.Body)
			}
			if phase == functions.PhaseShadow {
				if len(post.Messages()) != 0 {
					t.Error("the shadow phase sends mail")
				}
				return
			}
			if _, part := only(t, post); !strings.Contains(part.Text(), "phase "+string(phase)) {
				t.Errorf("the mail does not say it:\n%s", part.Text())
			}
		})
	}
}
