package bigquerytest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// EngineEnv names the folder in which npm has installed the engine (.ci/zetasql). Where it is set, as in CI, a missing
// engine is a failure; where it is not, the folder of this repository is looked at, and the test is skipped without it.
const EngineEnv = "RETENTIONOPS_TEST_ZETASQL"

// Engine is Google's SQL engine: it analyses every statement of BigQuery's dialect and evaluates queries.
type Engine struct {
	connection *grpc.ClientConn
	service    protoreflect.ServiceDescriptor
	language   json.RawMessage
	command    *exec.Cmd
}

var engine struct {
	sync.Mutex
	started *Engine
	failure error
}

// Main runs the tests of a package and stops the engine when one of them has started it: call it in TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	engine.Lock()
	defer engine.Unlock()
	if engine.started != nil {
		_ = engine.started.command.Process.Kill()
		_ = engine.started.command.Wait()
	}
	return code
}

// TheEngine is the engine of this process, started by the first test that needs it.
func TheEngine(tb testing.TB) *Engine {
	tb.Helper()
	folder, demanded := os.LookupEnv(EngineEnv)
	if !demanded {
		_, here, _, _ := runtime.Caller(0)
		folder = filepath.Join(filepath.Dir(here), "../../../../../.ci/zetasql")
	}
	library := filepath.Join(folder, "node_modules/@fivetrandevelopers/zetasql/lib/zetasql")
	if _, err := os.Stat(library); err != nil && !demanded {
		tb.Skipf("SKIPPED: Google's SQL engine is not installed: npm ci --ignore-scripts --prefix .ci/zetasql")
	}
	engine.Lock()
	defer engine.Unlock()
	if engine.started == nil && engine.failure == nil {
		engine.started, engine.failure = start(library)
	}
	if engine.failure != nil {
		tb.Fatalf("start Google's SQL engine: %v", engine.failure)
	}
	return engine.started
}

// start starts the server and waits until it listens.
func start(library string) (*Engine, error) {
	name := "remote_server.so" // an executable, whatever its name says
	if runtime.GOARCH == "arm64" {
		name = "remote_server_arm.so"
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(context.Background(), filepath.Join(library, name), "localhost", port) //nolint:gosec // the engine that npm installed
	endWithParent(command)
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	command.Stderr = command.Stdout
	// The kernel ends the engine with the thread that started it, so that thread stays.
	begun := make(chan error)
	go func() {
		runtime.LockOSThread()
		begun <- command.Start()
		select {}
	}()
	if err := <-begun; err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
		continue
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	go func() {
		for lines.Scan() { // else it would wait for someone to read
			continue
		}
	}()
	e := &Engine{command: command}
	if err := e.connect(library, "localhost:"+port); err != nil {
		_ = command.Process.Kill()
		return nil, err
	}
	return e, nil
}

func freePort() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return "", err
	}
	return port, listener.Close()
}

// connect reads the engine's own description of its calls; no generated code of it is published.
func (e *Engine) connect(library, address string) error {
	const file = "local_service.proto"
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(
		&protocompile.SourceResolver{ImportPaths: []string{filepath.Join(library, "protos")}},
	)}
	compiled, err := compiler.Compile(context.Background(), file)
	if err != nil {
		return err
	}
	e.service = compiled[0].Services().ByName("ZetaSqlLocalService")
	e.connection, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
	if err != nil {
		return err
	}
	return e.setLanguage()
}

// call makes a call of the engine. Both sides are the messages' JSON form.
func (e *Engine) call(ctx context.Context, name string, request any) (json.RawMessage, error) {
	method := e.service.Methods().ByName(protoreflect.Name(name))
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := protojson.Unmarshal(text, in); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	path := fmt.Sprintf("/%s/%s", e.service.FullName(), name)
	if err := e.connection.Invoke(ctx, path, in, out); err != nil {
		return nil, err
	}
	return protojson.Marshal(out)
}

// statementKinds are those that the driver writes. The engine refuses the rest.
var statementKinds = []string{
	"RESOLVED_QUERY_STMT", "RESOLVED_INSERT_STMT", "RESOLVED_DELETE_STMT", "RESOLVED_CREATE_TABLE_STMT", "RESOLVED_ALTER_TABLE_STMT",
}

// setLanguage makes the engine's dialect that of BigQuery.
func (e *Engine) setLanguage() error {
	answer, err := e.call(context.Background(), "GetLanguageOptions", map[string]any{"maximumFeatures": true})
	if err != nil {
		return err
	}
	var options map[string]any
	if err := json.Unmarshal(answer, &options); err != nil {
		return err
	}
	features, _ := options["enabledLanguageFeatures"].([]any)
	kept := features[:0]
	for _, feature := range features {
		if feature != "FEATURE_V_1_3_DML_RETURNING" { // BigQuery knows no THEN RETURN
			kept = append(kept, feature)
		}
	}
	options["enabledLanguageFeatures"] = kept
	options["productMode"] = "PRODUCT_EXTERNAL"
	options["reservedKeywords"] = []string{"QUALIFY"}
	options["supportedStatementKinds"] = statementKinds
	e.language, err = json.Marshal(options)
	return err
}
