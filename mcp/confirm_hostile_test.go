package mcp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

const (
	oldKey = "abababababababababababababababababababababababababababababababab"
	newKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// forged changes one part of a ticket and leaves its seal.
func forged(t *testing.T, token string, change func(map[string]any)) string {
	t.Helper()
	payload, seal, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var ticket map[string]any
	if err := json.Unmarshal(data, &ticket); err != nil {
		t.Fatal(err)
	}
	change(ticket)
	if data, err = json.Marshal(ticket); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data) + "." + seal
}

// TestAConfirmationHoldsForOneCall asks for an export, by token and by form, and brings back something else: each row
// is refused and told of in the log, or is the same call in other words.
func TestAConfirmationHoldsForOneCall(t *testing.T) {
	t.Parallel()
	const tool, arguments = "export_audience", `{"tier":"P1","date":"latest"}`
	first := serve(t, keyed("read+act", nil), Local(doorsWith(t, door.ModeLocal, newTown().work()))) // the instance that asks
	type back struct {
		tool, arguments, sealed string
		settings                map[string]string // of the instance that it is brought to
		later                   time.Duration
	}
	for name, tc := range map[string]struct {
		change func(t *testing.T, b *back, other string) // other is the one that was sealed for the other way
		says   string                                    // empty: it is done
	}{
		"right":                    {func(*testing.T, *back, string) {}, ""},
		"the day in other words":   {func(_ *testing.T, b *back, _ string) { b.arguments = `{"tier":"P1","date":"2026-01-12"}` }, ""},
		"the day left out":         {func(_ *testing.T, b *back, _ string) { b.arguments = `{"tier":"P1"}` }, ""},
		"a default written":        {func(_ *testing.T, b *back, _ string) { b.arguments = `{"limit":2000,"destination":"csv","tier":"P1"}` }, ""},
		"another tool":             {func(_ *testing.T, b *back, _ string) { b.tool, b.arguments = "trigger_playbook", `{"date":"latest"}` }, "not for this call"},
		"another day":              {func(_ *testing.T, b *back, _ string) { b.arguments = `{"tier":"P1","date":"2026-01-11"}` }, "not for this call"},
		"another tier":             {func(_ *testing.T, b *back, _ string) { b.arguments = `{"tier":"P2"}` }, "not for this call"},
		"another limit":            {func(_ *testing.T, b *back, _ string) { b.arguments = `{"tier":"P1","limit":2001}` }, "not for this call"},
		"a guardrail passed by it": {func(_ *testing.T, b *back, _ string) { b.arguments = `{"tier":"P1","override":{"by":"a","why":"b"}}` }, "not for this call"},
		"another caller": {func(_ *testing.T, b *back, _ string) {
			b.settings["RETENTIONOPS_MCP_KEYS"] = "bob:read+act:" + sumOf(bearer)
		}, "not for this call"},
		"shortly before its end": {func(_ *testing.T, b *back, _ string) { b.later = confirmTime - 10*time.Second }, ""},
		"expired":                {func(_ *testing.T, b *back, _ string) { b.later = confirmTime }, "has expired"},
		"a later end": {func(t *testing.T, b *back, _ string) {
			t.Helper()
			b.later = confirmTime
			b.sealed = forged(t, b.sealed, func(ticket map[string]any) { ticket["until"] = time.Now().Add(time.Hour).Unix() })
		}, "not for this call"},
		"another plan": {func(t *testing.T, b *back, _ string) {
			t.Helper()
			b.sealed = forged(t, b.sealed, func(ticket map[string]any) { ticket["plan"] = "d2" })
		}, "not for this call"},
		"another id": {func(t *testing.T, b *back, _ string) {
			t.Helper()
			b.sealed = forged(t, b.sealed, func(ticket map[string]any) { ticket["id"] = "used-once-more" })
		}, "not for this call"},
		"without its seal":      {func(_ *testing.T, b *back, _ string) { b.sealed, _, _ = strings.Cut(b.sealed, ".") }, "not for this call"},
		"with half of its seal": {func(_ *testing.T, b *back, _ string) { b.sealed = b.sealed[:len(b.sealed)-20] }, "not for this call"},
		"made up":               {func(_ *testing.T, b *back, _ string) { b.sealed = "yes" }, "not for this call"},
		"sealed for the other":  {func(_ *testing.T, b *back, other string) { b.sealed = other }, "not for this call"},
		"the key changed, first": {func(_ *testing.T, b *back, _ string) {
			b.settings["RETENTIONOPS_MCP_CONFIRM_KEYS"] = newKey + "," + oldKey
		}, ""},
		"the key changed, last": {func(_ *testing.T, b *back, _ string) {
			b.settings["RETENTIONOPS_MCP_CONFIRM_KEYS"] = oldKey + "," + newKey
		}, ""},
		"the key gone":         {func(_ *testing.T, b *back, _ string) { b.settings["RETENTIONOPS_MCP_CONFIRM_KEYS"] = newKey }, "not for this call"},
		"actions switched off": {func(_ *testing.T, b *back, _ string) { b.settings["RETENTIONOPS_MCP_ACTIONS"] = "false" }, "not found"},
		"the scope taken away": {func(_ *testing.T, b *back, _ string) {
			b.settings["RETENTIONOPS_MCP_KEYS"] = "ada:read:" + sumOf(bearer)
		}, "confirm_token"},
	} {
		for way, connect := range ways {
			if tc.says != "" && way != "in this process" {
				continue // what is refused reaches no function
			}
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				for _, byForm := range []bool{false, true} {
					world := newTown()
					var question pending
					if err := json.Unmarshal(first.tool(t, modern, tool, arguments).Result.StructuredContent, &question); err != nil {
						t.Fatal(err)
					}
					token := question.Token
					state := first.pressed(t, tool, arguments, nil).Result.RequestState
					b := back{tool: tool, arguments: arguments, sealed: token, settings: keyed("read+act", nil)}
					other := state
					if byForm {
						b.sealed, other = state, token
					}
					tc.change(t, &b, other)
					second := serve(t, b.settings, connect(t, world.work()))
					second.now = func() time.Time { return time.Now().Add(b.later) }
					var got answered
					if byForm {
						got = second.pressed(t, b.tool, b.arguments, answers(b.sealed, "accept", map[string]any{approve: true}))
					} else {
						got = second.tool(t, legacy, b.tool, tokened(b.arguments, b.sealed))
					}
					done, _ := world.did()
					switch {
					case tc.says == "" && (got.Result.IsError || len(done) != 1):
						t.Errorf("by form %v: not done: %s", byForm, got.body)
					case tc.says == "" || byForm && tc.says == "confirm_token": // a form of who may not act is no call at all
					case len(done) > 0 || !strings.Contains(string(got.body), tc.says):
						t.Errorf("by form %v: done %q: %s", byForm, done, got.body)
					case !strings.Contains(second.log.String(), `"decision":"denied"`) && tc.says != "confirm_token":
						t.Errorf("by form %v: not in the log: %s", byForm, second.log)
					}
					if tc.says != "" && len(done) > 0 {
						t.Errorf("by form %v: it was done: %q", byForm, done)
					}
					if strings.Contains(second.log.String()+first.log.String(), b.sealed) && b.sealed != "yes" {
						t.Errorf("the log holds what was sealed")
					}
				}
			})
		}
	}
}

