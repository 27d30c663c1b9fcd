package rulebook

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/rules"
)

const readmePath = "../../../rules/README.md"

// TestReadmeTablesAreFresh compares the tables in rules/README.md with fields.yaml and with the figures of
// monitoring.yaml; -update rewrites them.
func TestReadmeTablesAreFresh(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	book, err := Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	fresh := string(data)
	for name, table := range map[string]string{"vocabulary": vocabularyTable(book.vocabulary), "figures": figuresTable()} {
		before, rest, foundBegin := strings.Cut(fresh, "<!-- "+name+": generated")
		comment, rest, foundEnd := strings.Cut(rest, "-->\n")
		_, after, foundTable := strings.Cut(rest, "<!-- end of "+name+" -->")
		if !foundBegin || !foundEnd || !foundTable {
			t.Fatalf("the marks around the %s are gone", name)
		}
		fresh = before + "<!-- " + name + ": generated" + comment + "-->\n" + table + "<!-- end of " + name + " -->" + after
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(readmePath, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(fresh, string(data)); diff != "" {
		t.Errorf("rules/README.md is not fresh (-want +got):\n%s", diff)
	}
}

// figuresTable lists what a condition in monitoring.yaml may name.
func figuresTable() string {
	var table strings.Builder
	table.WriteString("| figure | means | may be |\n| --- | --- | --- |\n")
	for _, figure := range Figures {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", figure.Name, figure.Meaning, figure.holds())
	}
	return table.String()
}

// TestReadmeStoryIsTrue makes the change that the page tells of and wants the output that it shows.
func TestReadmeStoryIsTrue(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range []string{fieldsFile, priorityFile, playbooksFile, rolloutFile, "priority_test.yaml"} {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(data), "p1_min_revenue: 0", "p1_min_revenue: 500", 1))}
	}
	book, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Test(book, files)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.Under("rules").Write(&out); err != nil {
		t.Fatal(err)
	}
	if shown := "   " + strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "\n   "); !strings.Contains(string(page), shown) {
		t.Errorf("rules/README.md does not show:\n%s", shown)
	}
}

func vocabularyTable(v *vocabulary) string {
	var out strings.Builder
	out.WriteString("| field | means | holds | from |\n| --- | --- | --- | --- |\n")
	for _, f := range v.fields {
		holds := string(f.kind)
		switch f.kind {
		case kindChoice:
			holds = strings.Join(f.values, ", ")
		case kindYesNo:
			holds = "yes, no"
		case kindWhole, kindAmount:
			holds += fmt.Sprintf(" %s to %s", plainNumber(f.low), plainNumber(f.high))
		}
		if f.unit != "" {
			holds += " " + f.unit
		}
		if f.mayBeEmpty {
			holds += "; may be empty"
		}
		from := f.table
		if f.isStatistic() {
			from = "median of total_revenue over all customers"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", f.name, f.meaning, holds, from)
	}
	return out.String()
}

// TestReadmeNamesEveryFault walks the ids of findings.
func TestReadmeNamesEveryFault(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{
		idFile, idYAML, idUnknownKey, idDuplicateKey, idMissingKey, idUnknownName, idUnknownValue, idDuplicateName, idType,
		idNotAllowed, idTooLong, idMayBeEmpty, idMayBeNaN, idNoAction, idNoOtherwise, idOutOfBounds, idNeverMatches,
		idShadowed, idBadPlaceholder, idFactBroken, idUnusedParam, idOverlap, idNoEffect, idHole, idDeadAction, idAlwaysSaid,
		idNeverSaid, idConstantPart, idCapNeverActs, idScoreOverlap, idNotProven, idExpired, idInForce, idAlwaysHolds,
		idPhase, idNobodyTold,
	} {
		if !strings.Contains(string(data), strings.TrimPrefix(id, "rules/")+"`") {
			t.Errorf("rules/README.md does not tell of %s", id)
		}
	}
}
