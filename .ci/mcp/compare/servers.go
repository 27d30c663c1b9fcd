package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	gateway "github.com/retentionops/retentionops/mcp"
	"github.com/retentionops/retentionops/mcp/proof"
)

// servers are what is measured, each in a process of its own.
var servers = map[string]func(function string) (http.Handler, error){
	"gateway": func(string) (http.Handler, error) { return cannedGateway() },
	"go-sdk":  func(string) (http.Handler, error) { return sdkServer() },

	// One tool, get_alert_decision, by three ways to its door.
	"function":              func(string) (http.Handler, error) { return function() },
	"gateway in process":    func(string) (http.Handler, error) { return gatewayBefore(inProcess) },
	"gateway over loopback": func(url string) (http.Handler, error) { return gatewayBefore(at(url)) },
}

// audit is where the gateway writes its line a call: encoded as it is when deployed, and thrown away.
func audit() *slog.Logger { return door.NewLogger(io.Discard) }

func cannedGateway() (http.Handler, error) {
	caller, err := newCanned()
	if err != nil {
		return nil, err
	}
	return proof.NewGateway(proof.Local, audit(), caller)
}

// function is the tool's own door, with the canned answer as its work.
func function() (http.Handler, error) {
	caller, err := newCanned()
	if err != nil {
		return nil, err
	}
	var out functions.GetAlertDecisionOutput
	if err := json.Unmarshal(caller[functions.GetAlertDecision.Name], &out); err != nil {
		return nil, err
	}
	work := func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
		return out, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/"+functions.GetAlertDecision.Name, door.Handle(proof.NewDoor(audit()), functions.GetAlertDecision, work))
	return mux, nil
}

func inProcess() (gateway.Caller, error) {
	handler, err := function()
	if err != nil {
		return nil, err
	}
	return gateway.Local(map[string]http.Handler{functions.GetAlertDecision.Name: handler}), nil
}

func at(url string) func() (gateway.Caller, error) {
	return func() (gateway.Caller, error) { return gateway.At(url, ""), nil }
}

func gatewayBefore(caller func() (gateway.Caller, error)) (http.Handler, error) {
	c, err := caller()
	if err != nil {
		return nil, err
	}
	return proof.NewGateway(proof.Local, audit(), c)
}

// sdkServer is the official SDK's, stateless and answering in JSON as the gateway does, with the gateway's own list of
// tools, the same canned answers and the same words beside them. It validates what comes in and what goes out.
func sdkServer() (http.Handler, error) {
	own, err := cannedGateway()
	if err != nil {
		return nil, err
	}
	caller, err := newCanned()
	if err != nil {
		return nil, err
	}
	server := sdk.NewServer(&sdk.Implementation{Name: "retentionops", Title: "RetentionOps", Version: "dev"}, nil)
	var list struct{ Tools []*sdk.Tool }
	if err := askOnce(own, "tools/list", "{}", &list); err != nil {
		return nil, err
	}
	for _, tool := range list.Tools {
		contract, _ := functions.ToolNamed(tool.Name)
		var said struct{ Content []struct{ Text string } }
		if err := askOnce(own, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool.Name, proof.Arguments[tool.Name]), &said); err != nil {
			return nil, err
		}
		sdk.AddTool(server, tool, func(ctx context.Context, _ *sdk.CallToolRequest, in map[string]any) (*sdk.CallToolResult, any, error) {
			input, err := json.Marshal(in)
			if err != nil {
				return nil, nil, err
			}
			out, err := caller.Call(ctx, contract, input, func(functions.Progress) {})
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: said.Content[0].Text}}}, out, err
		})
	}
	return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server },
		&sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true}), nil
}

// askOnce asks a handler of this process.
func askOnce(handler http.Handler, method, params string, result any) error {
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", bytes.NewReader(legacyMessage(1, method, params)))
	if err != nil {
		return err
	}
	legacyHeaders(request.Header, method, "")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	var whole struct{ Result json.RawMessage }
	if err := json.Unmarshal(answer.Body.Bytes(), &whole); err != nil || whole.Result == nil {
		return fmt.Errorf("%s: %d %s", method, answer.Code, answer.Body)
	}
	return json.Unmarshal(whole.Result, result)
}

// usage is what a process has used so far.
type usage struct {
	CPU  int64 `json:"cpu_ns"`
	Peak int64 `json:"peak_kb"` // the most memory that it ever held
}

// beServer serves until its input ends, and tells its usage at each line of it.
func beServer(name, function string) error {
	made, known := servers[name]
	if !known {
		return fmt.Errorf("there is no server %q", name)
	}
	handler, err := made(function)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, handler) }()
	fmt.Printf("http://%s\n", listener.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(usage{CPU: used.Utime.Nano() + used.Stime.Nano(), Peak: peak(used)}); err != nil {
			return err
		}
	}
	return nil
}

// peak is the most memory that this process held. Linux counts into Maxrss what the process was before it became this
// program, which is the one that sends the load; its own figure stands elsewhere.
func peak(used syscall.Rusage) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return used.Maxrss
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); err == nil {
			return kilobytes
		}
	}
	return used.Maxrss
}
