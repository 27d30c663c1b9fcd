package brief_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

const (
	readme          = "../../../brief_templates/README.md"
	vocabularyBegin = "<!-- vocabulary: written by `go test ./functions/internal/brief -run Vocabulary -update`, do not edit -->\n"
	vocabularyEnd   = "<!-- vocabulary: end -->"
)

// vocabulary writes a table for the brief and one for each of its parts, from the doc tags.
func vocabulary() string {
	var out strings.Builder
	kinds := map[reflect.Type]string{
		reflect.TypeFor[string](): "text", reflect.TypeFor[bool](): "yes or no", reflect.TypeFor[int](): "number",
		reflect.TypeFor[brief.Count](): "number", reflect.TypeFor[brief.Percent](): "percent", reflect.TypeFor[brief.Change](): "percent with sign",
		reflect.TypeFor[brief.Score](): "number", reflect.TypeFor[brief.Amount](): "money", reflect.TypeFor[brief.URL](): "address",
		reflect.TypeFor[brief.Mention](): "mention",
	}
	type part struct {
		title string
		of    reflect.Type
	}
	parts := []part{{"The brief", reflect.TypeFor[brief.Data]()}}
	seen := map[reflect.Type]bool{}
	for len(parts) > 0 {
		this := parts[0]
		parts = parts[1:]
		fmt.Fprintf(&out, "\n### %s\n\n| name | kind | what it is |\n| --- | --- | --- |\n", this.title)
		for field := range this.of.Fields() {
			kind, of := kinds[field.Type], field.Type
			if of.Kind() == reflect.Slice {
				of = of.Elem()
				kind = "list of texts"
				if of.Kind() == reflect.Struct {
					kind = "list"
				}
			}
			if of.Kind() == reflect.Struct {
				title := "Inside `." + field.Name + "`"
				if kind == "" {
					kind = "group"
				}
				if !seen[of] {
					seen[of] = true
					parts = append(parts, part{title, of})
				}
			}
			fmt.Fprintf(&out, "| `.%s` | %s | %s |\n", field.Name, kind, strings.ReplaceAll(field.Tag.Get("doc"), "|", `\|`))
		}
	}
	out.WriteString("\nAn address has `.Web`: yes when a browser can open it. `{{if .URL.Web}}`.\n")
	return out.String()
}

func TestVocabularyInTheReadmeIsThatOfTheData(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), vocabularyBegin)
	_, after, ends := strings.Cut(rest, vocabularyEnd)
	if !begins || !ends {
		t.Fatalf("%s has lost the marks of its vocabulary", readme)
	}
	want := before + vocabularyBegin + vocabulary() + "\n" + vocabularyEnd + after
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s differs (-want +got); run the test with -update:\n%s", readme, diff)
	}
}

func TestTheReadmesExamplesWork(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	_, words, _ := strings.Cut(string(page), "### Words without a dot")
	words, _, _ = strings.Cut(words, "## Messages")
	for _, inline := range regexp.MustCompile("`(\\{\\{[^`]*\\}\\})`").FindAllStringSubmatch(words, -1) {
		example := inline[1]
		if strings.HasPrefix(example, "{{if") {
			example += "x{{end}}"
		}
		examples = append(examples, []string{"", example})
	}
	if len(examples) < 10 {
		t.Fatalf("found %d examples in %s", len(examples), readme)
	}
	for _, example := range examples {
		files := with(example[1])
		for _, format := range functions.Formats {
			render(t, loaded(t, files), format, brief.Compose(brief.Fixtures()[0].Input))
		}
	}
}

func TestTheReadmeNamesEveryKindOfFault(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("load.go")
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`"(brief/[a-z-]+)"`).FindAllStringSubmatch(string(code), -1)
	if len(ids) < 10 {
		t.Fatalf("found %d ids", len(ids))
	}
	for _, id := range ids {
		if !strings.Contains(string(page), "| `"+id[1]+"` |") {
			t.Errorf("%s does not name %s", readme, id[1])
		}
	}
}
