// Command boot builds each function alone, as the platform does, starts it and calls it. It fails when one does not
// build, does not answer, or answers without being opened. It prints size and start next to the framework's empty
// function, measured in the same run.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
)

const (
	starts   = 10              // how often each binary is started; the median counts
	patience = 5 * time.Second // for one start
)

// empty is the framework's function that does nothing: the limit to compare with.
const empty = `package function

import (
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
)

func init() {
	functions.HTTP("Empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
}
`

const mainFile = `package main

import (
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	_ "github.com/retentionops/retentionops"
)

func main() {
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		panic(err)
	}
}
`

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "boot:", err)
		os.Exit(1)
	}
}

// gateway is built and started beside the functions.
var gateway = &functions.Tool{Name: "mcp_gateway", EntryPoint: "MCPGateway"}

// probe is a call that the gateway cannot pass on, as it is connected to no function.
const probe = `{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_alert_decision", "arguments": {}}}`

// inputs are the inputs of the functions that need one.
var inputs = map[string]string{
	functions.ExportAudience.Name: `{"tier": "P1"}`,
	functions.ReadRecord.Name:     `{"record": "runs"}`,
}

// built is one function as it was built.
type built struct {
	name, target, binary string
	bytes                int64
	start                time.Duration
}

func run(ctx context.Context) error {
	work, err := os.MkdirTemp("", "boot")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()

	limit, err := buildEmpty(ctx, filepath.Join(work, "empty"))
	if err != nil {
		return err
	}
	all := []*built{limit}
	tools := append(slices.Concat(functions.Tools, functions.Supporting), gateway)
	for _, tool := range tools {
		stage := filepath.Join(work, tool.Name)
		if err := command(ctx, ".", "./deploy.sh", "stage", stage, tool.Name); err != nil {
			return fmt.Errorf("stage %s: %w", tool.Name, err)
		}
		if err := checkStage(stage); err != nil {
			return fmt.Errorf("stage of %s: %w", tool.Name, err)
		}
		function, err := build(ctx, stage, tool.Name, tool.EntryPoint)
		if err != nil {
			return err
		}
		if err := function.checkAnswers(ctx); err != nil {
			return fmt.Errorf("%s: %w", tool.Name, err)
		}
		all = append(all, function)
	}
	for _, function := range all {
		if function.start, err = function.medianStart(ctx); err != nil {
			return fmt.Errorf("%s: %w", function.name, err)
		}
	}
	fmt.Printf("%-26s %8s %8s %10s %8s\n", "function (-s -w)", "MB", "ratio", "start ms", "ratio")
	for _, f := range all {
		fmt.Printf("%-26s %8.1f %8.2f %10.1f %8.2f\n", f.name, float64(f.bytes)/1e6, float64(f.bytes)/float64(limit.bytes),
			f.start.Seconds()*1000, f.start.Seconds()/limit.start.Seconds())
	}
	fmt.Printf("%d passed, 0 failed\n", len(tools))
	return nil
}

// checkStage asserts what an upload must not hold.
func checkStage(stage string) error {
	tops, err := filepath.Glob(filepath.Join(stage, "*.go"))
	if err != nil || len(tops) != 1 {
		return fmt.Errorf("%d Go files at the top, want the generated one", len(tops))
	}
	return filepath.WalkDir(stage, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(path, "_test.go"):
			return fmt.Errorf("%s is uploaded", entry.Name())
		case strings.Contains(path, "duckdb"), strings.Contains(path, "/shop/"):
			return fmt.Errorf("%s is uploaded: it belongs to a laptop", entry.Name())
		}
		return nil
	})
}

