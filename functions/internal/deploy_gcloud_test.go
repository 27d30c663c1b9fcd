package internal_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// realGcloud is the folder of the real gcloud; without it the test is skipped, visibly.
func realGcloud(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("gcloud is not installed here: its own parser and its own requests are not tried")
	}
	return path
}

// quiet are the settings that keep gcloud from asking, reporting or signing in.
func quiet(t *testing.T) []string {
	t.Helper()
	return []string{
		"CLOUDSDK_CONFIG=" + t.TempDir(), "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true", "CLOUDSDK_CORE_PROJECT=acme-retention",
		"CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true", "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=1",
	}
}

// TestGcloudUnderstandsEveryCommand gives every command to gcloud's own parser, which needs no network.
func TestGcloudUnderstandsEveryCommand(t *testing.T) {
	t.Parallel()
	gcloud := realGcloud(t)
	settings := companySettings()
	settings["RETENTIONOPS_OPEN"] = "get_alert_decision"
	settings["RETENTIONOPS_RULES"] = "gs://acme-rules/rules/"
	settings["RETENTIONOPS_CONFIRM_DESTROY"] = "acme-retention"
	seen := map[string]bool{}
	type command struct {
		Text string `json:"command_string"`
	}
	var commands []command
	add := func(words []string) {
		if words[0] != "gcloud" {
			return
		}
		quoted := make([]string, len(words))
		for i, word := range words {
			quoted[i] = word
			if strings.ContainsAny(word, " *{}'\"()~$") {
				quoted[i] = "'" + word + "'"
			}
		}
		if text := strings.Join(quoted, " "); !seen[text] {
			seen[text] = true
			commands = append(commands, command{text})
		}
	}
	for _, args := range []string{"disable", "enable", "destroy", "rules", "check"} {
		for _, call := range deploy(t, settings, true, args).calls {
			add(call)
		}
	}
	for _, there := range []bool{true, false} { // what it would update, and what it would make
		for _, call := range planned(t, deploy(t, settings, there, "plan").out) {
			add(call)
		}
	}
	data, err := json.Marshal(commands)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "commands.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), gcloud, "meta", "lint-gcloud-commands", "--commands-file="+file)
	cmd.Env = append(os.Environ(), quiet(t)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []struct {
		Text    string `json:"command_string"`
		Success bool   `json:"success"`
		Error   string `json:"error_message"`
	}
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(commands) || len(commands) < 40 {
		t.Fatalf("%d verdicts on %d commands: %v", len(verdicts), len(commands), err)
	}
	for _, verdict := range verdicts {
		if !verdict.Success {
			t.Errorf("%s\n%s", verdict.Text, verdict.Error)
		}
	}
}

// planned reads the commands of a plan, as a shell would.
func planned(t *testing.T, plan string) [][]string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "bash", "-c",
		`grep -E '^(gcloud|bq|go) ' | while IFS= read -r line; do eval "set -- $line" && printf '%s\x1f' "$@" && echo; done`)
	shell.Stdin = strings.NewReader(plan)
	out, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]string
	for line := range strings.Lines(string(out)) {
		calls = append(calls, strings.Split(strings.TrimSuffix(line, "\x1f\n"), "\x1f"))
	}
	return calls
}