// TestAReplayedConfirmationIsKnown brings the same one twice: the function hears the same id, by which it knows that it
// has done the work. The gateway remembers nothing.
func TestAReplayedConfirmationIsKnown(t *testing.T) {
	t.Parallel()
	world := newTown()
	gateway := serve(t, keyed("read+act", nil), ways["over HTTPS"](t, world.work()))
	const arguments = `{"date":"latest","resend":true}`
	token := gateway.offeredToken(t, legacy, "trigger_playbook", gateway.tool(t, legacy, "trigger_playbook", arguments)).Token
	for range 2 {
		gateway.tool(t, legacy, "trigger_playbook", tokened(arguments, token))
	}
	if _, calls := world.did(); len(calls) != 2 || calls[0].Confirmation != calls[1].Confirmation || calls[0].Confirmation == "" {
		t.Errorf("the function heard %+v", calls)
	}
}

// TestWhatHasChangedIsNotDone changes data or rules between question and answer.
func TestWhatHasChangedIsNotDone(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		world := newTown()
		gateway := serve(t, keyed("read+act", nil), way(t, world.work()))
		for _, tool := range []string{"export_audience", "trigger_playbook"} {
			arguments := map[string]string{"export_audience": `{"tier":"P1"}`, "trigger_playbook": `{}`}[tool]
			world.changes("d1")
			token := gateway.offeredToken(t, modern, tool, gateway.tool(t, modern, tool, arguments)).Token
			state := gateway.pressed(t, tool, arguments, nil).Result.RequestState
			world.changes("d2")
			for _, got := range []answered{
				gateway.tool(t, modern, tool, tokened(arguments, token)),
				gateway.pressed(t, tool, arguments, answers(state, "accept", map[string]any{approve: true})),
			} {
				if done, _ := world.did(); !got.Result.IsError || len(done) > 0 || !strings.Contains(got.text(), "failed_precondition") || !strings.Contains(got.text(), askAgain) {
					t.Errorf("%s: %s: done %q: %s", name, tool, done, got.body)
				}
			}
		}
	}
}

