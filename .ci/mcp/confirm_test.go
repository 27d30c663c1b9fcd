package proof

import (
	"context"
	"maps"
	"regexp"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// exporting is a call that needs a confirmation. The shop's data is old, which takes somebody who answers for it.
var exporting = map[string]any{
	"date": "latest", "tier": "P1", "override": map[string]any{"by": "Mara", "why": "the shop is made up"},
}

var proposal = regexp.MustCompile(`(?s)Export \d+ of the \d+ customers in P1 of 2026-01-12.*OVERRIDE`)

// TestAnExportIsConfirmed has one confirmed over both transports: by a form, where the protocol lets a client be asked,
// and else by the token that the client brings back.
func TestAnExportIsConfirmed(t *testing.T) {
	if err := program.built(); err != nil {
		t.Fatal(err)
	}
	url := served(t)
	for _, era := range eras {
		t.Run("streamable HTTP "+era, func(t *testing.T) {
			confirms(t, func() sdk.Transport { return &sdk.StreamableClientTransport{Endpoint: url} }, era)
		})
	}
	// The embedded warehouse is the running serve's: the command asks there.
	for _, era := range eras {
		t.Run("standard streams "+era, func(t *testing.T) {
			confirms(t, func() sdk.Transport {
				return &sdk.CommandTransport{Command: command("mcp", "--url", url[:len(url)-len("/mcp")])}
			}, era)
		})
	}
}

func confirms(t *testing.T, transport func() sdk.Transport, era string) {
	t.Helper()
	byToken(t, connect(t, transport(), era, nil))
	var next *sdk.ElicitResult
	asked := 0
	person := connect(t, transport(), era, &sdk.ClientOptions{
		ElicitationHandler: func(_ context.Context, request *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			asked++
			if !proposal.MatchString(request.Params.Message) {
				t.Errorf("a person reads %q", request.Params.Message)
			}
			return next, nil
		},
	})
	if era == eras[len(eras)-1] { // a client of an older version cannot be asked: it must not be left to hang
		byToken(t, person)
		return
	}
	for _, answer := range []struct {
		given   sdk.ElicitResult
		becomes string
	}{
		{sdk.ElicitResult{Action: "decline"}, "declined"},
		{sdk.ElicitResult{Action: "cancel"}, "cancelled"},
		{sdk.ElicitResult{Action: "accept", Content: map[string]any{"approve": false}}, "declined"},
	} {
		next = &answer.given
		if got := export(t, person, exporting); got["confirmation"] != answer.becomes {
			t.Errorf("%+v: %v", answer.given, got)
		}
	}
	next = &sdk.ElicitResult{Action: "accept", Content: map[string]any{"approve": true}}
	isDone(t, export(t, person, exporting))
	if asked != 4 {
		t.Errorf("a person was asked %d times", asked)
	}
}

func byToken(t *testing.T, c *client) {
	t.Helper()
	question := export(t, c, exporting)
	summary, _ := question["summary"].(string)
	token, _ := question["confirm_token"].(string)
	if question["confirmation"] != "confirmation_required" || !proposal.MatchString(summary) || len(token) < 20 {
		t.Fatalf("no question: %v", question)
	}
	for tier, broken := range map[string]string{"P1": token[:len(token)-2], "P2": token} {
		wrong := maps.Clone(exporting)
		wrong["tier"], wrong["confirm_token"] = tier, broken
		if result, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "export_audience", Arguments: wrong}); err != nil || !result.IsError {
			t.Errorf("a token that is not for this call: %v %+v", err, result)
		}
	}
	right := maps.Clone(exporting)
	right["confirm_token"] = token
	isDone(t, export(t, c, right))
}

func export(t *testing.T, c *client, arguments map[string]any) map[string]any {
	t.Helper()
	result, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "export_audience", Arguments: arguments})
	if err != nil || result.IsError {
		t.Fatalf("%v %+v", err, result)
	}
	content, _ := result.StructuredContent.(map[string]any)
	return content
}

func isDone(t *testing.T, content map[string]any) {
	t.Helper()
	rows, _ := content["rows_exported"].(float64)
	if address, _ := content["csv_url"].(string); rows < 1 || address == "" {
		t.Errorf("nothing was exported: %v", content)
	}
}
