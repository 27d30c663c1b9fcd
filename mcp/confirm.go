package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

const (
	confirmTime = 5 * time.Minute // how long a question may be answered
	question    = "confirm"       // the one question, by its key
	approve     = "approve"       // its one field

	// stopGrace is what a confirmed call still has when the program is about to end: to write down how far it came.
	stopGrace = 4 * time.Second
)

// askAgain tells what to do about a confirmation that does not hold.
const askAgain = "call the tool again without confirm_token: it shows what would happen now and asks anew"

// confirming is a call that needs a confirmation, on its way to one.
type confirming struct {
	*Gateway
	form    *offered
	request mcpgo.CallToolRequest
	told    *entry
	report  func(functions.Progress)
	deed    deed
}

// confirm takes a call that needs a confirmation as far as it may go: it asks, or does what was confirmed, or learns that
// somebody said no. Nothing is remembered between the two calls: what was asked travels with the client, sealed.
func (c *confirming) confirm(ctx context.Context, token string) (*mcpgo.CallToolResult, error) {
	switch {
	case c.request.Params.RequestState != "":
		return c.answered(ctx)
	case token != "" && c.config.RequireHuman.on():
		return nil, functions.Errorf(functions.PermissionDenied, "a confirm_token is not enough here: a person must confirm").
			WithHint(askAgain)
	case token != "":
		given, settled, err := c.redeem(ctx, asToken, token)
		if err != nil {
			return nil, err
		}
		return c.do(ctx, given, settled)
	default:
		return c.propose(ctx)
	}
}

// answered looks at what a person said.
func (c *confirming) answered(ctx context.Context) (*mcpgo.CallToolResult, error) {
	given, settled, err := c.redeem(ctx, asState, c.request.Params.RequestState)
	if err != nil {
		return nil, err
	}
	answer := server.ElicitationResponse(c.request.Params.InputResponses, question)
	if answer == nil {
		return c.propose(ctx)
	}
	content, _ := answer.Content.(map[string]any)
	switch {
	case answer.Action == mcpgo.ElicitationResponseActionAccept && content[approve] == true:
		return c.do(ctx, given, settled)
	case answer.Action == mcpgo.ElicitationResponseActionCancel:
		return c.left(given, stateCancelled)
	default:
		return c.left(given, stateDeclined)
	}
}

// propose finds out what the call would do, and asks whether it should.
func (c *confirming) propose(ctx context.Context) (*mcpgo.CallToolResult, error) {
	shown, err := c.deed.rehearse(ctx, c.Gateway, c.report)
	if err != nil {
		return nil, err
	}
	t := ticket{ID: c.newID(), Day: shown.day, Plan: shown.plan, Until: c.now().Add(confirmTime).Unix()}
	c.told.decision, c.told.confirmation = asked, t.ID
	to, err := c.boundTo(ctx, c.deed.settled(shown.day))
	if err != nil {
		return nil, err
	}
	if asksPeople(ctx) {
		state, err := c.seals.seal(asState, t, to)
		if err != nil {
			return nil, err
		}
		return server.NewInputRequestBuilder(state).Elicit(question, form(shown.words)).ToolResult(), nil
	}
	token, err := c.seals.seal(asToken, t, to)
	if err != nil {
		return nil, err
	}
	return c.required(t, token, shown.words)
}

// boundTo is what a confirmation of this call holds for.
func (c *confirming) boundTo(ctx context.Context, settled deed) (bound, error) {
	arguments, err := json.Marshal(settled)
	return bound{tool: c.form.Name, principal: principalOf(ctx).Name, arguments: arguments}, err
}

// redeem opens what a client brought back. It holds for the same tool, caller and arguments, and not for long.
func (c *confirming) redeem(ctx context.Context, p purpose, text string) (ticket, deed, error) {
	var settled deed
	t, err := c.seals.open(p, text, func(t ticket) (bound, error) {
		settled = c.deed.settled(t.Day)
		return c.boundTo(ctx, settled)
	})
	if errors.Is(err, errSeal) {
		return ticket{}, nil, functions.Errorf(functions.PermissionDenied, "this confirmation is not for this call: tool, arguments and caller must be those that it was asked for").
			WithHint(askAgain)
	}
	if err != nil {
		return ticket{}, nil, err
	}
	c.told.confirmation = t.ID
	if !c.now().Before(t.expires()) {
		c.told.decision = denied
		return ticket{}, nil, functions.Errorf(functions.FailedPrecondition, "the confirmation has expired at %s", t.expires().Format(time.RFC3339)).
			WithHint(askAgain)
	}
	return t, settled, nil
}

