package brief_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

func TestSizesAreMeasuredWhereABriefGoes(t *testing.T) {
	t.Parallel()
	templates := loaded(t, with("Grüße <{{.Dashboard}}|x>\n\n---\n\n{{.Decision}}"))
	data := brief.Data{Date: "2026-01-12", Decision: "R&D", Dashboard: "https://d.example"}
	for _, test := range []struct {
		format functions.Format
		want   []string
	}{
		{functions.FormatMarkdown, []string{"subject 7 of 150 characters", "text 44 of 100000 bytes"}},
		{functions.FormatEmail, []string{"subject 7 of 150 characters", "text 40 of 100000 bytes", "html 47 of 100000 bytes"}},
		{functions.FormatSlack, []string{
			"subject 7 of 150 characters", "blocks 4 of 50 blocks", "longest section 27 of 3000 characters",
			"all blocks 258 of 10000 characters", "text 53 of 40000 characters",
		}},
	} {
		t.Run(string(test.format), func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, size := range brief.Sizes(render(t, templates, test.format, data)) {
				if !size.Fits() || size.Why == "" {
					t.Errorf("%+v does not fit, or says no reason", size)
				}
				got = append(got, size.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sizes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEscapedMessageIsAsLongAsSlackReadsIt(t *testing.T) {
	t.Parallel()
	out := render(t, loaded(t, with("<https://d.example|x>")), functions.FormatSlack, brief.Data{Date: "2026-01-12"})
	sizes := brief.Sizes(out)
	out.Blocks = []byte(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, `","`, `", "`).Replace(string(out.Blocks)))
	if diff := cmp.Diff(sizes, brief.Sizes(out)); diff != "" {
		t.Errorf("sizes differ (-plain +escaped):\n%s", diff)
	}
}

func TestACutMessageFitsAndIsKnownAsCut(t *testing.T) {
	t.Parallel()
	long := render(t, loaded(t, with(strings.Repeat("A line of a message that is much too long.\n\n", 400))), functions.FormatSlack,
		brief.Data{Date: "2026-01-12"})
	if !brief.Cut(long) {
		t.Error("the message is not known as cut")
	}
	if slices.ContainsFunc(brief.Sizes(long), func(s brief.Size) bool { return !s.Fits() }) {
		t.Errorf("the cut message does not fit: %v", brief.Sizes(long))
	}
	if brief.Cut(render(t, loaded(t, with("short")), functions.FormatSlack, brief.Data{Date: "2026-01-12"})) {
		t.Error("a short message is taken for cut")
	}
}
