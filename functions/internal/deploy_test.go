package internal_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
)

// deployment is a run of deploy.sh against stubs.
type deployment struct {
	out     string     // what it said, both streams
	failed  bool       // it ended with another code than 0
	calls   [][]string // every call of gcloud, bq and "go run", in order
	uploads string     // folder of what was uploaded, by function
}

// settings are those of a company that has its detection in a dataset of its own.
func companySettings() map[string]string {
	return map[string]string{
		"RETENTIONOPS_PROJECT":   "acme-retention",
		"RETENTIONOPS_WAREHOUSE": "bigquery://acme-retention/retention?inputs=acme-data.detection&location=EU",
		"RETENTIONOPS_ARCHIVE":   "gs://acme-archive/papers", "RETENTIONOPS_EXPORTS": "gs://acme-exports/audiences",
		"RETENTIONOPS_TIMEZONE": "Europe/Berlin", "RETENTIONOPS_SHEETS": "sheets://SHEET1",
		"RETENTIONOPS_MAIL": "smtps://robot@mail.example.com:465", "RETENTIONOPS_EXCLUSIONS": "gs://acme-legal/lists/never.csv",
	}
}

// deploy runs deploy.sh in a project where everything is there, or nothing.
func deploy(t *testing.T, settings map[string]string, there bool, args ...string) deployment {
	t.Helper()
	bin, work := t.TempDir(), t.TempDir()
	stub, err := filepath.Abs(filepath.Join("testdata", "deploy", "stub"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gcloud", "bq", "go"} {
		if err := os.Symlink(stub, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	d := deployment{uploads: filepath.Join(work, "uploads")}
	if err := os.Mkdir(d.uploads, 0o750); err != nil {
		t.Fatal(err)
	}
	answer := "no"
	if there {
		answer = "yes"
	}
	realGo, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	cmd := deployCommand(t, settings, args...)
	calls := filepath.Join(work, "calls")
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"), "STUB_GO="+realGo, "STUB_CALLS="+calls, "STUB_UPLOADS="+d.uploads,
		"STUB_THERE="+answer, "STUB_FAIL="+settings["STUB_FAIL"], "STUB_APIS="+settings["STUB_APIS"],
		"STUB_ENABLED="+settings["STUB_ENABLED"], "STUB_MEMBERS="+settings["STUB_MEMBERS"], "STUB_SERVICES="+settings["STUB_SERVICES"],
		"RETENTIONOPS_SETTLE_SECONDS=0")
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("%v: %v", exit, err)
	}
	d.out, d.failed = string(out), err != nil
	recorded, err := os.ReadFile(calls)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(recorded)) {
		d.calls = append(d.calls, strings.Split(strings.TrimSuffix(line, "\x1f\n"), "\x1f"))
	}
	return d
}

// ours tells the settings of deploy.sh from what else an environment holds.
func ours(name string) bool {
	return strings.HasPrefix(name, "RETENTIONOPS_") || strings.HasPrefix(name, "OTEL_")
}

