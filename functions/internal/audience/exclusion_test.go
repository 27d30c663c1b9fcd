package audience_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
)

// never makes a list of these entries.
func never(t *testing.T, entries ...string) *exclusion.List {
	t.Helper()
	path := filepath.Join(t.TempDir(), "never.csv")
	if err := os.WriteFile(path, []byte("customer_id\n"+strings.Join(entries, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := exclusion.Reader{
		Settings: exclusion.Settings{List: "file://" + path, Key: "a key of the tests"}, Folder: archive.Open,
	}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWhoIsExcludedSinceTheQueueWasBuiltIsLeftOutAndNotNamed(t *testing.T) {
	t.Parallel()
	w := stored(t, scored("a", functions.P1, 90), scored("b", functions.P1, 80), scored("c", functions.P1, 70), scored("=d", functions.P1, 60))
	e, _ := exporter(t, w)
	in := functions.ExportAudienceInput{Tier: functions.P1, Limit: new(2), DryRun: true}
	before, err := e.Export(t.Context(), day, in, "")
	if err != nil {
		t.Fatal(err)
	}
	e.Excluded = never(t, "a", exclusion.Hash("a key of the tests", "=d"), "nobody here")
	in.DryRun = false
	out, err := e.Export(t.Context(), day, in, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "c"}, ids(t, fileBehind(t, out.CSVURL))); diff != "" {
		t.Errorf("in the file (-want +got):\n%s", diff)
	}
	if out.RowsExported != 2 || out.RowsAvailable != 4 || out.Truncated {
		t.Errorf("the excluded count against the limit: %+v", out)
	}
	want := []functions.LeftOut{{Reason: "on the exclusion list since the queue was built", Customers: 2, CustomerIDs: []string{}}}
	if diff := cmp.Diff(want, out.LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	if out.Digest == before.Digest {
		t.Error("the digest does not tell that a customer is excluded since")
	}
	in.ExpectDigest = before.Digest
	if _, err := e.Export(t.Context(), day, in, ""); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("an export that was planned before the entry: %v", err)
	}
	e.Excluded = never(t, "a", "b", "c", "=d")
	in.ExpectDigest = ""
	if out, err := e.Export(t.Context(), day, in, ""); err != nil || out.RowsExported != 0 || fmt.Sprint(ids(t, fileBehind(t, out.CSVURL))) != "[]" {
		t.Errorf("everybody is excluded: %+v, %v", out, err)
	}
}