// do does what was confirmed, and nothing else: the function refuses when the plan is another by now. Once confirmed, the
// work goes on also when its caller goes away.
func (c *confirming) do(ctx context.Context, t ticket, settled deed) (*mcpgo.CallToolResult, error) {
	c.told.decision, c.told.confirmation = confirmed, t.ID
	input, err := json.Marshal(settled.expecting(t.Plan))
	if err != nil {
		return nil, err
	}
	lasting, cancel := functions.Outlive(ctx, c.form.Timeout+2*grace, stopGrace)
	defer cancel()
	answer, err := c.call(acting(withConfirmation(lasting, t.ID)), c.form.Tool, input, c.report)
	if refused, ours := errors.AsType[*functions.Error](err); ours && refused.Code == functions.FailedPrecondition {
		refused.Hint = joined(refused.Hint, askAgain)
	}
	if err != nil {
		return nil, err
	}
	c.told.run = runIn(answer)
	return c.form.result(answer)
}

func joined(hint, more string) string {
	if hint == "" {
		return more
	}
	return hint + "; " + more
}

// asksPeople tells whether the client of this request can put a form before a person. Of earlier requests nothing is
// known, and a client of an older version cannot be asked without a session: it would hang.
func asksPeople(ctx context.Context) bool {
	info := server.RequestProtocolInfoFromContext(ctx)
	if info == nil || !info.Modern || info.ClientCapabilities == nil || info.ClientCapabilities.Elicitation == nil {
		return false
	}
	can := info.ClientCapabilities.Elicitation
	return can.Form != nil || can.URL == nil // which modes is newer than that it can at all
}

// form is the question in words, with one box to tick.
func form(words string) mcpgo.ElicitationParams {
	return mcpgo.ElicitationParams{
		Message: words,
		RequestedSchema: map[string]any{
			"type": "object",
			"properties": map[string]any{
				approve: map[string]any{"type": "boolean", "title": "Do this now", "description": "Nothing is done unless this is ticked.", "default": false},
			},
			"required": []string{approve},
		},
	}
}

// The states of a confirmation in an answer.
const (
	stateRequired  = "confirmation_required"
	stateDeclined  = "declined"
	stateCancelled = "cancelled"
)

// pending is the answer to a call that did nothing.
type pending struct {
	Date         functions.Date `json:"date"`
	Confirmation string         `json:"confirmation"`
	Token        string         `json:"confirm_token,omitempty"`
	Expires      *time.Time     `json:"expires_at,omitempty"`
	Summary      string         `json:"summary"`
}

// required asks a client that can put no form before a person: the model brings the token back. It orders the steps, and
// proves nothing about a person.
func (c *confirming) required(t ticket, token, words string) (*mcpgo.CallToolResult, error) {
	text := fmt.Sprintf("%s: nothing was done yet. If it is done: %s\nShow this to the user and ask. After a yes, call %s again with the same "+
		"arguments and confirm_token %s (until %s).", stateRequired, words, c.form.Name, token, t.expires().Format(time.RFC3339))
	return mcpgo.NewToolResultStructured(pending{
		Date: t.Day, Confirmation: stateRequired, Token: token, Expires: new(t.expires()), Summary: words,
	}, text), nil
}

// left answers a no. It is a result like any other.
func (c *confirming) left(t ticket, state string) (*mcpgo.CallToolResult, error) {
	c.told.decision = declined
	text := "Nothing was done: the confirmation was " + state + ". Do not ask again unless the user wants it."
	return mcpgo.NewToolResultStructured(pending{Date: t.Day, Confirmation: state, Summary: text}, text), nil
}
