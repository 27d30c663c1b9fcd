package rulebook

import (
	"fmt"
	"math"
	"strings"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Explanation is the receipt of a verdict, as callers get it.
type Explanation functions.Explanation

// Explain gives the receipt of the verdict on a customer. Its figures are those of the judge, to the last digit: a
// receipt that gave another verdict would be an error of the program and is not handed out. A customer that cannot be
// judged is explained by its faults.
func (b *Book) Explain(c *retention.Customer, medianRevenue functions.Money) (Explanation, error) {
	x := &explainer{book: b, customer: c, median: medianRevenue}
	e := Explanation{
		CustomerID: c.ID, Origin: functions.OriginGiven, RulesVersion: b.version, MedianRevenue: medianRevenue, Signals: x.signals(),
		SetAside: []functions.CustomerFault{}, Rules: []functions.AskedRule{}, Changes: []functions.TierChange{},
		Differences: []functions.StoredDifference{},
	}
	for _, fault := range b.Vet(c) {
		e.SetAside = append(e.SetAside, functions.CustomerFault{Issue: fault.Issue, Meaning: fault.Meaning})
	}
	if len(e.SetAside) > 0 {
		return e, nil
	}
	x.row.MedianRevenue = nearestFloat(medianRevenue)
	x.row.fill(c)
	first, err := x.rules(&e)
	if err != nil {
		return Explanation{}, err
	}
	verdict, err := b.NewJudge(medianRevenue).Judge(c)
	if err != nil {
		return Explanation{}, err
	}
	if first != nil {
		if err := x.receipts(&e, first, verdict); err != nil {
			return Explanation{}, err
		}
	}
	if !e.gives(verdict) {
		return Explanation{}, fmt.Errorf("explain by rules %s: the receipt does not come to the judge's verdict: %+v", b.version, verdict)
	}
	e.Changes, err = x.changes(e.Tier)
	return e, err
}

// gives tells whether the receipt comes to the verdict, to the last digit.
func (e *Explanation) gives(v Verdict) bool {
	if v.Tier == "" || e.Tier == "" {
		return v.Tier == e.Tier && e.Score == nil
	}
	return e.Tier == v.Tier && e.RuleID == v.RuleID && e.Score.Score == v.Score && e.Reason.Text == v.Reason &&
		e.Action.Text == v.Action && e.ValueProxy.Value.Equal(v.ValueProxy.Money().Decimal)
}

// explainer asks a book about one customer, part by part. It asks expr's machine, which is what an expression means.
type explainer struct {
	book     *Book
	customer *retention.Customer
	median   functions.Money
	machine  vm.VM
	row      row
}

// signals are all fields of the customer with their values.
func (x *explainer) signals() []functions.NamedValue {
	values := []functions.NamedValue{}
	for _, f := range x.book.vocabulary.fields {
		if !f.isStatistic() {
			values = append(values, functions.NamedValue{Name: f.name, Value: x.valueOf(f)})
		}
	}
	return values
}

// rules asks every rule and gives the first that fits.
func (x *explainer) rules(e *Explanation) (first *rule, err error) {
	for _, r := range x.book.priority.rules {
		asked := functions.AskedRule{Rule: r.id, Tier: r.tier, File: r.label.doc.file, Line: r.label.node.Line}
		if asked.Fits, asked.Conditions, err = x.ask(r.when); err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.id, err)
		}
		if asked.Fits && first == nil {
			first, asked.Gives = r, true
			e.Tier, e.RuleID = r.tier, r.id
		}
		e.Rules = append(e.Rules, asked)
	}
	return first, nil
}

// receipts works out what follows from the rule that gave the tier.
func (x *explainer) receipts(e *Explanation, r *rule, verdict Verdict) error {
	var err error
	if e.Score, err = x.score(r.tier); err != nil {
		return err
	}
	e.Reason = &functions.ReasonReceipt{Text: verdict.Reason, Mentions: []functions.AskedMention{}}
	for i := range x.book.priority.mentions {
		m := &x.book.priority.mentions[i]
		asked := functions.AskedMention{Say: m.say.text(), Line: m.when.where.node.Line}
		if asked.Fits, asked.Conditions, err = x.ask(m.when); err != nil {
			return err
		}
		e.Reason.Mentions = append(e.Reason.Mentions, asked)
	}
	if e.Action, err = x.action(r.tier); err != nil {
		return err
	}
	share := &x.book.priority.share
	amount := share.of.amount(x.customer).V
	e.ValueProxy = &functions.ValueReceipt{
		Share: functions.Money{Decimal: share.share}, Of: share.of.name, Amount: amount, Decimals: int(share.decimals),
		Value: share.shareOf(amount).Money(),
	}
	return nil
}

// score adds up the score in the order of the file, as the judge does.
func (x *explainer) score(tier functions.Tier) (*functions.ScoreReceipt, error) {
	s := &x.book.priority.score
	receipt := &functions.ScoreReceipt{
		Start: s.start[tier], Parts: []functions.ScorePart{}, AtMost: s.atMost, Decimals: s.decimals,
	}
	receipt.Sum = receipt.Start
	for i := range s.parts {
		part := &s.parts[i]
		points, err := part.points.number(&x.machine, &x.row)
		if err != nil {
			return nil, err
		}
		line := functions.ScorePart{
			Name: part.name, Formula: inOneLine(part.points.text), Filled: inOneLine(x.filled(part.points.text)),
			Points: points, Added: min(points, part.atMost), Line: part.points.where.node.Line,
		}
		if !math.IsInf(part.atMost, 1) {
			line.AtMost = &part.atMost
		}
		receipt.Parts = append(receipt.Parts, line)
		receipt.Sum += line.Added
	}
	receipt.Capped = receipt.Sum > s.atMost
	receipt.Score = roundTo(min(receipt.Sum, s.atMost), s.decimals)
	return receipt, nil
}

// action asks the lines of a tier until one fits.
func (x *explainer) action(tier functions.Tier) (*functions.ActionReceipt, error) {
	receipt := &functions.ActionReceipt{}
	for _, a := range x.book.priority.actions[tier] {
		asked := functions.AskedAction{
			Do: a.do, Line: a.label.node.Line, Fits: true, Otherwise: a.when == nil, Conditions: []functions.Condition{},
		}
		var err error
		if a.when != nil {
			if asked.Fits, asked.Conditions, err = x.ask(a.when); err != nil {
				return nil, err
			}
		}
		receipt.Lines = append(receipt.Lines, asked)
		if asked.Fits {
			receipt.Text = a.do
			return receipt, nil
		}
	}
	return nil, fmt.Errorf("tier %s has no action that fits everyone", tier)
}

// text is the template as the file says it, but for parameters, whose numbers stand in it.
func (t template) text() string {
	var text strings.Builder
	for _, p := range t.pieces {
		if p.field != nil {
			text.WriteString("{" + p.field.name + "}")
		}
		text.WriteString(p.text)
	}
	return text.String()
}