// deployCommand is deploy.sh without anything of the developer's own settings.
func deployCommand(t *testing.T, settings map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(root, "deploy.sh"), args...)
	for _, setting := range os.Environ() {
		if !ours(setting) {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "RETENTIONOPS_ENV_FILE="+filepath.Join(t.TempDir(), "none"))
	for name, value := range settings {
		if ours(name) {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// called are the calls that begin with these words.
func (d deployment) called(words ...string) [][]string {
	var found [][]string
	for _, call := range d.calls {
		if len(call) >= len(words) && slices.Equal(call[:len(words)], words) {
			found = append(found, call)
		}
	}
	return found
}

// flag is the value of --name=value in a call.
func flag(call []string, name string) string {
	for _, word := range call {
		if value, is := strings.CutPrefix(word, "--"+name+"="); is {
			return value
		}
	}
	return ""
}

// gateway is deployed beside the functions. It waits longer than the longest of them.
var gateway = &functions.Tool{Name: "mcp_gateway", EntryPoint: "MCPGateway", Timeout: functions.TriggerPlaybook.Timeout + 5*time.Second}

func deployed() []*functions.Tool {
	return append(slices.Concat(functions.Tools, functions.Supporting), gateway)
}

func serviceOf(tool *functions.Tool) string { return strings.ReplaceAll(tool.Name, "_", "-") }

// secret is what no command, setting or output may hold.
const secret = "whsec_nobody-may-see-this"

// TestDeployAll deploys everything once and looks at it from all sides.
func TestDeployAll(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["RETENTIONOPS_WEBHOOK_SECRET"], settings["RETENTIONOPS_MAIL_PASSWORD"] = secret, secret
	d := deploy(t, settings, true, "all")
	if d.failed {
		t.Fatal(d.out)
	}
	t.Run("every function with its own code and account", func(t *testing.T) { checkFunctions(t, d, settings) })
	t.Run("no more rights than a function needs", func(t *testing.T) { checkRights(t, d) })
	t.Run("secrets by reference only", func(t *testing.T) { checkSecrets(t, d) })
	t.Run("what is there stays", func(t *testing.T) {
		for _, words := range makers {
			if len(d.called(words...)) > 0 {
				t.Errorf("%s is called although it is there", strings.Join(words, " "))
			}
		}
	})
}

func checkFunctions(t *testing.T, d deployment, settings map[string]string) {
	t.Helper()
	accounts := map[string]bool{}
	calls := d.called("gcloud", "functions", "deploy")
	if len(calls) != len(deployed()) {
		t.Fatalf("%d functions are deployed, want %d", len(calls), len(deployed()))
	}
	for _, tool := range deployed() {
		name := serviceOf(tool)
		found := d.called("gcloud", "functions", "deploy", name)
		if len(found) != 1 {
			t.Errorf("%s is deployed %d times", name, len(found))
			continue
		}
		call := found[0]
		if got := flag(call, "entry-point"); got != tool.EntryPoint {
			t.Errorf("%s enters at %s, want %s", name, got, tool.EntryPoint)
		}
		if timeout, err := time.ParseDuration(flag(call, "timeout")); err != nil || timeout <= tool.Timeout {
			t.Errorf("%s is cut off after %v, the contract gives it %v: %v", name, timeout, tool.Timeout, err)
		}
		if !slices.Contains(call, "--no-allow-unauthenticated") || slices.Contains(call, "--allow-unauthenticated") {
			t.Errorf("%s is open to everybody", name)
		}
		if flag(call, "runtime") != "go126" || !strings.HasPrefix(flag(call, "update-labels"), "app=retentionops,") {
			t.Errorf("%s: %q", name, call)
		}
		accounts[flag(call, "service-account")] = true
		checkUpload(t, filepath.Join(d.uploads, name))
		env := readEnv(t, filepath.Join(d.uploads, name+".env.yaml"))
		if tool == gateway {
			checkGateway(t, d, env)
			continue
		}
		if env["RETENTIONOPS_AUTH"] != "iam" || env["RETENTIONOPS_WAREHOUSE"] != settings["RETENTIONOPS_WAREHOUSE"] || env["RETENTIONOPS_VERSION"] == "" {
			t.Errorf("%s runs with %v", name, env)
		}
	}
	if len(accounts) != len(deployed()) {
		t.Errorf("%d accounts for %d functions", len(accounts), len(deployed()))
	}
	for account := range accounts {
		if id, _, _ := strings.Cut(account, "@"); len(id) < 6 || len(id) > 30 {
			t.Errorf("%s is no id of an account: %d characters", id, len(id))
		}
	}
}

// checkGateway asserts that the gateway knows where the functions are, and nothing of the data.
func checkGateway(t *testing.T, d deployment, env map[string]string) {
	t.Helper()
	behind := append([]*functions.Tool{functions.ReadRecord}, functions.Tools...)
	connected := strings.Fields(env["RETENTIONOPS_MCP_FUNCTIONS"])
	for _, tool := range behind {
		if !slices.Contains(connected, tool.Name+"=https://"+serviceOf(tool)+".example.run.app") {
			t.Errorf("the gateway is not connected to %s: %q", tool.Name, connected)
		}
		call := d.called("gcloud", "functions", "add-invoker-policy-binding", serviceOf(tool))
		if !strings.Contains(fmt.Sprint(call), "serviceAccount:rop-mcp-gateway@") {
			t.Errorf("the gateway may not call %s", tool.Name)
		}
	}
	if len(connected) != len(behind) || env["RETENTIONOPS_AUTH"] != "iam" || env["RETENTIONOPS_MCP_HOSTS"] == "" {
		t.Errorf("the gateway runs with %v", env)
	}
	for _, word := range []string{"WAREHOUSE", "ARCHIVE", "EXPORTS", "RULES", "SHEETS"} {
		if env["RETENTIONOPS_"+word] != "" {
			t.Errorf("the gateway knows RETENTIONOPS_%s", word)
		}
	}
	for _, call := range d.calls {
		text := strings.Join(call, " ")
		if strings.Contains(text, "serviceAccount:rop-mcp-gateway@") && !strings.Contains(text, "add-invoker-policy-binding") {
			t.Errorf("the gateway has a right of its own: %s", text)
		}
	}
	if bound := d.called("gcloud", "functions", "add-invoker-policy-binding", "mcp-gateway"); len(bound) > 0 {
		t.Errorf("somebody may call the gateway: %q", bound)
	}
}

// TestTheGatewayTakesTokens gives it an issuer, and the address that tokens are made out to.
func TestTheGatewayTakesTokens(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["RETENTIONOPS_OPEN"] = "mcp_gateway"
	settings["RETENTIONOPS_MCP_ISSUER"] = "https://login.acme.example"
	d := deploy(t, settings, true, "function", "mcp_gateway")
	if d.failed {
		t.Fatal(d.out)
	}
	env := readEnv(t, filepath.Join(d.uploads, "mcp-gateway.env.yaml"))
	if env["RETENTIONOPS_MCP_ISSUER"] != "https://login.acme.example" || env["RETENTIONOPS_AUTH"] != "key" ||
		env["RETENTIONOPS_MCP_PUBLIC_URL"] != "https://mcp-gateway.example.run.app/mcp" {
		t.Errorf("the gateway runs with %v", env)
	}
	behind := deploy(t, settings, true, "function", "export_audience")
	if env := readEnv(t, filepath.Join(behind.uploads, "export-audience.env.yaml")); env["RETENTIONOPS_MCP_ISSUER"] != "" {
		t.Errorf("a function behind it runs with %v", env)
	}
	planned := deploy(t, settings, false, "plan")
	if planned.failed || !strings.Contains(planned.out, "deploy mcp-gateway") {
		t.Errorf("planned in an empty project: %s", planned.out)
	}
	if first := deploy(t, settings, false, "function", "mcp_gateway"); !first.failed || !strings.Contains(first.out, "RETENTIONOPS_MCP_PUBLIC_URL") {
		t.Errorf("without an address: %s", first.out)
	}
	settings["RETENTIONOPS_OPEN"] = ""
	if private := deploy(t, settings, true, "function", "mcp_gateway"); !private.failed || !strings.Contains(private.out, "RETENTIONOPS_OPEN") {
		t.Errorf("behind the platform's check: %s", private.out)
	}
}

func readEnv(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	if err := yaml.Unmarshal(data, &env); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return env
}

// checkUpload asserts that an upload is one function: a generated file on top, no tests, no tools, no laptop.
func checkUpload(t *testing.T, folder string) {
	t.Helper()
	tops, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(tops) != 1 {
		t.Errorf("%s has %d Go files on top: %v", filepath.Base(folder), len(tops), err)
	}
	err = filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		for _, word := range []string{"_test.go", "duckdb", "/shop/", "/cli/", "/testdata/", ".env"} {
			if strings.Contains(path, word) {
				t.Errorf("%s is uploaded", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	module, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil || strings.Contains(string(module), "\ntool ") {
		t.Errorf("go.mod of %s has tools: %v", filepath.Base(folder), err)
	}
}

// who lists the functions whose accounts appear in calls, in alphabetical order.
func who(calls [][]string, words ...string) []string {
	var names []string
	for _, call := range calls {
		text := strings.Join(call, " ")
		if slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			continue
		}
		_, rest, _ := strings.Cut(text, "serviceAccount:rop-")
		name, _, _ := strings.Cut(rest, "@")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func checkRights(t *testing.T, d deployment) {
	t.Helper()
	for _, right := range []struct {
		name  string
		words []string
		want  []string
	}{
		{"writes our tables", []string{"bigquery.dataEditor", "acme-retention.retention"}, []string{"build-priority-queue", "trigger-playbook"}},
		{"writes the detection", []string{"bigquery.dataEditor", "acme-data.detection"}, nil},
		{"writes audiences", []string{"gs://acme-exports", "objectUser"}, []string{"export-audience", "trigger-playbook"}},
		// A brief links to the files that are there, and to look needs the right to read; their rows it reads in the queue.
		{"reads audiences", []string{"gs://acme-exports", "objectViewer"}, []string{"generate-brief"}},
		{"knows the webhook", []string{"retentionops-webhook-url", "secretAccessor"}, []string{"trigger-playbook"}},
		{"sends mail", []string{"retentionops-mail-password", "secretAccessor"}, []string{"check-health", "trigger-playbook"}},
		{"writes the archive", []string{"gs://acme-archive", "objectUser"}, []string{"build-priority-queue", "check-health", "trigger-playbook"}},
		{"owns anything", []string{"roles/owner"}, nil},
		{"edits the project", []string{"roles/editor"}, nil},
		{"calls functions", []string{"add-invoker-policy-binding"}, []string{"make", "mcp-gateway", "scheduler"}},
	} {
		if diff := cmp.Diff(right.want, who(d.calls, right.words...)); diff != "" {
			t.Errorf("who %s: %s", right.name, diff)
		}
	}
	if got := d.called("gcloud", "scheduler", "jobs", "update", "http"); len(got) != 2 || flag(got[0], "oidc-service-account-email") == "" ||
		flag(got[0], "max-retry-attempts") == "0" || flag(got[0], "time-zone") != "Europe/Berlin" {
		t.Errorf("the schedule: %q", got)
	}
}

func checkSecrets(t *testing.T, d deployment) {
	t.Helper()
	said := d.out + fmt.Sprint(d.calls)
	envs, err := filepath.Glob(filepath.Join(d.uploads, "*.env.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range envs {
		said += fmt.Sprint(readEnv(t, path))
	}
	if strings.Contains(said, secret) {
		t.Error("a secret is written down")
	}
	call := d.called("gcloud", "functions", "deploy", "trigger-playbook")[0]
	if got := flag(call, "set-secrets"); !strings.Contains(got, "RETENTIONOPS_WEBHOOK_SECRET=retentionops-webhook-secret:7") {
		t.Errorf("trigger_playbook gets the secrets %q", got)
	}
	// A project without any secret can still run its shadow phase.
	without := deploy(t, companySettings(), false, "function", "trigger_playbook")
	if without.failed || !slices.Contains(without.called("gcloud", "functions", "deploy")[0], "--clear-secrets") {
		t.Errorf("without secrets: %s", without.out)
	}
}

// makers are the commands that make something.
var makers = [][]string{
	{"gcloud", "iam", "service-accounts", "create"},
	{"gcloud", "storage", "buckets", "create"},
	{"bq", "mk"},
	{"gcloud", "scheduler", "jobs", "create"},
}

func TestAPlanChangesNothing(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{true, false} {
		d := deploy(t, companySettings(), there, "plan")
		if d.failed {
			t.Fatal(d.out)
		}
		for _, call := range d.calls {
			text := strings.Join(call, " ")
			if !strings.Contains(text, " describe ") && !strings.Contains(text, " list ") && !strings.Contains(text, " show ") &&
				!strings.Contains(text, " get-iam-policy ") {
				t.Errorf("the plan calls %s", text)
			}
		}
		for _, words := range makers {
			if strings.Contains(d.out, strings.Join(words, " ")) == there {
				t.Errorf("where it is there is %v, the plan and %s", there, strings.Join(words, " "))
			}
		}
		for _, tool := range deployed() {
			if !strings.Contains(d.out, "gcloud functions deploy "+serviceOf(tool)+" ") {
				t.Errorf("the plan does not show %s", tool.Name)
			}
		}
	}
}

func TestOnlyWhatTheOperatorOpensIsOpen(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["RETENTIONOPS_OPEN"] = "get_alert_decision trigger_playbook"
	for _, name := range []string{"get_alert_decision", "trigger_playbook", "get_operational_context"} {
		d := deploy(t, settings, true, "function", name)
		if d.failed {
			t.Fatal(d.out)
		}
		call := d.called("gcloud", "functions", "deploy")[0]
		open := name != "get_operational_context"
		env := readEnv(t, filepath.Join(d.uploads, call[3]+".env.yaml"))
		byKey := env["RETENTIONOPS_AUTH"] == "key" && strings.Contains(flag(call, "set-secrets"), "RETENTIONOPS_API_KEYS=retentionops-api-keys:7")
		if slices.Contains(call, "--allow-unauthenticated") != open || byKey != open {
			t.Errorf("%s: %q with %v", call[3], call, env)
		}
		if name != "trigger_playbook" {
			continue
		}
		// The scheduler shows its identity to an open function too, made out to what that function expects.
		job := deploy(t, settings, true, "schedule").called("gcloud", "scheduler", "jobs", "update", "http", "retentionops-daily")[0]
		if flag(job, "oidc-token-audience") != env["RETENTIONOPS_AUDIENCE"] || !strings.HasPrefix(env["RETENTIONOPS_INVOKERS"], flag(job, "oidc-service-account-email")+",") {
			t.Errorf("the scheduler shows %q, the function expects %v", job, env)
		}
	}
	settings["RETENTIONOPS_OPEN"] = "trigger_playbok"
	if d := deploy(t, settings, true, "plan"); !d.failed || !strings.Contains(d.out, `no function is named "trigger_playbok"`) {
		t.Errorf("a mistyped function: %s", d.out)
	}
	settings["RETENTIONOPS_OPEN"] = "trigger_playbook"
	if d := deploy(t, settings, false, "function", "trigger_playbook"); !d.failed || !strings.Contains(d.out, "retentionops-api-keys") {
		t.Errorf("open without a key: %s", d.out)
	}
}
