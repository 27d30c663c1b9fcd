package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	gateway "github.com/retentionops/retentionops/mcp"
)

// eras are the versions that the official SDK speaks with the gateway, the newest first.
var eras = []string{"2026-07-28", "2025-11-25"}

// program is the product's own command, built once, with a made-up shop beside it.
var program struct {
	path, folder string
	built        func() error
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "mcp-proof")
	if err != nil {
		panic(err)
	}
	program.path, program.folder = filepath.Join(folder, "retentionops"), folder
	program.built = sync.OnceValue(func() error {
		build := exec.Command("go", "build", "-o", program.path, "./functions/cmd/retentionops")
		build.Dir = "../.."
		if said, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, said)
		}
		for _, args := range [][]string{
			{"import", "--generate", "600", "--date", "2026-01-12"}, {"call", "build_priority_queue", "--date", "latest"},
		} {
			if said, err := command(args...).CombinedOutput(); err != nil {
				return fmt.Errorf("%w\n%s", err, said)
			}
		}
		return nil
	})
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// command is a run of the product in the folder of the shop, with no setting of ours.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(program.path, args...)
	cmd.Dir = program.folder
	cmd.Env = []string{"HOME=" + program.folder, "PATH=" + os.Getenv("PATH"), "RETENTIONOPS_MCP_ACTIONS=true", "RETENTIONOPS_MCP_RATE=0"}
	return cmd
}

// client is the official SDK's, connected, with the progress that it heard.
type client struct {
	*sdk.ClientSession
	mu    sync.Mutex
	heard []*sdk.ProgressNotificationParams
}

func connect(t *testing.T, transport sdk.Transport, era string, options *sdk.ClientOptions) *client {
	t.Helper()
	c := &client{}
	if options == nil {
		options = &sdk.ClientOptions{}
	}
	options.ProgressNotificationHandler = func(_ context.Context, told *sdk.ProgressNotificationClientRequest) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heard = append(c.heard, told.Params)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	var err error
	if c.ClientSession, err = sdk.NewClient(&sdk.Implementation{Name: "proof", Version: "1"}, options).
		Connect(ctx, transport, &sdk.ClientSessionOptions{ProtocolVersion: era}); err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if got := c.InitializeResult().ProtocolVersion; got != era {
		t.Fatalf("it speaks %s, want %s", got, era)
	}
	return c
}

// steps takes what was told of a call. The SDK hands it over beside the answer, so the last may come a little later.
func (c *client) steps(want int) []*sdk.ProgressNotificationParams {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		heard := c.heard
		if len(heard) >= want || time.Since(began) > 10*time.Second {
			c.heard = nil
			c.mu.Unlock()
			return heard
		}
		c.mu.Unlock()
	}
}

// TestOverStandardStreams talks with the command as an assistant on this machine does.
func TestOverStandardStreams(t *testing.T) {
	if err := program.built(); err != nil {
		t.Fatal(err)
	}
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			cmd := command("mcp")
			cmd.Stderr = &said{t: t}
			everything(t, connect(t, &sdk.CommandTransport{Command: cmd}, era, nil))
		})
	}
}

// said puts what a process says on standard error into the test's log.
type said struct{ t *testing.T }

func (s *said) Write(line []byte) (int, error) {
	s.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

// TestOverHTTP talks with a running serve.
func TestOverHTTP(t *testing.T) {
	if err := program.built(); err != nil {
		t.Fatal(err)
	}
	url := served(t)
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			everything(t, connect(t, &sdk.StreamableClientTransport{Endpoint: url}, era, nil))
		})
	}
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// await waits until somebody answers at an address.
func await(t *testing.T, url string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		if response, err := http.Get(url); err == nil {
			_ = response.Body.Close()
			return
		}
	}
	t.Fatalf("nobody answers at %s", url)
}

// serve serves a gateway on a loopback port.
func serve(t *testing.T, caller gateway.Caller) string {
	t.Helper()
	g, err := NewGateway(Local, slog.New(slog.DiscardHandler), caller)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return server.URL + gateway.Path
}