func buildEmpty(ctx context.Context, stage string) (*built, error) {
	if err := os.MkdirAll(stage, 0o750); err != nil {
		return nil, err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(stage, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(stage, "function.go"), []byte(empty), 0o600); err != nil {
		return nil, err
	}
	return build(ctx, stage, "the framework's empty one", "Empty")
}

// build does what the platform's builder does with a stage: a main beside it, go mod tidy, go build.
func build(ctx context.Context, stage, name, target string) (*built, error) {
	app := filepath.Join(stage, "functions.local", "app")
	if err := os.MkdirAll(app, 0o750); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(mainFile), 0o600); err != nil {
		return nil, err
	}
	if err := command(ctx, stage, "go", "mod", "tidy"); err != nil {
		return nil, fmt.Errorf("tidy %s: %w", name, err)
	}
	binary := filepath.Join(stage, "function")
	if err := command(ctx, stage, "go", "build", "-ldflags=-s -w", "-o", binary, "./functions.local/app"); err != nil {
		return nil, fmt.Errorf("build %s: %w", name, err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	return &built{name: name, target: target, binary: binary, bytes: info.Size()}, nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return nil
}

// started runs the function with these settings and no others of ours, and stops it after the work.
func (b *built) started(ctx context.Context, settings []string, work func(base string, began time.Time) error) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, b.binary)
	cmd.Env = append([]string{"FUNCTION_TARGET=" + b.target, "PORT=" + port}, settings...)
	cmd.Stdout, cmd.Stderr = &log, &log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := work("http://"+address, began)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if failed != nil {
		return fmt.Errorf("%w\n%s", failed, log.String())
	}
	return nil
}

// firstAnswer waits for the first 200 of a GET.
func firstAnswer(ctx context.Context, base string, began time.Time) (time.Duration, []byte, error) {
	for time.Since(began) < patience {
		status, body, err := request(ctx, http.MethodGet, base, "")
		if err == nil && status == http.StatusOK {
			return time.Since(began), body, nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	return 0, nil, fmt.Errorf("no answer within %s", patience)
}

func request(ctx context.Context, method, base, input string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, base, strings.NewReader(input))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func (b *built) medianStart(ctx context.Context) (time.Duration, error) {
	var took []time.Duration
	for range starts {
		err := b.started(ctx, nil, func(base string, began time.Time) error {
			duration, _, err := firstAnswer(ctx, base, began)
			took = append(took, duration)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// checkAnswers asserts that the function says it is there, does nothing while it is closed, and names what it misses
// when it is opened.
func (b *built) checkAnswers(ctx context.Context) error {
	err := b.started(ctx, nil, func(base string, began time.Time) error {
		_, health, err := firstAnswer(ctx, base, began)
		if err != nil {
			return err
		}
		if !json.Valid(health) || !bytes.Contains(health, []byte("closed")) {
			return fmt.Errorf("health line of a closed function: %s", health)
		}
		return wantProblem(ctx, base, "closed", "")
	})
	if err != nil {
		return err
	}
	settings := []string{"RETENTIONOPS_AUTH=iam", "RETENTIONOPS_MCP_HOSTS=127.0.0.1"}
	return b.started(ctx, settings, func(base string, began time.Time) error {
		if _, _, err := firstAnswer(ctx, base, began); err != nil {
			return err
		}
		if b.name == gateway.Name {
			status, body, err := request(ctx, http.MethodPost, base, probe)
			if err == nil && (status != http.StatusOK || !strings.Contains(string(body), "RETENTIONOPS_MCP_FUNCTIONS")) {
				err = fmt.Errorf("the answer does not name RETENTIONOPS_MCP_FUNCTIONS: %d %s", status, body)
			}
			return err
		}
		return wantProblem(ctx, base, "RETENTIONOPS_WAREHOUSE", inputs[b.name])
	})
}

// wantProblem asserts that a call is answered by a problem that names what is missing.
func wantProblem(ctx context.Context, base, names, input string) error {
	status, body, err := request(ctx, http.MethodPost, base, input)
	if err != nil {
		return err
	}
	var problem functions.Problem
	if err := json.Unmarshal(body, &problem); err != nil || status < 400 || problem.Code == "" {
		return fmt.Errorf("want a problem, got %d %s", status, body)
	}
	if !strings.Contains(problem.Detail+problem.Hint, names) {
		return fmt.Errorf("the problem does not name %s: %s", names, body)
	}
	return nil
}
