package mcp

import (
	"context"
	"strings"
	"unicode"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// campaign is what a plan of a campaign is made from. What the reader has written stands in it as data, beside the
// figures, and nowhere in the instruction.
type campaign struct {
	Tier     functions.Tier     `json:"tier"`
	Date     functions.Date     `json:"date"`
	Budget   string             `json:"budget,omitempty"`
	Goal     string             `json:"goal,omitempty"`
	Severity functions.Severity `json:"severity"`
	Currency string             `json:"currency,omitempty"`

	Size         *functions.TierTotal    `json:"size,omitempty"`
	SizeUnknown  string                  `json:"size_unknown_because,omitempty"`
	TopCustomers []functions.TopCustomer `json:"top_customers"`
	Brief        string                  `json:"brief"`
	RulesVersion string                  `json:"rules_version"`
}

func (g *Gateway) planCampaign(ctx context.Context, arguments map[string]string) (*mcpgo.GetPromptResult, error) {
	date, err := dateOf(arguments)
	if err != nil {
		return nil, err
	}
	// The input of an export knows which tiers there are, and says so.
	tier := functions.Tier(arguments["tier"])
	if err := (functions.ExportAudienceInput{Tier: tier}).Check(); err != nil {
		return nil, err
	}
	about := campaign{Tier: tier, Budget: quoted(arguments["budget"]), Goal: quoted(arguments["goal"]), TopCustomers: []functions.TopCustomer{}}
	if err := g.fill(ctx, &about, date); err != nil {
		return nil, err
	}
	record, err := jsonText("retention://campaign/"+about.Date.String()+"/"+string(tier), about)
	if err != nil {
		return nil, err
	}
	const text = `Draft a retention campaign for the customers of one tier. The record that follows says which tier and day, how many customers it
has and what is at stake, the first of them with reasons and proposed actions, the brief of the day, and what the reader wrote as budget
and goal.` + onlyData + ` Use only its figures.
1. Whom it is about, how many, and why they are in this tier.
2. What to offer and through which channel, in up to three variants; one for each proposed action where they differ.
3. What each costs against what is at stake, and whether it fits the budget. Say which assumption each figure rests on. The value at
   stake is an estimate and no forecast.
4. How to see in two to four weeks whether it worked: a control group, the measure, and when to stop.
5. What a person has to decide. Propose; start nothing, export nothing, send nothing.`
	return instruct("Plan a campaign", text, record), nil
}

// fill reads what is known of the tier on the day. The tables of customers hold the newest day alone: of another one the
// brief of its run is all there is.
func (g *Gateway) fill(ctx context.Context, about *campaign, date functions.DateRef) error {
	var brief functions.GenerateBriefOutput
	if err := g.ask(ctx, functions.GenerateBrief, functions.GenerateBriefInput{Date: date, Format: functions.FormatMarkdown}, &brief, unheard); err != nil {
		return err
	}
	about.Date, about.Severity, about.Currency = brief.Date, brief.Severity, brief.Currency
	about.Brief, about.RulesVersion = beginning(brief.Text, maxResult/2), brief.RulesVersion
	for _, customer := range brief.TopCustomers {
		if customer.Tier == about.Tier {
			about.TopCustomers = append(about.TopCustomers, customer)
		}
	}
	var sizes functions.GetOperationalContextOutput
	err := g.ask(ctx, functions.GetOperationalContext, functions.GetOperationalContextInput{Date: functions.DateRef(brief.Date.String())}, &sizes, unheard)
	if code := functions.CodeOf(err); err != nil && (code == functions.FailedPrecondition || code == functions.NotFound) {
		about.SizeUnknown = functions.ProblemOf(err, "").Detail
		return nil
	}
	if err != nil {
		return err
	}
	for _, total := range sizes.TierPreview {
		if total.Tier == about.Tier {
			about.Size = &total
		}
	}
	return nil
}

// quoted is what a reader has written: one line of bounded length.
func quoted(text string) string {
	const longest = 500
	line := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	if runes := []rune(line); len(runes) > longest {
		line = string(runes[:longest]) + "…"
	}
	return strings.TrimSpace(line)
}