// everything goes through all that the gateway offers, over real functions and data.
func everything(t *testing.T, c *client) {
	t.Helper()
	tools, err := c.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != len(functions.Tools) {
		t.Fatalf("list: %v, %d tools", err, len(tools.Tools))
	}
	for _, tool := range tools.Tools {
		if tool.Annotations == nil || tool.Annotations.DestructiveHint == nil || tool.Annotations.OpenWorldHint == nil {
			t.Errorf("%s does not state its hints", tool.Name)
		}
		result, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: tool.Name, Arguments: json.RawMessage(Arguments[tool.Name])})
		if err != nil || result.IsError || len(result.Content) == 0 {
			t.Errorf("%s: %v %+v", tool.Name, err, result)
			continue
		}
		if text, is := result.Content[0].(*sdk.TextContent); !is || !strings.Contains(text.Text, "2026-01-12") {
			t.Errorf("%s does not name the day: %+v", tool.Name, result.Content[0])
		}
		holds(t, tool, result.StructuredContent)
	}
	mendable(t, c)
	readable(t, c)
}

// holds asserts that an answer is as the tool's schema says.
func holds(t *testing.T, tool *sdk.Tool, content any) {
	t.Helper()
	promised, err := json.Marshal(tool.OutputSchema)
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(promised, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(content); err != nil || content == nil {
		t.Errorf("%s: %v in %v", tool.Name, err, content)
	}
}

// mendable asks what an assistant may get wrong: it is told so in an answer, and what is no tool is an error.
func mendable(t *testing.T, c *client) {
	t.Helper()
	wrong, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_alert_decision", Arguments: map[string]any{"dte": "latest"}})
	if err != nil || !wrong.IsError {
		t.Errorf("an unknown argument: %v %+v", err, wrong)
	} else if text, is := wrong.Content[0].(*sdk.TextContent); !is || !strings.Contains(text.Text, "known: date") {
		t.Errorf("an unknown argument: %+v", wrong.Content[0])
	}
	if _, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "drop_table"}); err == nil {
		t.Error("a tool that is none can be called")
	}
}

// readable reads resources and prompts, and has arguments completed.
func readable(t *testing.T, c *client) {
	t.Helper()
	for _, uri := range []string{"retention://rules", "retention://vocabulary", "retention://brief/latest", "retention://runs/2026-01"} {
		read, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil || len(read.Contents) == 0 || read.Contents[0].Text == "" {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "retention://elsewhere"}); err == nil {
		t.Error("what is not there can be read")
	}
	listed, err := c.ListResources(t.Context(), nil)
	if err != nil || len(listed.Resources) == 0 {
		t.Errorf("resources: %v", err)
	}
	templates, err := c.ListResourceTemplates(t.Context(), nil)
	if err != nil || len(templates.ResourceTemplates) == 0 {
		t.Errorf("templates: %v", err)
	}
	prompts, err := c.ListPrompts(t.Context(), nil)
	if err != nil || len(prompts.Prompts) == 0 {
		t.Errorf("prompts: %v", err)
	}
	review, err := c.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "daily_review", Arguments: map[string]string{"date": "2026-01-12"}})
	if err != nil || len(review.Messages) == 0 {
		t.Errorf("daily_review: %v", err)
	}
	completed, err := c.Complete(t.Context(), &sdk.CompleteParams{
		Ref:      &sdk.CompleteReference{Type: "ref/prompt", Name: "daily_review"},
		Argument: sdk.CompleteParamsArgument{Name: "date", Value: "la"},
	})
	if err != nil || len(completed.Completion.Values) != 1 || completed.Completion.Values[0] != "latest" {
		t.Errorf("completion: %v %+v", err, completed)
	}
}

// work is a function that a test watches: it tells its steps, and waits when there is something to wait for.
type work struct {
	steps          int
	arrived, ended chan struct{} // nil: it ends by itself
}

