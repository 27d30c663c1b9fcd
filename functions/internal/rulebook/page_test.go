package rulebook_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// pageOf is the document on the rules of a folder, as Markdown and as HTML.
func pageOf(t *testing.T, files fs.FS) (markdown, page string) {
	t.Helper()
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	document, err := book.Page(files, day(11, 22))
	if err != nil {
		t.Fatal(err)
	}
	var text, markup strings.Builder
	if err := document.Markdown(&text); err != nil {
		t.Fatal(err)
	}
	if err := document.HTML(&markup); err != nil {
		t.Fatal(err)
	}
	return text.String(), markup.String()
}

func TestTheShippedRulesAsADocument(t *testing.T) {
	t.Parallel()
	markdown, page := pageOf(t, rules.FS)
	version := shipped(t).Version() // an example stands for any: it changes with every word of the rules
	compareGolden(t, "testdata/page.golden.md", strings.ReplaceAll(markdown, version, "0123456789ab"))
	compareGolden(t, "testdata/page.golden.html", strings.ReplaceAll(page, version, "0123456789ab"))
}

// TestTheDocumentOfRulesThatOnlyJudge tells nothing of what their files do not hold.
func TestTheDocumentOfRulesThatOnlyJudge(t *testing.T) {
	t.Parallel()
	whole, _ := pageOf(t, rules.FS)
	book, err := rulebook.LoadKept(shipped(t).Files())
	if err != nil {
		t.Fatal(err)
	}
	document, err := book.Page(nil, day(11, 22))
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	if err := document.Markdown(&kept); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(kept.String(), "phase") || strings.Contains(kept.String(), "Examples") {
		t.Error("it tells of a phase or of examples")
	}
	_, sections, _ := strings.Cut(kept.String(), "\n\n## ")
	for section := range strings.SplitSeq(sections, "\n## ") {
		if strings.HasPrefix(section, "How customers of a tier are ranked") {
			if !strings.Contains(section, "| tier | begins with |\n") || !strings.Contains(section, "| P1 | 70 |\n") {
				t.Errorf("it tells what scores a tier reaches, which is not proven again: %s", section)
			}
			continue
		}
		if !strings.Contains(whole, "\n## "+strings.TrimSpace(section)) {
			t.Errorf("it tells something else than the whole document: %.80q", section)
		}
	}
	if count := strings.Count(kept.String(), "\n## "); count != 6 {
		t.Errorf("%d sections", count)
	}
}

// TestTheDocumentLoadsAndRunsNothing looks at every element of the page, and at its policy.
func TestTheDocumentLoadsAndRunsNothing(t *testing.T) {
	t.Parallel()
	_, page := pageOf(t, rules.FS)
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if policy == nil || html.UnescapeString(policy[1]) != want {
		t.Errorf("the policy is %v, want %s", policy, want)
	}
	known := " !doctype html head meta title style body h1 h2 p code nav ul li a main section div table caption thead tbody tr th td "
	elements := regexp.MustCompile(`<([!a-z][a-z0-9]*)((?:\s[^<>]*)?)>`).FindAllStringSubmatch(page, -1)
	if len(elements) < 300 || strings.Count(page, "<") != len(elements)+strings.Count(page, "</") {
		t.Fatalf("%d elements of %d signs", len(elements), strings.Count(page, "<"))
	}
	for _, element := range elements {
		if !strings.Contains(known, " "+element[1]+" ") {
			t.Errorf("there is a %s", element[0])
		}
		if regexp.MustCompile(`\s(src|on\w+|style)=|href="[^#]`).MatchString(element[2]) {
			t.Errorf("there is a %s", element[0])
		}
	}
}

// TestHostileTextStaysText puts markup into texts of the rules.
func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	const hostile = `<script>alert(1)</script> | [x](javascript:alert(1)) <img src=x onerror=y> ![](http://evil.example/p) **b** # \\` + "`c`"
	files := shippedWith(t, "priority.yaml", "do: VIP outreach + 10% loyalty incentive", "do: '"+hostile+"'")
	markdown, page := pageOf(t, files)
	want := `\<script\>alert(1)\</script\> \| \[x\](javascript:alert(1)) \<img src=x onerror=y\> \!\[\](http\://evil.example/p) \*\*b\*\* \# \\\\` + "\\`c\\`"
	if !strings.Contains(markdown, want) {
		t.Errorf("the Markdown does not hold %s", want)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
		t.Error("the text became an element")
	}
	if want := `<td>` + html.EscapeString(hostile) + `</td>`; !strings.Contains(page, want) {
		t.Errorf("the page does not hold %s", want)
	}
}
