package brief_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

const (
	readme          = "../../../brief_templates/README.md"
	vocabularyBegin = "<!-- vocabulary: written by `go test ./functions/internal/brief -run Vocabulary -update`, do not edit -->\n"
	vocabularyEnd   = "<!-- vocabulary: end -->"
	payloadBegin    = "<!-- payload: written by the same test, do not edit -->\n"
	payloadEnd      = "<!-- payload: end -->"
)

// vocabulary writes a table for the brief or the payload and one for each of its parts, from the doc tags.
func vocabulary(of reflect.Type) string {
	var out strings.Builder
	kinds := map[reflect.Type]string{
		reflect.TypeFor[string](): "text", reflect.TypeFor[bool](): "yes or no", reflect.TypeFor[int](): "number",
		reflect.TypeFor[brief.Count](): "number", reflect.TypeFor[brief.Percent](): "percent", reflect.TypeFor[brief.Change](): "percent with sign",
		reflect.TypeFor[brief.Score](): "number", reflect.TypeFor[brief.Amount](): "money", reflect.TypeFor[brief.URL](): "address",
		reflect.TypeFor[brief.Mention](): "mention",
		reflect.TypeFor[int64]():         "number", reflect.TypeFor[float64](): "number", reflect.TypeFor[*float64](): "number, or nothing",
		reflect.TypeFor[functions.Date](): "text", reflect.TypeFor[time.Time](): "time", reflect.TypeFor[json.RawMessage](): "JSON",
		reflect.TypeFor[functions.Severity](): "text", reflect.TypeFor[functions.Phase](): "text",
	}
	type part struct {
		title string
		of    reflect.Type
	}
	parts := []part{{"The brief", reflect.TypeFor[brief.Data]()}}
	if of == reflect.TypeFor[brief.Payload]() {
		parts = []part{{"The payload", of}}
	}
	seen := map[reflect.Type]bool{}
	for len(parts) > 0 {
		this := parts[0]
		parts = parts[1:]
		fmt.Fprintf(&out, "\n### %s\n\n| name | kind | what it is |\n| --- | --- | --- |\n", this.title)
		for field := range this.of.Fields() {
			kind, of := kinds[field.Type], field.Type
			if kind == "" && of.Kind() == reflect.Slice {
				of = of.Elem()
				kind = "list of texts"
				if of.Kind() == reflect.Struct {
					kind = "list"
				}
			}
			if kind != "text" && kind != "time" && of.Kind() == reflect.Struct {
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
	if of == reflect.TypeFor[brief.Payload]() {
		out.WriteString("\nA time has `.Unix`: its seconds since 1970, which every receiver can compare. `{{json .ExpiresAt.Unix}}`.\n")
	} else {
		out.WriteString("\nAn address has `.Web`: yes when a browser can open it. `{{if .URL.Web}}`.\n")
	}
	return out.String()
}

func TestVocabularyInTheReadmeIsThatOfTheData(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for _, one := range []struct {
		begin, end string
		of         reflect.Type
	}{
		{vocabularyBegin, vocabularyEnd, reflect.TypeFor[brief.Data]()},
		{payloadBegin, payloadEnd, reflect.TypeFor[brief.Payload]()},
	} {
		before, rest, begins := strings.Cut(want, one.begin)
		_, after, ends := strings.Cut(rest, one.end)
		if !begins || !ends {
			t.Fatalf("%s has lost the marks of its vocabulary", readme)
		}
		want = before + one.begin + vocabulary(one.of) + "\n" + one.end + after
	}
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
	var examples []string
	payloads := 0
	for _, fenced := range regexp.MustCompile("(?sm)^```(\\w*)\n(.*?)^```").FindAllStringSubmatch(string(page), -1) {
		if fenced[1] != "payload" {
			examples = append(examples, fenced[2])
			continue
		}
		payloads++
		files := shippedFiles(t)
		files["payload.mine.tmpl"] = &fstest.MapFile{Data: []byte(fenced[2])}
		if _, findings := brief.Check(files); len(findings) > 0 {
			t.Errorf("the payload\n%s\n%s", fenced[2], findings.Error())
		}
	}
	if payloads == 0 {
		t.Errorf("%s has no example of a payload", readme)
	}
	_, words, _ := strings.Cut(string(page), "### Words without a dot")
	words, _, _ = strings.Cut(words, "## Messages")
	for _, inline := range regexp.MustCompile("`(\\{\\{[^`]*\\}\\})`").FindAllStringSubmatch(words, -1) {
		example := inline[1]
		if strings.HasPrefix(example, "{{if") {
			example += "x{{end}}"
		}
		examples = append(examples, example)
	}
	if len(examples) < 10 {
		t.Fatalf("found %d examples in %s", len(examples), readme)
	}
	for _, example := range examples {
		files := with(example)
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