// TestWithoutADigestNothingIsAsked looks at a function whose dry run binds nothing.
func TestWithoutADigestNothingIsAsked(t *testing.T) {
	t.Parallel()
	world := newTown()
	world.changes("")
	gateway := serve(t, keyed("read+act", nil), ways["in this process"](t, world.work()))
	for tool, arguments := range map[string]string{"trigger_playbook": `{}`, "export_audience": `{"tier":"P1"}`} {
		if got := gateway.tool(t, modern, tool, arguments); !got.Result.IsError || !strings.Contains(got.text(), "internal") {
			t.Errorf("%s: %s", tool, got.body)
		}
	}
}

// TestANoIsAResult asks a person, who does not say yes.
func TestANoIsAResult(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		action  string
		content any
		state   string
	}{
		"declined":                {"decline", nil, stateDeclined},
		"closed":                  {"cancel", nil, stateCancelled},
		"sent without the tick":   {"accept", map[string]any{approve: false}, stateDeclined},
		"sent empty":              {"accept", nil, stateDeclined},
		"a word for the tick":     {"accept", map[string]any{approve: "true"}, stateDeclined},
		"declined with the tick":  {"decline", map[string]any{approve: true}, stateDeclined},
		"no word of the protocol": {"agree", map[string]any{approve: true}, stateDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := newTown()
			gateway := serve(t, keyed("read+act", nil), ways["in this process"](t, world.work()))
			state := gateway.pressed(t, "trigger_playbook", `{}`, nil).Result.RequestState
			got := gateway.pressed(t, "trigger_playbook", `{}`, answers(state, tc.action, tc.content))
			var said pending
			if done, _ := world.did(); len(done) > 0 || got.Result.IsError || json.Unmarshal(got.Result.StructuredContent, &said) != nil || said.Confirmation != tc.state {
				t.Fatalf("done %q: %s", done, got.body)
			}
			gateway.isPromised(t, modern, "trigger_playbook", got.Result.StructuredContent)
			if !strings.Contains(got.text(), "Nothing was done") || !strings.Contains(gateway.log.String(), `"decision":"declined"`) {
				t.Errorf("%s\n%s", got.text(), gateway.log)
			}
		})
	}
	t.Run("no answer at all", func(t *testing.T) {
		t.Parallel()
		world := newTown()
		gateway := serve(t, keyed("read+act", nil), ways["in this process"](t, world.work()))
		state := gateway.pressed(t, "trigger_playbook", `{}`, nil).Result.RequestState
		got := gateway.pressed(t, "trigger_playbook", `{}`, map[string]any{"requestState": state})
		if done, _ := world.did(); len(done) > 0 || got.Result.ResultType != "input_required" || got.Result.RequestState == state {
			t.Errorf("done %q: %s", done, got.body)
		}
	})
}

