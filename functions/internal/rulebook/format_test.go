package rulebook_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

func TestShippedFilesAreSpeltTheUsualWay(t *testing.T) {
	t.Parallel()
	formatted, err := rulebook.Format(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range formatted.Under("rules") {
		t.Error(change)
	}
}

// TestSpellings holds one spelling a case: what stands in the place of a shipped text, and what becomes of it.
func TestSpellings(t *testing.T) {
	t.Parallel()
	const (
		revenue   = "total_revenue: at least p1_min_revenue}"
		days      = "days_since_last_order: up to recent_days}"
		medium    = "- when: {total_revenue: medium_value..high_value}"
		valueDrop = "{is_value_drop: yes}"
		points    = "points: ln(1 + total_revenue) * 2"
	)
	tests := map[string]struct{ shipped, before, after string }{
		"at least":                               {revenue, `total_revenue: ">= p1_min_revenue"}`, revenue},
		"a sign without a blank":                 {revenue, `total_revenue: '>=p1_min_revenue'}`, revenue},
		"over":                                   {revenue, `total_revenue: ">  p1_min_revenue"}`, `total_revenue: over p1_min_revenue}`},
		"below":                                  {days, `days_since_last_order: "<recent_days"}`, `days_since_last_order: below recent_days}`},
		"up to":                                  {days, `days_since_last_order: "<= recent_days" }`, `days_since_last_order: up to recent_days }`},
		"equal":                                  {days, `days_since_last_order: "== 180"}`, `days_since_last_order: 180}`},
		"not before a sign":                      {revenue, `total_revenue: "not < p1_min_revenue"}`, `total_revenue: not below p1_min_revenue}`},
		"blanks in a cell":                       {revenue, `total_revenue: at   least  p1_min_revenue}`, revenue},
		"blanks in a range":                      {medium, `- when: {total_revenue: medium_value  ..  high_value}`, medium},
		"blanks around a choice":                 {"retention_status: AT_RISK,", `retention_status: " AT_RISK",`, "retention_status: AT_RISK,"},
		"a cell in quotes that is as usual":      {revenue, `total_revenue: "at least p1_min_revenue"}`, `total_revenue: "at least p1_min_revenue"}`},
		"a cell over two lines":                  {revenue, "total_revenue: at\n      least p1_min_revenue}", "total_revenue: at\n      least p1_min_revenue}"},
		"true":                                   {valueDrop, "{is_value_drop: true}", valueDrop},
		"Yes":                                    {valueDrop, "{is_value_drop: Yes}", valueDrop},
		"not false":                              {valueDrop, "{is_value_drop: not false}", "{is_value_drop: not no}"},
		"a comparison without blanks":            {medium, `- when: total_revenue>=medium_value&&total_revenue<=high_value`, `- when: total_revenue >= medium_value and total_revenue <= high_value`},
		"not, or and brackets":                   {medium, `- when: "!( total_revenue>high_value||total_revenue<medium_value )"`, `- when: "not (total_revenue > high_value or total_revenue < medium_value)"`},
		"lists":                                  {medium, `- when: churn_risk_level in ["HIGH","MEDIUM" ] and total_orders not   in [1,2]`, `- when: churn_risk_level in ["HIGH", "MEDIUM"] and total_orders not in [1, 2]`},
		"a sign that belongs to a number":        {medium, `- when: total_revenue> - 5 and -total_revenue<-( 1 )`, `- when: total_revenue > -5 and -total_revenue < -(1)`},
		"a call":                                 {points, `points: ln (1+total_revenue)*2`, points},
		"a call with several values":             {points, `points: "min( 20 ,max(total_orders,1 ) )"`, `points: "min(20, max(total_orders, 1))"`},
		"what stands in for an empty field":      {medium, `- when: (avg_order_value??0)>50`, `- when: (avg_order_value ?? 0) > 50`},
		"one or the other":                       {medium, `- when: 'total_revenue>5?total_orders>1:false'`, `- when: 'total_revenue > 5 ? total_orders > 1 : false'`},
		"a colon without quotes would be a key":  {medium, `- when: total_revenue>5?total_orders>1:false`, `- when: total_revenue > 5 ? total_orders > 1:false`},
		"a text in an expression":                {medium, `- when: retention_status=="ACTIVE"`, `- when: retention_status == "ACTIVE"`},
		"escaped quotes":                         {medium, `- when: "retention_status==\"ACTIVE\"&&total_revenue>5"`, `- when: "retention_status == \"ACTIVE\" and total_revenue > 5"`},
		"escaped signs":                          {medium, `- when: "total_revenue\x3e5 \x26& total_orders>1"`, `- when: "total_revenue \x3e 5 and total_orders > 1"`},
		"doubled quotes":                         {medium, `- when: 'retention_status==''ACTIVE'''`, `- when: 'retention_status == ''ACTIVE'''`},
		"blanks inside of quotes":                {medium, `- when: "  total_revenue > 5 "`, `- when: "total_revenue > 5"`},
		"the lines of a block stay":              {medium, "- when: |\n        total_revenue>5\n          &&  total_orders>1\n", "- when: |\n        total_revenue > 5\n          and total_orders > 1\n"},
		"the lines of a folded block stay":       {medium, "- when: >-\n        total_revenue>5 &&\n        total_orders>1", "- when: >-\n        total_revenue > 5 and\n        total_orders > 1"},
		"the lines of a text stay":               {medium, "- when: total_revenue>5\n        and total_orders>1", "- when: total_revenue > 5\n        and total_orders > 1"},
		"a line joined by a backslash":           {medium, "- when: \"total_revenue>5 a\\\n        nd total_orders>1\"", "- when: \"total_revenue > 5 a\\\n        nd total_orders > 1\""},
		"a comment keeps its distance":           {medium, "- when: total_revenue>5     #   a>b, \"quoted\" ", "- when: total_revenue > 5     #   a>b, \"quoted\" "},
		"what is no condition is left alone":     {"do: VIP outreach + 10% loyalty incentive", "do: VIP   outreach&&more  >5", "do: VIP   outreach&&more  >5"},
		"a word that belongs to what is beside ": {medium, `- when: not(total_revenue>5)and(total_orders>1)`, `- when: not (total_revenue > 5) and (total_orders > 1)`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := shippedWith(t, "priority.yaml", tc.shipped, tc.before)
			want, err := fs.ReadFile(shippedWith(t, "priority.yaml", tc.shipped, tc.after), "priority.yaml")
			if err != nil {
				t.Fatal(err)
			}
			got := formatted(t, files)
			if diff := cmp.Diff(string(want), string(got["priority.yaml"])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// formatted gives the files as Format leaves them, and demands that a second time changes nothing.
func formatted(t *testing.T, files fs.FS) map[string][]byte {
	t.Helper()
	format := func() (rulebook.Formatted, map[string][]byte, fstest.MapFS) {
		first, err := rulebook.Format(files)
		if err != nil {
			t.Fatal(err)
		}
		all, folder := map[string][]byte{}, fstest.MapFS{}
		names, err := fs.Glob(files, "*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			if changed, has := first.Files[name]; has {
				data = changed
			}
			all[name], folder[name] = data, &fstest.MapFile{Data: data}
		}
		return first, all, folder
	}
	_, all, folder := format()
	files = folder
	if again, _, _ := format(); len(again.Changes) > 0 || len(again.Files) > 0 {
		t.Errorf("a second time changes more: %v", again.Changes)
	}
	return all
}

func TestFilesWithErrorsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fs.FS{
		"an unknown name":             shippedWith(t, "priority.yaml", "high_value}\n      do", "hihg_value, total_orders: \">5\"}\n      do"),
		"an example that cannot be":   shippedWith(t, "priority_test.yaml", "is_value_drop: no", "is_value_drop: true"),
		"a word that no spelling has": shippedWith(t, "rollout.yaml", "sends: no", "sends: never"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rulebook.Format(files)
			var findings rulebook.Findings
			if !errors.As(err, &findings) || findings.Errors() == 0 || len(got.Files) > 0 || len(got.Changes) > 0 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestYesAndNoAreSpeltAlikeInEveryFile(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	want := map[string][]byte{}
	names, err := fs.Glob(rules.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		want[name] = rulesFile(t, name).Data
		text := regexp.MustCompile(`(: +)yes([,}\n])`).ReplaceAllString(string(want[name]), "${1}true${2}")
		text = regexp.MustCompile(`(: +)no([,}\n])`).ReplaceAllString(text, "${1}False${2}")
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if diff := cmp.Diff(want, formatted(t, files)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLineEndsOfAnotherSystemStay(t *testing.T) {
	t.Parallel()
	crlf := func(before string) (fs.FS, []byte) {
		files := shippedWith(t, "priority.yaml", "when: {total_revenue: over high_value}", before)
		data, err := fs.ReadFile(files, "priority.yaml")
		if err != nil {
			t.Fatal(err)
		}
		data = []byte(strings.ReplaceAll(string(data), "\n", "\r\n"))
		folder, ok := files.(fstest.MapFS)
		if !ok {
			t.Fatal("not a folder in memory")
		}
		folder["priority.yaml"] = &fstest.MapFile{Data: data}
		return files, data
	}
	files, _ := crlf("when: total_revenue>high_value&&\n        total_orders>1")
	_, want := crlf("when: total_revenue > high_value and\n        total_orders > 1")
	if diff := cmp.Diff(string(want), string(formatted(t, files)["priority.yaml"])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFormattedRulesJudgeAlike makes up conditions and formulas in every style of writing, and judges customers by the
// rules before and after.
func TestFormattedRulesJudgeAlike(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 7))
	customers := syntheticCustomers(60, 5)
	changed := 0
	for range 80 {
		w := &writer{Rand: random}
		files := shippedWith(t, "priority.yaml", "when: {total_revenue: over high_value}", "when: "+w.scalar(w.condition(3), "        "))
		text, err := fs.ReadFile(files, "priority.yaml")
		if err != nil {
			t.Fatal(err)
		}
		folder := files.(fstest.MapFS)
		folder["priority.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(text),
			"{name: value, points: ln(1 + total_revenue) * 2, at_most: 20}", "name: value\n      at_most: 20\n      points: "+w.scalar(w.number(3), "        "), 1))}
		before, err := rulebook.Load(folder)
		if err != nil {
			continue // a score that may fall below 0, an action that nobody gets
		}
		after := fstest.MapFS{}
		for name, data := range formatted(t, folder) {
			after[name] = &fstest.MapFile{Data: data}
		}
		if string(after["priority.yaml"].Data) != string(folder["priority.yaml"].Data) {
			changed++
		}
		same(t, before, after, customers)
	}
	if changed < 20 {
		t.Errorf("only %d of the files changed: the comparison proves little", changed)
	}
}
