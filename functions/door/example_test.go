package door_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// A function is its tool, its work and a door around them. Here it is called as a program on the same machine calls it.
func Example() {
	settings := envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": "local"})
	entrance := door.New(settings, slog.New(slog.DiscardHandler), time.Now, func() string { return "01JRUN" })
	handler := door.Handle(entrance, functions.GetAlertDecision,
		func(_ context.Context, in functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
			return functions.GetAlertDecisionOutput{}, functions.Errorf(functions.NotFound, "there is no alert on %s", in.Date).
				WithHint("the newest is 2026-01-12")
		})
	server := httptest.NewServer(handler)
	defer server.Close()

	for _, body := range []string{`{"date": "2026-01-13"}`, `{"dat": "2026-01-13"}`} {
		answer, err := http.Post(server.URL, "application/json", strings.NewReader(body)) //nolint:noctx // an example
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		fmt.Print(answer.Status, " ", string(text), err, "\n")
	}
	// Output:
	// 404 Not Found {"type":"urn:retentionops:problem:not_found","title":"Not found","status":404,"detail":"there is no alert on 2026-01-13","code":"not_found","run_id":"01JRUN","hint":"the newest is 2026-01-12"}
	// <nil>
	// 400 Bad Request {"type":"urn:retentionops:problem:invalid_argument","title":"The input is not valid","status":400,"detail":"unknown key \"dat\" (did you mean date?)","code":"invalid_argument","run_id":"01JRUN","hint":"get_alert_decision takes date"}
	// <nil>
}

// Decode is the same strict reader for a gateway that has no HTTP request.
func ExampleDecode() {
	in, err := door.Decode[functions.ExportAudienceInput](functions.ExportAudience, []byte(`{"tier": "P1", "limit": 10}`))
	fmt.Println(in.Tier, *in.Limit, err)
	_, err = door.Decode[functions.ExportAudienceInput](functions.ExportAudience, []byte(`{"tier": "P1", "limit": "10"}`))
	fmt.Println(err)
	// Output:
	// P1 10 <nil>
	// invalid_argument: limit must be a whole number, not a text
}