// TestAPersonIsRequired refuses whatever acts to a client that can ask nobody.
func TestAPersonIsRequired(t *testing.T) {
	t.Parallel()
	world := newTown()
	caller := ways["over HTTPS"](t, world.work())
	easy := serve(t, keyed("read+act", nil), caller)
	strict := serve(t, keyed("read+act", map[string]string{"RETENTIONOPS_MCP_REQUIRE_HUMAN": "true"}), caller)
	token := easy.offeredToken(t, legacy, "trigger_playbook", easy.tool(t, legacy, "trigger_playbook", `{}`)).Token
	for _, e := range eras {
		for tool, arguments := range map[string]string{
			"trigger_playbook": `{}`, "export_audience": `{"tier":"P1"}`, "build_priority_queue": `{}`,
		} {
			if got := strict.tool(t, e, tool, arguments); !got.Result.IsError || !strings.Contains(got.text(), "can ask a person") {
				t.Errorf("%s: %s: %s", e, tool, got.body)
			}
		}
		if got := strict.tool(t, e, "trigger_playbook", tokened(`{}`, token)); !got.Result.IsError || !strings.Contains(got.text(), "permission_denied") {
			t.Errorf("%s: by token: %s", e, got.body)
		}
		if got := strict.tool(t, e, "trigger_playbook", `{"dry_run":true}`); got.Result.IsError {
			t.Errorf("%s: a dry run: %s", e, got.body)
		}
	}
	// A client that could ask, and brings a token in place of the answer.
	if got := strict.pressed(t, "trigger_playbook", tokened(`{}`, token), nil); !got.Result.IsError || !strings.Contains(got.text(), "a person must confirm") {
		t.Errorf("by token: %s", got.body)
	}
	// A client that opens pages and knows no forms.
	pages := map[string]any{"_meta": map[string]any{"io.modelcontextprotocol/clientCapabilities": map[string]any{"elicitation": map[string]any{"url": map[string]any{}}}}}
	if got := strict.pressed(t, "trigger_playbook", `{}`, pages); !got.Result.IsError {
		t.Errorf("without forms: %s", got.body)
	}
	if done, _ := world.did(); len(done) > 0 {
		t.Fatalf("done: %q", done)
	}
	state := strict.pressed(t, "trigger_playbook", `{}`, nil).Result.RequestState
	if got := strict.pressed(t, "trigger_playbook", `{}`, answers(state, "accept", map[string]any{approve: true})); got.Result.IsError {
		t.Errorf("a yes: %s", got.body)
	}
	if done, _ := world.did(); len(done) != 1 {
		t.Errorf("done: %q", done)
	}
}

// TestWhatWasConfirmedOutlivesItsClient hangs up while a playbook runs.
func TestWhatWasConfirmedOutlivesItsClient(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := newTown()
			arrived, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			world.block = func(ctx context.Context) {
				close(arrived)
				<-release
				ended <- ctx.Err()
			}
			gateway := serve(t, keyed("read+act", nil), way(t, world.work()))
			noticed := make(chan struct{})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.Header.Get("X-Request-Id"), "leaves") {
					context.AfterFunc(r.Context(), func() { close(noticed) })
				}
				gateway.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			token := gateway.offeredToken(t, legacy, "trigger_playbook", gateway.tool(t, legacy, "trigger_playbook", `{}`)).Token
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			body := legacy.message(1, "tools/call", map[string]any{"name": "trigger_playbook", "arguments": json.RawMessage(tokened(`{}`, token))})
			request := gateway.request(t, legacy, body).WithContext(ctx)
			request.URL.Host = strings.TrimPrefix(front.URL, "http://")
			request.Header.Set("X-Request-Id", "leaves")
			go func() {
				if response, err := http.DefaultClient.Do(request); err == nil {
					_ = response.Body.Close()
				}
			}()
			<-arrived
			hangUp()
			<-noticed
			close(release)
			if err := <-ended; err != nil {
				t.Errorf("the function was cancelled: %v", err)
			}
			for began := time.Now(); !strings.Contains(gateway.log.String(), `"decision":"confirmed"`) && time.Since(began) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
			if done, _ := world.did(); len(done) != 1 || !strings.Contains(gateway.log.String(), `"decision":"confirmed","outcome":"ok"`) {
				t.Errorf("done %q: %s", done, gateway.log)
			}
		})
	}
}

