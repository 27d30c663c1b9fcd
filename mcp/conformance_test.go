//go:build integration

package mcp

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// TestTheOfficialSuite asks the protocol's own judge: nothing may fail of what the present version requires, and of the
// version before it only what the baseline gives a reason for. An entry there that passes fails as well.
func TestTheOfficialSuite(t *testing.T) {
	t.Parallel()
	now := []string{"--requirements", string(modern)}
	before := []string{"--requirements", string(legacy), "--expected-failures", "testdata/conformance/baseline.yml"}
	for name, tc := range map[string]struct {
		url  string
		args []string
	}{
		"2026-07-28":             {withFixtures(t, nil), now},
		"2026-07-28, with a key": {withKey(t), now},
		"2025-11-25":             {withFixtures(t, nil), before},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if report, _, err := judge(t, tc.url, tc.args...); err != nil {
				t.Errorf("%v\n%s", err, report)
			}
		})
	}
}

// TestTheOfficialSuiteOnWhatWeServe asks of the gateway as it is deployed, without a fixture, what can be asked so. The
// numbers are kept: what the suite cannot try counts as neither kept nor broken.
func TestTheOfficialSuiteOnWhatWeServe(t *testing.T) {
	t.Parallel()
	caller := Local(doorsWith(t, door.ModeLocal, work{read: someRules, brief: aBrief}))
	whole := map[string]string{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0", "RETENTIONOPS_MCP_ACTIONS": "true"}
	report, results, _ := judge(t, serve(t, whole, caller).url, "--requirements", string(modern)) // without fixtures much must fail
	var table bytes.Buffer
	for _, scenario := range []string{
		"server-stateless", "caching", "http-header-validation", "dns-rebinding-protection", "tools-list", "resources-list",
		"prompts-list", "completion-complete", "sep-2164-resource-not-found", "input-required-result-unsupported-methods",
	} {
		counted := map[string]int{}
		for _, check := range checks(t, results, scenario) {
			switch {
			case check.Status == "FAILURE" && check.Details.Untestable:
				check.Status = "SKIPPED"
			case check.Status == "FAILURE":
				t.Errorf("%s: %s: %s\n%s", scenario, check.ID, check.ErrorMessage, report)
			}
			counted[check.Status]++
		}
		fmt.Fprintf(&table, "%-41s %2d kept, %d warned of, %d not to be tried\n",
			scenario, counted["SUCCESS"], counted["WARNING"], counted["SKIPPED"])
	}
	golden(t, "conformance/unfixtured.txt", table.Bytes())
}

type check struct {
	ID, Status, ErrorMessage string
	Details                  struct{ Untestable bool }
}

// checks are what the suite has written down of a scenario.
func checks(t *testing.T, results, scenario string) []check {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(results, "server-"+scenario+"-20*", "checks.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("results of %s: %v, %v", scenario, files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return read[[]check](t, string(data))
}

func someRules(context.Context, functions.ReadRecordInput) (functions.ReadRecordOutput, error) {
	files := []functions.RuleFile{{Name: "fields.yaml", Text: "fields: []"}}
	return functions.ReadRecordOutput{Record: functions.RecordRules, Rules: &functions.RuleFiles{RulesVersion: "v1", Files: files}}, nil
}

func aBrief(context.Context, functions.GenerateBriefInput) (functions.GenerateBriefOutput, error) {
	return functions.GenerateBriefOutput{Date: day, Format: functions.FormatMarkdown, Text: "# All is well"}, nil
}

// withFixtures is where a gateway is that serves what the suite calls beside its own.
func withFixtures(t *testing.T, settings map[string]string) string {
	t.Helper()
	if settings == nil {
		settings = map[string]string{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0"}
	}
	gateway := serve(t, settings, Local(doorsWith(t, door.ModeLocal, work{read: someRules, brief: aBrief})))
	addFixtures(t, gateway.Gateway)
	server := httptest.NewServer(gate(gateway.Gateway))
	t.Cleanup(server.Close)
	return server.URL + Path
}

// withKey is where a gateway is that lets nobody in without a key. The suite can send none, so it is sent for it.
func withKey(t *testing.T) string {
	t.Helper()
	var behind *url.URL
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer key")
	}})
	t.Cleanup(server.Close)
	gateway := withFixtures(t, map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_KEYS": "suite:read:" + sumOf("key"), "RETENTIONOPS_MCP_RATE": "0",
		"RETENTIONOPS_MCP_HOSTS": "127.0.0.1", "RETENTIONOPS_MCP_ORIGINS": server.URL,
	})
	var err error
	if behind, err = url.Parse(strings.TrimSuffix(gateway, Path)); err != nil {
		t.Fatal(err)
	}
	return server.URL + Path
}

// judge runs the suite against a gateway.
func judge(t *testing.T, url string, args ...string) (report, results string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	results = t.TempDir()
	suite := filepath.Join(nodeModules(t), "@modelcontextprotocol/conformance/dist/index.js")
	said, err := node(ctx, t, suite, append([]string{"server", "--url", url, "-o", results}, args...)...).CombinedOutput()
	return string(said), results, err
}
