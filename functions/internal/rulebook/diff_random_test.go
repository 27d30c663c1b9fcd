package rulebook_test

import (
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// author writes rule files at random.
type author struct{ *rand.Rand }

func (a author) one(of ...string) string { return of[a.IntN(len(of))] }

func (a author) chance(percent int) bool { return a.IntN(100) < percent }

// cells is a condition as a map of cells.
func (a author) cells() string {
	number := func(of ...string) string {
		x, y := a.IntN(len(of)), a.IntN(len(of))
		return a.one("over "+of[x], "below "+of[x], "at least "+of[x], "up to "+of[x], "not "+of[x], of[min(x, y)]+".."+of[max(x, y)], of[x])
	}
	forms := map[string]func() string{
		"retention_status": func() string { return a.one("ACTIVE", "AT_RISK", "INACTIVE", "not ACTIVE", "[ACTIVE, AT_RISK]") },
		"churn_risk_level": func() string { return a.one("HIGH", "MEDIUM", "[HIGH, MEDIUM]", "not LOW", "LOW") },
		"days_since_last_order": func() string {
			return number("0", "15", "30", "31", "60", "90", "91", "180", "365")
		},
		"churn_risk_score":       func() string { return number("19", "20", "49", "50", "80") },
		"is_frequency_drop":      func() string { return a.one("yes", "no") },
		"is_status_inconsistent": func() string { return a.one("yes", "no") },
		"is_value_drop":          func() string { return a.one("yes", "no") },
		"total_revenue":          func() string { return number("0", "99.99", "500", "low", "1000", "high") },
		"total_orders":           func() string { return number("1", "2", "5") },
		"avg_order_value":        func() string { return a.one("empty", "not empty", "over 50", "below 50", "0..50", "not 50") },
		"median_revenue":         func() string { return a.one("over 500", "below 700") },
	}
	names := make([]string, 0, len(forms))
	for name := range forms {
		names = append(names, name)
	}
	slices.Sort(names)
	a.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var cells []string
	for _, name := range names[:1+a.IntN(3)] {
		cells = append(cells, name+": "+forms[name]())
	}
	return "{" + strings.Join(cells, ", ") + "}"
}

// when is a condition: cells, or an expression.
func (a author) when() string {
	if a.chance(60) {
		return a.cells()
	}
	return strconv.Quote(a.truth(2))
}

func (a author) truth(depth int) string {
	if depth > 0 && a.chance(60) {
		switch a.IntN(3) {
		case 0:
			return "not (" + a.truth(depth-1) + ")"
		default:
			return "(" + a.truth(depth-1) + a.one(" and ", " or ", " && ", " || ") + a.truth(depth-1) + ")"
		}
	}
	return a.one(
		"retention_status == 'ACTIVE'", "retention_status in ['AT_RISK', 'INACTIVE']", "churn_risk_level != 'LOW'",
		"days_since_last_order > "+a.one("30", "90", "30.5", "60 * 3"), "total_revenue >= "+a.one("high", "low", "750"),
		"(avg_order_value ?? 0) > 50", "avg_order_value == nil", "is_value_drop", "not is_frequency_drop",
		"total_revenue > median_revenue", "total_revenue * 2 > 1500", "total_orders > churn_risk_score", "50 <= churn_risk_score",
		"(is_value_drop ? total_orders > 2 : total_revenue > 500)", "ln(1 + total_revenue) > 6",
	)
}

// priority writes a priority.yaml.
func (a author) priority() string {
	var out strings.Builder
	fmt.Fprintf(&out, "rules: priority\nparameters:\n  low: %s\n  high: %s\ntiers:\n", a.one("250", "500.5", "1000"), a.one("1000", "1500", "2000"))
	for i := range 2 + a.IntN(4) {
		fmt.Fprintf(&out, "  - rule: r-%d\n    tier: %s\n    when: %s\n    reason: %q\n", i, a.one("P1", "P1", "P2", "P3"), a.when(),
			a.one("{retention_status} + {churn_risk_level} risk", "ACTIVE + {churn_risk_level} risk", "{retention_status} + HIGH risk",
				"gone {days_since_last_order} days", "drop {is_frequency_drop}", "above {low}"))
	}
	if mentions := a.IntN(4); mentions > 0 {
		out.WriteString("also_mention:\n")
		for range mentions {
			fmt.Fprintf(&out, "  - {when: %s, %s: %q}\n", a.when(), a.one("say", "in_brackets"),
				a.one("drop", "unsteady", "high value over {high}", "{total_orders} orders"))
		}
	}
	fmt.Fprintf(&out, "score:\n  start: {P1: %s, P2: 50, P3: %s}\n  add:\n", a.one("70", "75", "60.5"), a.one("30", "40"))
	parts := []string{
		"{name: value, points: " + a.one("ln(1 + total_revenue) * 2", "ln(1 + total_revenue) * 2", "ln(1 + total_revenue) * 3") + ", at_most: " + a.one("20", "20", "15") + "}",
		"{name: urgency, points: days_since_last_order / 3, at_most: " + a.one("10", "10", "5") + "}",
		"{name: drop, points: \"is_frequency_drop ? 2.5 : 0\"}",
	}[:2+a.IntN(2)]
	if a.chance(20) {
		parts[0], parts[1] = parts[1], parts[0]
	}
	for _, part := range parts {
		out.WriteString("    - " + part + "\n")
	}
	fmt.Fprintf(&out, "  at_most: %s\n  decimals: %s\n", a.one("100", "100", "95"), a.one("1", "1", "0"))
	fmt.Fprintf(&out, "value_proxy: {share: %s, of: total_revenue, decimals: 2}\nactions:\n", a.one("0.30", "0.30", "0.25"))
	for _, tier := range functions.Tiers {
		fmt.Fprintf(&out, "  %s:\n", tier)
		for range a.IntN(3) {
			fmt.Fprintf(&out, "    - {when: %s, do: %s}\n", a.when(), a.one("call", "mail", "offer"))
		}
		fmt.Fprintf(&out, "    - otherwise: %s\n", a.one("call", "mail", "wait"))
	}
	return out.String()
}

// edited is a file with some lines of another.
func (a author) edited(text, other string) string {
	lines, others := strings.Split(text, "\n"), strings.Split(other, "\n")
	for i, line := range lines {
		key, _, _ := strings.Cut(line, ":")
		if j := slices.IndexFunc(others, func(l string) bool { k, _, _ := strings.Cut(l, ":"); return k == key }); j >= 0 && a.chance(15) {
			lines[i] = others[j]
		}
	}
	return strings.Join(lines, "\n")
}

// book loads a priority.yaml beside a fields.yaml. There is none when the author wrote something that is refused.
func book(priority, fields string) *rulebook.Book {
	book, err := rulebook.LoadJudging(fstest.MapFS{
		"priority.yaml": &fstest.MapFile{Data: []byte(priority)}, "fields.yaml": &fstest.MapFile{Data: []byte(fields)},
	})
	if err != nil {
		return nil
	}
	return book
}

// customer is a customer at the edges of what the rules name, who keeps the facts as shipped, or any at all.
func (a author) customer(keepsFacts bool) retention.Customer {
	c := soundCustomer()
	days := map[string][]int64{"ACTIVE": {0, 14, 15, 16, 29, 30}, "AT_RISK": {31, 32, 59, 60, 61, 90}, "INACTIVE": {91, 100, 101, 179, 180, 181, 182, 365, 366, 5000}}
	scores := map[string][]int64{"LOW": {0, 19}, "MEDIUM": {20, 21, 48, 49}, "HIGH": {50, 51, 79, 80, 81, 100}}
	pick := func(of []int64) int64 { return of[a.IntN(len(of))] }
	c.RiskLevel.V = a.one("LOW", "MEDIUM", "HIGH")
	c.Status.V = a.one("ACTIVE", "AT_RISK", "INACTIVE")
	c.StatusInconsistent.V = c.Status.V == "ACTIVE" && a.chance(50)
	c.FrequencyDrop.V = c.RiskLevel.V == "HIGH" || a.chance(50)
	if c.RiskLevel.V == "MEDIUM" {
		c.Status.V, c.StatusInconsistent.V = "ACTIVE", true
	}
	c.DaysSinceLastOrder.V, c.RiskScore.V = pick(days[c.Status.V]), pick(scores[c.RiskLevel.V])
	c.ValueDrop.V = false
	if !keepsFacts {
		c.Status.V, c.ValueDrop.V = a.one("ACTIVE", "AT_RISK", "INACTIVE"), a.chance(50)
		c.DaysSinceLastOrder.V, c.RiskScore.V = a.Int64N(400), a.Int64N(101)
	}
	cents := []int64{0, 9998, 9999, 10000, 24999, 25000, 25001, 49999, 50000, 50001, 50049, 50050, 50051, 62500, 75000, 75001, 99999, 100000, 100001, 150000, 150001, 200000, 200001, 10_000_000}
	c.TotalRevenue.V = functions.Money{Decimal: decimal.New(pick(cents), -2)}
	c.TotalOrders.V = pick([]int64{1, 2, 3, 5, 6, 90})
	c.AvgOrderValue.V = functions.Money{Decimal: decimal.New(pick([]int64{0, 4999, 5000, 5001, 100000}), -2)}
	c.AvgOrderValue.Valid = a.chance(75)
	return c
}

// TestDifferencesAgainstBruteForce writes pairs of rule books at random and judges customers by both. A customer moves
// exactly when it lies in a region that is told, and in none of another move; who keeps the tier gets another rule or
// action exactly as told, another reason only where one is told, and another score only within the range that is told.
func TestDifferencesAgainstBruteForce(t *testing.T) {
	t.Parallel()
	shipped, err := fs.ReadFile(rules.FS, "fields.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a := author{rand.New(rand.NewPCG(20261122, 5))}
	var counts struct{ pairs, untold, moved, kept, same, approximate int }
	pairs := 100
	if testing.Short() {
		pairs = 30
	}
	for range pairs {
		text := a.priority()
		other := a.priority()
		if a.chance(70) {
			other = a.edited(text, other)
		}
		fields := [2]string{string(shipped), string(shipped)}
		keepsFacts := true
		if a.chance(20) { // another vocabulary
			fields[a.IntN(2)] = strings.NewReplacer(
				"max: 36500", a.one("max: 36500", "max: 200"), "max: 1000000,", "max: 80,",
				"may_be_empty: yes", a.one("may_be_empty: yes", "may_be_empty: no")).Replace(string(shipped))
		}
		if a.chance(20) { // nothing is known of the customers
			before, _, _ := strings.Cut(string(shipped), "\nfacts:")
			fields[a.IntN(2)], keepsFacts = before+"\n", false
		}
		before, after := book(text, fields[0]), book(other, fields[1])
		if before == nil || after == nil {
			continue
		}
		counts.pairs++
		d := rulebook.Diff(before, after)
		if slices.ContainsFunc(d.Notes, func(n string) bool { return !strings.Contains(n, "taken apart") }) {
			counts.untold++
			continue
		}
		if len(d.Notes) > 0 {
			counts.approximate++
		}
		if d.Same {
			counts.same++
		}
		median := money(t, a.one("500", "625", "1000"))
		holds := &holding{t: t, d: d, before: before.NewJudge(median), after: after.NewJudge(median), locator: rulebook.NewLocator(median), median: median}
		for range 200 {
			c := a.customer(keepsFacts || a.chance(30))
			was, is := before.Vet(&c) == nil, after.Vet(&c) == nil
			if !was && !is {
				continue
			}
			switch holds.check(&c, was, is) {
			case moved:
				counts.moved++
			case kept:
				counts.kept++
			}
			if t.Failed() {
				t.Fatalf("customer %+v\nbefore:\n%s\nafter:\n%s\ntold:\n%s", c, text, other, told(d))
			}
		}
	}
	t.Logf("%+v", counts)
	if counts.pairs < pairs/2 || counts.moved < counts.pairs || counts.kept < counts.pairs || counts.same == 0 || counts.untold > counts.pairs/10 {
		t.Errorf("the random books try too little: %+v", counts)
	}
}

// What became of a customer.
const (
	moved = iota
	kept
	neither
)

// holding holds a difference against what two judges say.
type holding struct {
	t             *testing.T
	d             *rulebook.BookDiff
	before, after *rulebook.Judge
	locator       *rulebook.Locator
	median        functions.Money
}

func (h *holding) check(c *retention.Customer, was, is bool) int {
	h.t.Helper()
	from, to := rulebook.PlaceSetAside, rulebook.PlaceSetAside
	var before, after rulebook.Verdict
	if was {
		before = h.verdict(h.before, c)
		from = rulebook.PlaceOf(before.Tier)
	}
	if is {
		after = h.verdict(h.after, c)
		to = rulebook.PlaceOf(after.Tier)
	}
	h.locator.Look(c)
	in := func(r *rulebook.Region) bool {
		holds := h.locator.In(r)
		if read := h.read(r, c); read != holds {
			h.t.Errorf("%q read as text holds the customer: %t, as a region: %t", r.Where, read, holds)
		}
		return holds
	}
	told := false
	for i := range h.d.Moves {
		if m := &h.d.Moves[i]; in(&m.Region) {
			told = true
			if m.From != from || m.To != to {
				h.t.Errorf("went from %s to %s, and lies in %s -> %s: %s", from, to, m.From, m.To, m.Where)
			}
		}
	}
	if told != (from != to) {
		h.t.Errorf("went from %s to %s, and told: %t", from, to, told)
	}
	switch {
	case from != to:
		return moved
	case before.Tier == "":
		return neither
	}
	h.checkKept(before, after, in)
	return kept
}

func (h *holding) verdict(judge *rulebook.Judge, c *retention.Customer) rulebook.Verdict {
	h.t.Helper()
	verdict, err := judge.Judge(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return verdict
}

// checkKept compares two verdicts that give the same tier.
func (h *holding) checkKept(before, after rulebook.Verdict, in func(*rulebook.Region) bool) {
	h.t.Helper()
	told := map[string]string{}
	for i := range h.d.Changes {
		if c := &h.d.Changes[i]; (c.Tier == "" || c.Tier == before.Tier) && in(&c.Region) {
			if was, twice := told[c.What]; twice && c.What != rulebook.ChangeMention && was != c.Before+" -> "+c.After {
				h.t.Errorf("%s changes in two ways: %s, and %s -> %s", c.What, was, c.Before, c.After)
			}
			told[c.What] = c.Before + " -> " + c.After
		}
	}
	for what, texts := range map[string][2]string{
		rulebook.ChangeRule: {before.RuleID, after.RuleID}, rulebook.ChangeAction: {before.Action, after.Action},
	} {
		want := ""
		if texts[0] != texts[1] {
			want = texts[0] + " -> " + texts[1]
		}
		if told[what] != want {
			h.t.Errorf("%s: told %q, want %q", what, told[what], want)
		}
	}
	_, reason := told[rulebook.ChangeReason]
	_, mention := told[rulebook.ChangeMention]
	_, order := told[rulebook.ChangeOrder]
	if before.Reason != after.Reason && !reason && !mention && !order {
		h.t.Errorf("the reason changes untold: %q, %q", before.Reason, after.Reason)
	}
	if before.Reason == after.Reason && reason != mention && !order {
		h.t.Errorf("the reason stays %q, and a change is told", before.Reason)
	}
	if _, value := told[rulebook.ChangeValue]; !value && !before.ValueProxy.Equal(after.ValueProxy) {
		h.t.Errorf("the value changes untold: %s, %s", before.ValueProxy, after.ValueProxy)
	}
	low, high := 0.0, 0.0
	for _, m := range h.d.ScoreMoves {
		if m.Tier == before.Tier {
			low, high = m.Lowest, m.Highest
		}
	}
	if move := after.Score - before.Score; move < low-1e-9 || move > high+1e-9 {
		h.t.Errorf("the score moves by %g, told is %g to %g", move, low, high)
	}
	if h.d.Same && (before.Action != after.Action || before.Reason != after.Reason || before.Score != after.Score) {
		h.t.Errorf("told to be the same: %+v, %+v", before, after)
	}
}

// read reads the words of a region, as a person does, and tells whether they hold the customer.
func (h *holding) read(r *rulebook.Region, c *retention.Customer) bool {
	for _, condition := range r.Conditions {
		number := math.NaN()
		word := ""
		switch condition.Name {
		case "retention_status":
			word = c.Status.V
		case "churn_risk_level":
			word = c.RiskLevel.V
		case "is_frequency_drop":
			word = yes(c.FrequencyDrop.V)
		case "is_status_inconsistent":
			word = yes(c.StatusInconsistent.V)
		case "is_value_drop":
			word = yes(c.ValueDrop.V)
		case "days_since_last_order":
			number = float64(c.DaysSinceLastOrder.V)
		case "churn_risk_score":
			number = float64(c.RiskScore.V)
		case "total_orders":
			number = float64(c.TotalOrders.V)
		case "total_revenue":
			number = c.TotalRevenue.V.InexactFloat64()
		case "median_revenue":
			number = h.median.InexactFloat64()
		case "avg_order_value":
			if word = "empty"; c.AvgOrderValue.Valid {
				number = c.AvgOrderValue.V.InexactFloat64()
			}
		default: // a comparison of fields; the locator asks it of the program
			continue
		}
		if !slices.ContainsFunc(strings.Split(condition.Is, " or "), func(phrase string) bool { return fits(phrase, word, number) }) {
			return false
		}
	}
	for _, condition := range r.Conditions {
		if strings.ContainsAny(condition.Name, " (") {
			return h.locator.In(r) // all else holds, so that the comparison decides
		}
	}
	return true
}

func yes(truth bool) string {
	if truth {
		return "yes"
	}
	return "no"
}

// fits reads one phrase of a cell.
func fits(phrase, word string, number float64) bool {
	if math.IsNaN(number) {
		return phrase == word
	}
	for part := range strings.SplitSeq(phrase, " and ") {
		low, high, isRange := strings.Cut(part, "..")
		parsed := func(text string) float64 {
			parsed, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return math.NaN()
			}
			return parsed
		}
		var holds bool
		switch {
		case part == "not empty":
			holds = true
		case strings.HasPrefix(part, "not "):
			holds = number != parsed(part[4:])
		case isRange:
			holds = number >= parsed(low) && number <= parsed(high)
		case strings.HasPrefix(part, "over "):
			holds = number > parsed(part[5:])
		case strings.HasPrefix(part, "at least "):
			holds = number >= parsed(part[9:])
		case strings.HasPrefix(part, "below "):
			holds = number < parsed(part[6:])
		case strings.HasPrefix(part, "up to "):
			holds = number <= parsed(part[6:])
		default:
			holds = number == parsed(part)
		}
		if !holds {
			return false
		}
	}
	return true
}