// TestALostAnswerIsNoSilence cuts an acting call off: what is said is that nobody knows, and where to look.
func TestALostAnswerIsNoSilence(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := newTown()
			runs := make(chan string, 2)
			world.block = func(ctx context.Context) {
				runs <- functions.CallFrom(ctx).RunID
				<-ctx.Done()
			}
			inside := world.work()
			run := inside.playbook
			inside.playbook = func(ctx context.Context, in functions.TriggerPlaybookInput) (functions.TriggerPlaybookOutput, error) {
				out, err := run(ctx, in)
				if ctx.Err() != nil {
					return functions.TriggerPlaybookOutput{}, ctx.Err()
				}
				return out, err
			}
			ctx, cancel := context.WithTimeout(acting(t.Context()), 300*time.Millisecond)
			defer cancel()
			_, err := way(t, inside).Call(ctx, functions.TriggerPlaybook, json.RawMessage(`{}`), unheard)
			problem := functions.ProblemOf(err, "of this call")
			if id := <-runs; problem.Code != functions.DeadlineExceeded || problem.RunID != id || !strings.Contains(problem.Detail, "outcome is unknown") ||
				!strings.Contains(problem.Hint, "retention://run/"+id) {
				t.Errorf("of run %s: %+v", id, problem)
			}
		})
	}
}

// TestNothingWasDoneWhereNoDoorWasReached tells a call that never arrived from one whose answer is lost.
func TestNothingWasDoneWhereNoDoorWasReached(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	status := http.StatusForbidden
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(platform.Close)
	said := func(base string) string {
		_, err := At(base, "").Call(acting(t.Context()), functions.BuildPriorityQueue, json.RawMessage(`{}`), unheard)
		problem := functions.ProblemOf(err, "")
		return problem.Detail + " " + problem.Hint
	}
	if got := said(gone.URL); strings.Contains(got, "unknown") {
		t.Errorf("no connection: %s", got)
	}
	if got := said(platform.URL); strings.Contains(got, "unknown") {
		t.Errorf("refused by the platform: %s", got)
	}
	status = http.StatusGatewayTimeout
	if got := said(platform.URL); !strings.Contains(got, "unknown") || !strings.Contains(got, "again is safe") {
		t.Errorf("timed out at the platform: %s", got)
	}
}

// TestNoProgressOfAConfirmedCallIsLost is bug B2 for the calls that matter most.
func TestNoProgressOfAConfirmedCallIsLost(t *testing.T) {
	t.Parallel()
	const rounds, steps = 10, 4
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := serve(t, keyed("read+act", nil), way(t, newTown().work()))
			for _, e := range eras {
				for range rounds {
					token := gateway.offeredToken(t, e, "trigger_playbook", gateway.tool(t, e, "trigger_playbook", `{}`)).Token
					got := gateway.ask(t, e, 7, "tools/call", map[string]any{
						"name": "trigger_playbook", "arguments": json.RawMessage(tokened(`{}`, token)), "_meta": map[string]any{"progressToken": "mine"},
					})
					if len(got.events) != steps || got.Result.IsError || got.events[steps-1].Params["progress"] != float64(steps) {
						t.Fatalf("%s: %d of %d steps, %s", e, len(got.events), steps, got.text())
					}
				}
			}
		})
	}
}