func (w work) call(ctx context.Context, in functions.BuildPriorityQueueInput) (out functions.BuildPriorityQueueOutput, err error) {
	for i := range w.steps {
		functions.Report(ctx, functions.Progress{Stage: "queue", Message: "step", Step: i + 1, Steps: w.steps})
	}
	if w.arrived != nil {
		close(w.arrived)
		<-ctx.Done()
		close(w.ended)
		return out, ctx.Err()
	}
	out.Date = functions.Date{Year: 2026, Month: time.January, Day: 12}
	out.DryRun, out.Guardrails.Verdict = in.DryRun, functions.VerdictOK
	return out, nil
}

// behind is a caller with this work behind a real door.
func behind(w work) gateway.Caller {
	name := functions.BuildPriorityQueue.Name
	return gateway.Local(map[string]http.Handler{
		name: door.Handle(NewDoor(slog.New(slog.DiscardHandler)), functions.BuildPriorityQueue, w.call),
	})
}

// transports are both, to a gateway in this process.
var transports = map[string]func(*testing.T, gateway.Caller) sdk.Transport{
	"streamable HTTP": func(t *testing.T, caller gateway.Caller) sdk.Transport {
		t.Helper()
		return &sdk.StreamableClientTransport{Endpoint: serve(t, caller)}
	},
	"standard streams": func(t *testing.T, caller gateway.Caller) sdk.Transport {
		t.Helper()
		g, err := NewGateway(Local, slog.New(slog.DiscardHandler), caller)
		if err != nil {
			t.Fatal(err)
		}
		in, ask := io.Pipe()
		tell, out := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- g.ServeStdio(context.WithoutCancel(t.Context()), in, out) }()
		t.Cleanup(func() {
			_ = ask.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		return &sdk.IOTransport{Reader: tell, Writer: ask}
	},
}

// TestProgressIsComplete makes fifteen calls in a row, and none loses a step.
func TestProgressIsComplete(t *testing.T) {
	const rounds, steps = 15, 5
	for name, transport := range transports {
		for _, era := range eras {
			t.Run(name+" "+era, func(t *testing.T) {
				c := connect(t, transport(t, behind(work{steps: steps})), era, nil)
				for round := range rounds {
					call := &sdk.CallToolParams{Name: "build_priority_queue", Arguments: map[string]any{"dry_run": true}}
					call.SetProgressToken(fmt.Sprint("round ", round))
					if result, err := c.CallTool(t.Context(), call); err != nil || result.IsError {
						t.Fatalf("round %d: %v %+v", round, err, result)
					}
					heard := c.steps(steps)
					if len(heard) != steps {
						t.Fatalf("round %d: %d of %d steps", round, len(heard), steps)
					}
					for i, step := range heard {
						if step.Progress != float64(i+1) || step.Total != steps || step.ProgressToken != call.GetProgressToken() {
							t.Errorf("round %d: step %d is %+v", round, i+1, step)
						}
					}
				}
			})
		}
	}
}

// TestWhoGivesUpStopsTheFunction hangs up in the middle of a call: by closing the connection, or on standard streams,
// where there is one client, by saying so.
func TestWhoGivesUpStopsTheFunction(t *testing.T) {
	for name, transport := range transports {
		for _, era := range eras {
			t.Run(name+" "+era, func(t *testing.T) {
				w := work{arrived: make(chan struct{}), ended: make(chan struct{})}
				c := connect(t, transport(t, behind(w)), era, nil)
				ctx, giveUp := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					_, err := c.CallTool(ctx, &sdk.CallToolParams{Name: "build_priority_queue", Arguments: map[string]any{"dry_run": true}})
					done <- err
				}()
				select {
				case <-w.arrived:
				case err := <-done:
					t.Fatalf("the call came to nothing: %v", err)
				}
				giveUp()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("the client got %v", err)
				}
				select {
				case <-w.ended:
				case <-time.After(20 * time.Second):
					t.Error("the function works on")
				}
			})
		}
	}
}
