package internal_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestTheGatewayIsOpenToBearersAlone opens it, and shows its identity to a function that is open too.
func TestTheGatewayIsOpenToBearersAlone(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["RETENTIONOPS_OPEN"] = "mcp_gateway trigger_playbook"
	settings["RETENTIONOPS_MCP_HOSTS"] = "mcp.acme.example"
	d := deploy(t, settings, true, "function", "mcp_gateway")
	if d.failed {
		t.Fatal(d.out)
	}
	call := d.called("gcloud", "functions", "deploy")[0]
	env := readEnv(t, filepath.Join(d.uploads, "mcp-gateway.env.yaml"))
	if flag(call, "set-secrets") != "RETENTIONOPS_MCP_KEYS=retentionops-mcp-keys:7" || env["RETENTIONOPS_AUTH"] != "key" || env["RETENTIONOPS_MCP_HOSTS"] != "mcp.acme.example" {
		t.Errorf("%q with %v", call, env)
	}
	open := deploy(t, settings, true, "function", "trigger_playbook")
	behind := readEnv(t, filepath.Join(open.uploads, "trigger-playbook.env.yaml"))
	if !strings.Contains(env["RETENTIONOPS_MCP_FUNCTIONS"], "run.app|"+behind["RETENTIONOPS_AUDIENCE"]) ||
		!strings.Contains(behind["RETENTIONOPS_INVOKERS"], ","+behind["RETENTIONOPS_GATEWAY"]) ||
		!strings.HasPrefix(behind["RETENTIONOPS_GATEWAY"], "rop-mcp-gateway@") || env["RETENTIONOPS_GATEWAY"] != "" {
		t.Errorf("the gateway shows %v, the function expects %v", env, behind)
	}
	if without := deploy(t, settings, false, "function", "mcp_gateway"); !without.failed {
		t.Errorf("open without a key: %s", without.out)
	}
	settings["RETENTIONOPS_MCP_ACTIONS"] = "true"
	acting := deploy(t, settings, true, "function", "mcp_gateway")
	env = readEnv(t, filepath.Join(acting.uploads, "mcp-gateway.env.yaml"))
	if got := flag(acting.called("gcloud", "functions", "deploy")[0], "set-secrets"); !strings.Contains(got, "RETENTIONOPS_MCP_CONFIRM_KEYS=retentionops-mcp-confirm-keys:7") ||
		env["RETENTIONOPS_MCP_ACTIONS"] != "true" {
		t.Errorf("acting, it gets the secrets %q and %v", got, env)
	}
}

// TestTheGatewayTellsACollector gets OpenTelemetry's settings to the gateway alone, and what the collector asks for by
// reference.
func TestTheGatewayTellsACollector(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["OTEL_EXPORTER_OTLP_ENDPOINT"], settings["OTEL_TRACES_SAMPLER"] = "https://otel.acme.example", "always_on"
	settings["OTEL_EXPORTER_OTLP_HEADERS"] = secret
	d := deploy(t, settings, true, "function", "mcp_gateway")
	env := readEnv(t, filepath.Join(d.uploads, "mcp-gateway.env.yaml"))
	if env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "https://otel.acme.example" || env["OTEL_TRACES_SAMPLER"] != "always_on" || env["GOOGLE_CLOUD_PROJECT"] == "" {
		t.Errorf("the gateway runs with %v", env)
	}
	if got := flag(d.called("gcloud", "functions", "deploy")[0], "set-secrets"); got != "OTEL_EXPORTER_OTLP_HEADERS=otel-exporter-otlp-headers:7" ||
		strings.Contains(d.out, secret) || env["OTEL_EXPORTER_OTLP_HEADERS"] != "" {
		t.Errorf("it gets the secrets %q and %v", got, env)
	}
	behind := deploy(t, settings, true, "function", "export_audience")
	if env := readEnv(t, filepath.Join(behind.uploads, "export-audience.env.yaml")); env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" {
		t.Errorf("a function behind it runs with %v", env)
	}
}
