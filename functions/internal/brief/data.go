package brief

import (
	"math"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Data is everything that a template can reach: plain values, most of them texts, and nothing that could act. Texts
// that come from the customers' data stand here as they are; they are escaped where a template writes them, for the
// format it writes, so that no author of a template has to think of it.
//
// The doc tags are the vocabulary table in brief_templates/README.md.
type Data struct {
	Date         string     `doc:"the day of the alert, such as 2026-01-12"`
	Severity     string     `doc:"INFO, WARNING or CRITICAL"`
	ActionNeeded bool       `doc:"true when the alert calls for a playbook; false on an INFO day"`
	Decision     string     `doc:"the decision in one sentence"`
	Phase        string     `doc:"shadow, pilot, production or disabled"`
	PhaseNote    string     `doc:"what the phase means for this brief, such as 'Shadow: nothing was sent.'; empty in production"`
	Mention      Mention    `doc:"whom the Slack message notifies, as rules/playbooks.yaml says; empty when it notifies nobody"`
	Metrics      Metrics    `doc:"the figures of the alert"`
	Customers    Count      `doc:"all customers, those set aside included; 0 when they were not read"`
	Statuses     []Group    `doc:"the customers by status: ACTIVE, AT_RISK, INACTIVE"`
	AtRisk       Count      `doc:"customers whose status is AT_RISK"`
	AtRiskByRisk []Group    `doc:"the AT_RISK customers by risk level: HIGH, MEDIUM, LOW; shares are of all AT_RISK customers"`
	Tiers        []Tier     `doc:"the priority queue: P1, P2, P3"`
	Queue        Count      `doc:"customers in all tiers together"`
	QueueValue   Amount     `doc:"their value at stake together, an estimate"`
	ToDo         []string   `doc:"what to do now, from rules/playbooks.yaml; empty on an INFO day"`
	AnswerWithin string     `doc:"when an answer is due, such as '24 hours'; empty on an INFO day"`
	Ticket       Ticket     `doc:"the ticket that the playbook opens; empty when this phase opens none"`
	Dashboard    URL        `doc:"the dashboard; empty when rules/playbooks.yaml names none"`
	Exports      []Export   `doc:"the audience files; empty when nothing was exported"`
	SetAside     Count      `doc:"customers that could not be judged and are in no tier"`
	DataIssues   []Issue    `doc:"what is wrong in the data"`
	Guardrails   Guardrails `doc:"what the guardrails say"`
	Notes        []string   `doc:"anything else a reader must know, such as an export that stood in for another"`
	RulesVersion string     `doc:"which rules judged"`
	RunID        string     `doc:"the playbook run; empty when the brief was asked for outside a run"`
}

// Metrics are the figures of the alert.
type Metrics struct {
	Current      Percent `doc:"share of AT_RISK customers on the day"`
	HasBaseline  bool    `doc:"false in the first seven days: then Baseline and Delta mean nothing"`
	Baseline     Percent `doc:"mean share of the seven days before"`
	Delta        Change  `doc:"relative change against the baseline, with its sign"`
	SampleSize   Count   `doc:"customers counted"`
	WarningFrom  Change  `doc:"WARNING from this change on"`
	CriticalFrom Change  `doc:"CRITICAL from this change on"`
}

// Group is a number of customers that have something in common.
type Group struct {
	Name      string  `doc:"the word they share, such as AT_RISK or HIGH"`
	Customers Count   `doc:"how many they are"`
	Share     Percent `doc:"their share of the whole"`
}

// Tier is a tier of the queue.
type Tier struct {
	Name       string     `doc:"P1, P2 or P3"`
	Purpose    string     `doc:"Prevention, Intervention or Win-back"`
	Customers  Count      `doc:"customers in the tier"`
	Value      Amount     `doc:"value at stake in the tier, an estimate"`
	InPlaybook bool       `doc:"whether the playbook of this severity exports the tier"`
	Actions    []Action   `doc:"the recommended actions, most frequent first"`
	Top        []Customer `doc:"the first customers of the tier; how many is set in rules/playbooks.yaml"`
}

// Action is a recommended action with the customers it is for.
type Action struct {
	Text      string `doc:"the action in words"`
	Customers Count  `doc:"for how many customers"`
}

// Customer is one of the first of a tier.
type Customer struct {
	Rank   int    `doc:"place in the tier, from 1"`
	ID     string `doc:"the customer id; empty unless rules/playbooks.yaml says show_customer_ids: yes"`
	Value  Amount `doc:"value at stake, an estimate"`
	Score  Score  `doc:"priority score, 0 to 100"`
	Reason string `doc:"why the customer is here, in words"`
	Action string `doc:"the recommended action"`
	Days   Count  `doc:"days since the last order"`
}

// Ticket is the ticket that a playbook opens.
type Ticket struct {
	Type     string `doc:"such as Task; empty when the phase opens no ticket"`
	Priority string `doc:"such as High"`
	Title    string `doc:"its title, date and severity filled in"`
}

// Export is where a tier's audience lies.
type Export struct {
	Tier string `doc:"P1, P2 or P3"`
	Rows Count  `doc:"customers in the file; -1 when it was there before and nobody counted"`
	URL  URL    `doc:"where it lies"`
}

// Issue is one kind of fault in the data.
type Issue struct {
	Name      string `doc:"stable word for the fault"`
	Customers Count  `doc:"how many customers have it; one customer can have several"`
	Meaning   string `doc:"the fault in words"`
}

// Guardrails is the guardrails' verdict and what led to it.
type Guardrails struct {
	Verdict    string             `doc:"ok, warn or stop; empty when they were not asked"`
	Stopped    bool               `doc:"true when the verdict is stop and nobody has passed it"`
	Findings   []GuardrailFinding `doc:"the guardrails that spoke"`
	Overridden string             `doc:"who passed a stop, and why; empty when nobody did"`
}

// GuardrailFinding is one guardrail that spoke.
type GuardrailFinding struct {
	Guardrail string `doc:"its name in rules/playbooks.yaml"`
	Verdict   string `doc:"warn or stop"`
	Message   string `doc:"the figure and the limit in words"`
}

// Count is a number of things. It is written with thousands separators: 1,222.
type Count int64

// String is how a template writes it.
func (c Count) String() string {
	sign, digits := "", strconv.FormatInt(int64(c), 10)
	if c < 0 {
		sign, digits = "-", digits[1:]
	}
	return sign + group(digits)
}

// Percent is a share in percent. It is written with one or two decimals: 25.2%, 28.17%.
type Percent float64

// String is how a template writes it.
func (p Percent) String() string { return decimals(float64(p)) + "%" }

// Change is a relative change in percent. It is written with its sign: +17.8%.
type Change float64

// String is how a template writes it.
func (c Change) String() string {
	text := decimals(float64(c))
	if c >= 0 {
		text = "+" + text
	}
	return text + "%"
}

// Score is a priority score from 0 to 100. It is written with one decimal: 94.5.
type Score float64

// String is how a template writes it.
func (s Score) String() string { return strconv.FormatFloat(float64(s), 'f', 1, 64) }

// Amount is an amount of money, ready to read: €12,340.50. It is a text and was never a float.
type Amount string

// URL is an address that a brief shows. Written into a template it can neither end a link nor begin another one.
type URL string

// Web says whether the address can be opened in a browser: http or https.
func (u URL) Web() bool {
	return strings.HasPrefix(string(u), "https://") || strings.HasPrefix(string(u), "http://")
}

// Mention is whom a Slack message notifies: "", "here" or "channel".
type Mention string

// decimals writes a figure with one or two decimals: 14.96 must not be read as 15.0 beside a threshold of 15.
func decimals(value float64) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "?"
	}
	text := strings.TrimSuffix(strconv.FormatFloat(value, 'f', 2, 64), "0")
	if text == "-0.0" {
		return "0.0"
	}
	return text
}

// symbols are the currencies that are written by a sign; others by their code.
var symbols = map[string]string{"EUR": "€", "USD": "$", "GBP": "£"}

// money writes an amount with two decimals, exactly rounded, in a currency named by its ISO 4217 code.
func money(currency string, amount functions.Money) Amount {
	sign, text := "", amount.StringFixed(2)
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	whole, cents, _ := strings.Cut(text, ".")
	text = group(whole) + "." + cents
	if symbol, known := symbols[currency]; known {
		return Amount(sign + symbol + text)
	}
	return Amount(strings.TrimSpace(currency + " " + sign + text))
}

// group puts a comma between the thousands of a row of digits.
func group(digits string) string {
	var text strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			text.WriteByte(',')
		}
		text.WriteRune(digit)
	}
	return text.String()
}