// platform stands in for the APIs that gcloud calls to deploy a function, and keeps what it is sent.
type platform struct {
	*httptest.Server
	mu       sync.Mutex
	upload   []byte
	created  map[string]any
	policies []string
	unknown  []string
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP answers as the platform does for a first deployment that goes well.
func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	path, _, _ := strings.Cut(r.URL.Path, ":")
	const function = "projects/acme-retention/locations/europe-west1/functions/get-alert-decision"
	deployedFunction := map[string]any{
		"name": function, "environment": "GEN_2", "state": "ACTIVE",
		"serviceConfig": map[string]any{"uri": "https://get-alert-decision.example.run.app", "service": "projects/acme-retention/locations/europe-west1/services/get-alert-decision"},
	}
	answer := func(value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	switch {
	case r.Method == http.MethodPut:
		p.upload = body
	case strings.HasSuffix(r.URL.Path, ":generateUploadUrl"):
		answer(map[string]any{"uploadUrl": p.URL + "/upload", "storageSource": map[string]any{"bucket": "b", "object": "o"}})
	case strings.HasSuffix(path, "/runtimes"):
		answer(map[string]any{"runtimes": []any{map[string]any{"name": "go126", "environment": "GEN_2"}}})
	case strings.Contains(path, "/operations/"):
		answer(map[string]any{"name": strings.TrimPrefix(path, "/v2/"), "done": true, "response": deployedFunction, "metadata": map[string]any{
			"@type":  "type.googleapis.com/google.cloud.functions.v2.OperationMetadata",
			"stages": []any{map[string]any{"name": "BUILD", "state": "COMPLETE"}},
		}})
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/functions"):
		if err := json.Unmarshal(body, &p.created); err != nil {
			p.unknown = append(p.unknown, "a body that is no JSON")
		}
		answer(map[string]any{"name": "projects/acme-retention/locations/europe-west1/operations/one"})
	case strings.HasSuffix(path, "/functions/get-alert-decision"):
		if p.created == nil {
			http.Error(w, `{"error": {"code": 404, "status": "NOT_FOUND"}}`, http.StatusNotFound)
			return
		}
		answer(deployedFunction)
	case strings.HasSuffix(r.URL.Path, "IamPolicy"):
		p.policies = append(p.policies, r.URL.Path+" "+string(body))
		answer(map[string]any{"etag": "AAAA", "bindings": []any{}})
	case strings.Contains(path, "/services/"):
		answer(map[string]any{"state": "ENABLED"})
	case strings.HasSuffix(r.URL.Path, ":batchEnable"):
		answer(map[string]any{"name": "operations/noop.DONE_OPERATION", "done": true})
	case strings.HasSuffix(path, "/defaultServiceAccount"):
		answer(map[string]any{"serviceAccountEmail": "default@acme-retention.iam.gserviceaccount.com"})
	case strings.HasPrefix(path, "/v1/projects/acme-retention"):
		answer(map[string]any{"projectId": "acme-retention", "projectNumber": "1234567890"})
	default:
		p.unknown = append(p.unknown, r.Method+" "+r.URL.Path)
		http.Error(w, `{"error": {"code": 404, "status": "NOT_FOUND"}}`, http.StatusNotFound)
	}
}

// TestTheRealGcloudUploadsAFunction lets deploy.sh and gcloud deploy to a loopback stand-in of the platform, and looks at
// what arrived there.
func TestTheRealGcloudUploadsAFunction(t *testing.T) {
	t.Parallel()
	realGcloud(t)
	p := newPlatform(t)
	cmd := deployCommand(t, companySettings(), "function", functions.GetAlertDecision.Name)
	cmd.Env = append(cmd.Env, quiet(t)...)
	for _, api := range []string{
		"CLOUDFUNCTIONS", "RUN", "SERVICEUSAGE", "CLOUDRESOURCEMANAGER", "SECRETMANAGER", "IAM", "CLOUDSCHEDULER", "CLOUDBUILD",
		"ARTIFACTREGISTRY", "STORAGE", "PUBSUB",
	} {
		cmd.Env = append(cmd.Env, "CLOUDSDK_API_ENDPOINT_OVERRIDES_"+api+"="+p.URL+"/")
	}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\nnot understood: %q", err, out, p.unknown)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var created struct {
		BuildConfig struct {
			Runtime, EntryPoint, ServiceAccount string
			EnvironmentVariables                map[string]string
		}
		ServiceConfig struct {
			ServiceAccountEmail, AvailableMemory, AvailableCPU string
			TimeoutSeconds, MaxInstanceCount                   int
			EnvironmentVariables                               map[string]string
		}
		Labels map[string]string
	}
	data, err := json.Marshal(p.created)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &created); err != nil {
		t.Fatal(err)
	}
	if created.BuildConfig.Runtime != "go126" || created.BuildConfig.EntryPoint != functions.GetAlertDecision.EntryPoint ||
		created.BuildConfig.EnvironmentVariables["GOOGLE_GOLDFLAGS"] != "-s -w" ||
		created.ServiceConfig.ServiceAccountEmail != "rop-get-alert-decision@acme-retention.iam.gserviceaccount.com" ||
		created.ServiceConfig.EnvironmentVariables["RETENTIONOPS_AUTH"] != "iam" || created.ServiceConfig.TimeoutSeconds != 60 ||
		created.Labels["app"] != "retentionops" {
		t.Errorf("created is %s", data)
	}
	archive, err := zip.NewReader(bytes.NewReader(p.upload), int64(len(p.upload)))
	if err != nil {
		t.Fatalf("the upload is no archive: %v", err)
	}
	names := map[string]bool{}
	for _, file := range archive.File {
		names[file.Name] = true
		if strings.HasSuffix(file.Name, "_test.go") || strings.Contains(file.Name, "duckdb") {
			t.Errorf("%s is uploaded", file.Name)
		}
	}
	for _, want := range []string{"go.mod", "go.sum", "function.go", "functions/get_alert_decision/function.go", "rules/priority.yaml"} {
		if !names[want] {
			t.Errorf("%s is not uploaded", want)
		}
	}
	if strings.Contains(strings.Join(p.policies, "\n"), "allUsers") {
		t.Error("the function was opened to everybody")
	}
}
