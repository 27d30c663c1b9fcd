package exclusion_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
)

func TestHashLinesMakeAListThatIsRead(t *testing.T) {
	t.Parallel()
	done := exclusion.Hash(key, "C3")
	var out strings.Builder
	if err := (exclusion.Settings{Key: key}).HashLines(strings.NewReader("\uFEFFcustomer_id\r\nC000123\r\n\n 007 \n"+done+"\n"), &out); err != nil {
		t.Fatal(err)
	}
	want := "customer_id\n" + hashOfC000123 + "\n" + exclusion.Hash(key, "007") + "\n" + done + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	list, err := read(t, exclusion.Settings{List: write(t, out.String()), Key: key})
	if err != nil || !list.Has("C000123") || !list.Has("007") || !list.Has("C3") || list.Len() != 3 {
		t.Errorf("read back: %d entries, %v", list.Len(), err)
	}
}

func TestHashLinesRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, key, in, want string }{
		{"without a key", "", "C1\n", "RETENTIONOPS_EXCLUSIONS_KEY is not set"},
		{"with a short key", "short", "C1\n", "RETENTIONOPS_EXCLUSIONS_KEY is too short"},
		{"several values", key, "C1\nsecret,opted out\n", "line 2 holds more than one value"},
		{"a quoted value", key, "\"secret\"\n", "line 1 holds more than one value"},
		{"half a hash", key, "C1\nhmac-sha256:0f\n", "line 2 begins like a hash and is none"},
		{"a line without end", key, strings.Repeat("x", 100_000), "the ids cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := exclusion.Settings{Key: test.key}.HashLines(strings.NewReader(test.in), &strings.Builder{})
			problem := functions.ProblemOf(err, "")
			if problem.Code != functions.FailedPrecondition || problem.Detail != test.want || problem.Hint == "" || strings.Contains(problem.Hint, "secret") {
				t.Errorf("got %+v, want %q", problem, test.want)
			}
		})
	}
}
