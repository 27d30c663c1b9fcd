package playbook_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// TestEverythingOfARunCarriesItsRules plays one run by rules of its own and looks for their version in all that it
// leaves behind. The files of that version are kept beside it, byte for byte, and explain every row when the rules have
// changed since.
func TestEverythingOfARunCarriesItsRules(t *testing.T) {
	t.Parallel()
	h := newHouse(t, functions.PhaseProduction, "")
	receiver := newHook(t, says(200, receipt))
	h.Config.URL = receiver.address()
	h.Book = shipped(t, functions.PhaseProduction, "high_value: 2000 ", "high_value: 1200 ",
		`reason: "{retention_status} +`, `reason: "{retention_status} at a median of {median_revenue} +`)
	version := h.Book.Version()
	later := shipped(t, functions.PhaseProduction)
	if version == later.Version() {
		t.Fatal("both rules have one version: the test proves nothing")
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"})
	if err != nil || out.Status != functions.RunSuccess {
		t.Fatalf("%+v, %v", out, err)
	}
	carriers := map[string]string{"the answer": out.RulesVersion}
	var rows []retention.QueueRow
	err = h.warehouse.Queue(t.Context(), day, "", func(row retention.QueueRow) error {
		rows = append(rows, row)
		carriers["row "+row.CustomerID] = row.RulesVersion
		return nil
	})
	if err != nil || len(rows) != 45 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	var logged []string
	result, err := h.warehouse.DB().QueryContext(t.Context(), "SELECT rules_version FROM ops_runs_log")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	for result.Next() {
		var text string
		if err := result.Scan(&text); err != nil {
			t.Fatal(err)
		}
		logged = append(logged, text)
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{version, version}, logged); diff != "" {
		t.Errorf("log rows of begin and end (-want +got):\n%s", diff)
	}
	for _, format := range functions.Formats {
		stored, err := brief.Stored(t.Context(), h.Archive, day, format)
		if err != nil {
			t.Fatal(err)
		}
		carriers["brief as "+string(format)] = stored.RulesVersion
		if !strings.Contains(stored.Text, version) {
			t.Errorf("the %s brief does not tell its readers the version", format)
		}
	}
	for name, document := range map[string][]byte{
		"the payload as sent": []byte(receiver.requests()[0].body), "the payload as stored": []byte(h.message(t).Body),
		"what the queue was built from": h.document(t, "queues/2026-01-12.json"),
	} {
		var carried struct {
			RulesVersion string `json:"rules_version"`
		}
		if err := json.Unmarshal(document, &carried); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		carriers[name] = carried.RulesVersion
	}
	for _, name := range files(t, h.exports) {
		data, err := os.ReadFile(filepath.Join(h.exports, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		for _, line := range lines[1:] {
			if !strings.Contains(line, version) {
				t.Errorf("%s: a row without the version: %s", name, line)
			}
		}
	}
	for name, carried := range carriers {
		if carried != version {
			t.Errorf("%s carries rules_version %q, want %s", name, carried, version)
		}
	}

	kept, err := priority.KeptRules(t.Context(), h.Archive, version)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h.Book.Files(), kept); diff != "" {
		t.Errorf("the files that are kept (-want +got):\n%s", diff)
	}
	explainer := priority.Explainer{Queues: warehouse.New(h.warehouse), Customers: warehouse.New(h.warehouse), Archive: h.Archive, Book: later}
	for _, row := range rows {
		explained, err := explainer.Explain(t.Context(), row.CustomerID, day)
		if err != nil {
			t.Fatal(err)
		}
		if explained.RulesVersion != version || explained.Score.Score != row.Score || len(explained.Differences) > 0 {
			t.Fatalf("%+v is explained by %+v", row, explained)
		}
	}
}

// document reads a document from the archive.
func (h *house) document(t *testing.T, name string) []byte {
	t.Helper()
	data, err := h.Archive.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return data
}

// TestTheRulesOfAStoppedRunAreKept has a guardrail stop a run: no queue is built, but its log row names the rules.
func TestTheRulesOfAStoppedRunAreKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t, functions.PhaseProduction, "http://127.0.0.1:1/hook")
	h.Book = shipped(t, functions.PhaseProduction, "stop_over: 60", "stop_over: 12", "warn_over: 30", "warn_over: 2")
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: "2026-01-12"}); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Fatalf("got %v", err)
	}
	rows := h.rows(t)
	if len(rows) != 1 || rows[0].NotificationReason != "guardrail" {
		t.Fatalf("got %+v", rows)
	}
	kept, err := priority.KeptRules(t.Context(), h.Archive, rows[0].RulesVersion)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(kept)); !slices.Equal(got, []string{"fields.yaml", "priority.yaml"}) {
		t.Errorf("kept %v", got)
	}
}
