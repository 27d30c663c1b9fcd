package playbook_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
	"github.com/retentionops/retentionops/functions/internal/priority"
)

// never has the house read an exclusion list with these entries, which the test may replace.
func (h *house) never(entries ...string) (replace func(entries ...string)) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "never.csv")
	h.Exclusions = func(ctx context.Context) (priority.Exclusions, error) {
		return exclusion.Reader{Settings: exclusion.Settings{List: "file://" + path}, Folder: archive.Open}.Read(ctx)
	}
	replace = func(entries ...string) {
		h.t.Helper()
		content := "customer_id\n" + strings.Join(entries, "\n") + "\n"
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	replace(entries...)
	return replace
}

// holding names the files below a directory that hold a text.
func holding(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	for _, name := range files(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), text) {
			found = append(found, name)
		}
	}
	return found
}

func TestWhoIsExcludedIsInNothingThatLeaves(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.never("customer-003", "customer-015", "customer-099", "nobody")
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"})
	if err != nil {
		t.Fatal(err)
	}
	if out.Excluded != 3 || out.P1Count != 9 || out.P2Count != 19 || out.P3Count != 15 {
		t.Errorf("got %d excluded, P1 %d, P2 %d, P3 %d", out.Excluded, out.P1Count, out.P2Count, out.P3Count)
	}
	if len(files(t, h.exports)) == 0 {
		t.Error("nothing was exported")
	}
	for _, id := range []string{"customer-003", "customer-015"} {
		if found := append(holding(t, h.exports, id), holding(t, h.papers, id)...); len(found) > 0 {
			t.Errorf("%s is in %q", id, found)
		}
	}
	for _, format := range functions.Formats {
		told, err := brief.Stored(t.Context(), h.Archive, day, format)
		if err != nil || !strings.Contains(told.Text, "3 customers are on the exclusion list and in no tier") {
			t.Errorf("the %s brief does not tell: %v\n%s", format, err, told.Text)
		}
	}
	if sent := hook.requests(); len(sent) != 1 || !strings.Contains(sent[0].body, "3 customers are on the exclusion list") {
		t.Errorf("the message does not tell: %v", sent)
	}
}

func TestAListThatCannotBeReadLetsNothingLeave(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	replace := h.never("hmac-sha256:half")
	_, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"})
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, "line 2 of the exclusion list") {
		t.Errorf("got %v", err)
	}
	if sent, made := hook.requests(), files(t, h.exports); len(sent) > 0 || len(made) > 0 {
		t.Errorf("%d requests and the files %q left", len(sent), made)
	}
	if rows := h.rows(t); len(rows) != 1 || rows[0].Status != functions.RunFailed || !strings.Contains(rows[0].ErrorMessage, "exclusion list") {
		t.Errorf("the log has %+v", rows)
	}
	replace("customer-003")
	if out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"}); err != nil || out.Excluded != 1 {
		t.Errorf("after it was mended: %+v, %v", out, err)
	}
}

// The stored message links to files that hold the customer: it must not be sent again as it is.
func TestAnEntryStopsTheMessageOfBefore(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(500, ""), says(500, ""), says(500, ""), says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	replace := h.never()
	plan, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12", DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"}); err == nil {
		t.Fatal("a delivery that nobody confirmed is no error")
	}
	replace("customer-003")
	if later, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12", DryRun: true}); err != nil ||
		later.Plan.Digest == plan.Plan.Digest || later.Excluded != 1 || !strings.Contains(later.Reason, "have changed since") {
		t.Errorf("the plan after the entry: %+v, %v", later, err)
	}
	before := len(hook.requests())
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"}); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("the message of before: %v", err)
	}
	if after := len(hook.requests()); after != before {
		t.Errorf("%d requests were sent", after-before)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12", Resend: true})
	if err != nil || out.Excluded != 1 || out.P1Count != 9 {
		t.Errorf("the new message: %+v, %v", out, err)
	}
	if found := holding(t, h.exports, "customer-003"); len(found) > 0 {
		t.Errorf("the customer is still in %q", found)
	}
}

// TestAReplayAsksTheListToo puts entries on the list after a message was confirmed, and sends it again by name.
func TestAReplayAsksTheListToo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after []string
		refusal       string // empty: it is sent
	}{
		"nothing changed":                {[]string{"customer-003"}, []string{"customer-003"}, ""},
		"somebody in a file":             {nil, []string{"customer-003", "customer-015"}, "the files of run 01KRUN0001 hold 2 customers of the present exclusion list"},
		"somebody in no file of the day": {nil, []string{"customer-035", "customer-090", "nobody"}, ""},
		"an entry that went":             {[]string{"customer-003"}, nil, ""},
		"a list that cannot be read":     {nil, []string{"hmac-sha256:half"}, "line 2 of the exclusion list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			replace := h.never(test.before...)
			first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err != nil {
				t.Fatal(err)
			}
			replace(test.after...)
			_, err = h.Run(t.Context(), functions.TriggerPlaybookInput{Replay: first.RunID})
			if test.refusal == "" {
				if err != nil || len(hook.requests()) != 2 {
					t.Errorf("%v after %d requests, want it sent again", err, len(hook.requests()))
				}
				return
			}
			if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, test.refusal) || problem.Hint == "" {
				t.Errorf("got %+v", problem)
			}
			if len(hook.requests()) != 1 || len(h.rows(t)) != 1 {
				t.Errorf("%d requests, %d runs in the log; want the first one alone", len(hook.requests()), len(h.rows(t)))
			}
		})
	}
}

// TestAReplayOfADayThatWasBuiltAnewIsRefused when nobody can tell any more who is in its files.
func TestAReplayOfADayThatWasBuiltAnewIsRefused(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	replace := h.never("customer-003")
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	replace("customer-003", "customer-015")
	second, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Replay: first.RunID}); !strings.Contains(functions.ProblemOf(err, "").Detail, "built anew since run "+first.RunID) {
		t.Errorf("the message of before: %v", err)
	}
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Replay: second.RunID}); err != nil {
		t.Errorf("the message of now: %v", err)
	}
	if len(hook.requests()) != 3 {
		t.Errorf("%d requests", len(hook.requests()))
	}
}
