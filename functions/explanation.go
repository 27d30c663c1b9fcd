package functions

// Origin says where the customer of an explanation was read.
type Origin string

// The origins.
const (
	OriginQueue  Origin = "queue"  // a row of customer_priority, explained by the rules that made it
	OriginTables Origin = "tables" // the input tables, judged by the present rules
	OriginGiven  Origin = "given"  // handed over by the caller, judged by the present rules
)

// Origins lists every origin.
var Origins = []Origin{OriginQueue, OriginTables, OriginGiven}

// Explanation is the receipt of a verdict on one customer: every rule asked with what it saw, every part of the score
// with its figures, and what each text was made of. Its figures are those of the verdict, to the last digit.
type Explanation struct {
	CustomerID    string             `json:"customer_id"`
	Date          *Date              `json:"date" jsonschema:"day of the row or of the data; null for a customer that was given"`
	Origin        Origin             `json:"origin" jsonschema:"where the customer was read"`
	RulesVersion  string             `json:"rules_version"`
	MedianRevenue Money              `json:"median_revenue" jsonschema:"median total_revenue that the rules compared with"`
	Signals       []NamedValue       `json:"signals" jsonschema:"what is known of the customer"`
	Excluded      bool               `json:"excluded" jsonschema:"on the exclusion list: in no tier but that of a row made before it"`
	SetAside      []CustomerFault    `json:"set_aside" jsonschema:"why the customer cannot be judged; nothing else follows then"`
	Tier          Tier               `json:"tier,omitempty" jsonschema:"absent when no rule fits"`
	RuleID        string             `json:"rule_id,omitempty" jsonschema:"the rule that gave the tier"`
	Rules         []AskedRule        `json:"rules" jsonschema:"every rule in order; the first that fits gives the tier"`
	Score         *ScoreReceipt      `json:"score,omitempty"`
	Reason        *ReasonReceipt     `json:"reason,omitempty"`
	Action        *ActionReceipt     `json:"action,omitempty"`
	ValueProxy    *ValueReceipt      `json:"value_proxy,omitempty"`
	Changes       []TierChange       `json:"changes" jsonschema:"the smallest changes that would give another tier, as far as they can be proven"`
	Differences   []StoredDifference `json:"differences" jsonschema:"where the stored row says otherwise than its own rules"`
}

// NamedValue is a field or a parameter with its value as a person reads it.
type NamedValue struct {
	Name  string `json:"name"`
	Value string `json:"value" jsonschema:"as a person reads it; empty stands for nothing there"`
}

// CustomerFault is why a customer cannot be judged.
type CustomerFault struct {
	Issue   string `json:"issue"`
	Meaning string `json:"meaning"`
}

// Condition is one part of what a rule, a mention or an action asks.
type Condition struct {
	Text  string       `json:"condition" jsonschema:"as the rule file says it"`
	Holds *bool        `json:"holds" jsonschema:"null when it was not asked: an earlier part that guards it does not hold"`
	Shown string       `json:"shown" jsonschema:"the same with its values filled in"`
	Saw   []NamedValue `json:"saw" jsonschema:"the values that it saw"`
}

// AskedRule is a rule and what came of asking it.
type AskedRule struct {
	Rule       string      `json:"rule"`
	Tier       Tier        `json:"tier"`
	File       string      `json:"file"`
	Line       int         `json:"line"`
	Fits       bool        `json:"fits"`
	Gives      bool        `json:"gives" jsonschema:"it gave the tier: it is the first that fits"`
	Conditions []Condition `json:"conditions" jsonschema:"all must hold"`
}

// ScoreReceipt adds up the score.
type ScoreReceipt struct {
	Start    float64     `json:"start" jsonschema:"what the tier starts with"`
	Parts    []ScorePart `json:"parts"`
	Sum      float64     `json:"sum" jsonschema:"start and parts"`
	AtMost   float64     `json:"at_most"`
	Capped   bool        `json:"capped" jsonschema:"the sum was above at_most"`
	Decimals int         `json:"decimals" jsonschema:"digits that it is rounded to, half away from zero"`
	Score    float64     `json:"score"`
}

// ScorePart is one addition to the score.
type ScorePart struct {
	Name    string   `json:"name"`
	Formula string   `json:"formula" jsonschema:"as the rule file says it"`
	Filled  string   `json:"filled" jsonschema:"the formula with its values filled in"`
	Points  float64  `json:"points" jsonschema:"what the formula gives"`
	AtMost  *float64 `json:"at_most" jsonschema:"null when there is no cap"`
	Added   float64  `json:"added" jsonschema:"the points after the cap"`
	Line    int      `json:"line"`
}

// ReasonReceipt says what the reason was made of.
type ReasonReceipt struct {
	Text     string         `json:"text"`
	Mentions []AskedMention `json:"mentions"`
}

// AskedMention is a mention and what came of asking it.
type AskedMention struct {
	Say        string      `json:"say" jsonschema:"as the rule file says it"`
	Line       int         `json:"line"`
	Fits       bool        `json:"fits"`
	Conditions []Condition `json:"conditions"`
}

// ActionReceipt says which line gave the action.
type ActionReceipt struct {
	Text  string        `json:"text"`
	Lines []AskedAction `json:"lines" jsonschema:"the lines asked, in order; the last one gave the action"`
}

// AskedAction is a line of the actions and what came of asking it.
type AskedAction struct {
	Do         string      `json:"do"`
	Line       int         `json:"line"`
	Fits       bool        `json:"fits"`
	Otherwise  bool        `json:"otherwise" jsonschema:"it fits whomever no earlier line fits"`
	Conditions []Condition `json:"conditions"`
}

// ValueReceipt works out the value at stake.
type ValueReceipt struct {
	Share    Money  `json:"share"`
	Of       string `json:"of" jsonschema:"the field that it is a share of"`
	Amount   Money  `json:"amount" jsonschema:"what that field holds"`
	Decimals int    `json:"decimals"`
	Value    Money  `json:"value"`
}

// TierChange is a change of a customer that would give another tier.
type TierChange struct {
	If   string `json:"if" jsonschema:"what would have to be otherwise"`
	Tier Tier   `json:"tier,omitempty" jsonschema:"absent when there would be no tier"`
}

// StoredDifference is one thing that a stored row says otherwise than the rules that it names.
type StoredDifference struct {
	What   string `json:"what"`
	Stored string `json:"stored"`
	Rules  string `json:"rules"`
}

// RuleFiles are the rule files that judge, as they are deployed or as they were kept.
type RuleFiles struct {
	RulesVersion string     `json:"rules_version"`
	Files        []RuleFile `json:"files"`
}

// RuleText is what the rules say, in words: as deployed everything, of a kept version what judges.
type RuleText struct {
	RulesVersion string `json:"rules_version"`
	Text         string `json:"text" jsonschema:"Markdown"`
}

// RuleFile is one rule file.
type RuleFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}
