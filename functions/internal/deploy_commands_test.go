package internal_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisableStopsWhatActsAndEnableBringsItBack(t *testing.T) {
	t.Parallel()
	off := deploy(t, companySettings(), true, "disable")
	if off.failed {
		t.Fatal(off.out)
	}
	var closed []string
	for _, call := range off.called("gcloud", "functions", "remove-invoker-policy-binding") {
		closed = append(closed, call[3])
	}
	slices.Sort(closed)
	if diff := cmp.Diff([]string{"build-priority-queue", "export-audience", "trigger-playbook"}, slices.Compact(closed)); diff != "" {
		t.Errorf("closed: %s", diff)
	}
	on := deploy(t, companySettings(), true, "enable")
	if on.failed || len(off.called("gcloud", "scheduler", "jobs", "pause")) != 2 || len(on.called("gcloud", "scheduler", "jobs", "resume")) != 2 {
		t.Errorf("the schedule: %q, then %q", off.calls, on.calls)
	}
	// What is off already must not keep the rest on.
	settings := companySettings()
	settings["STUB_FAIL"] = "jobs pause"
	if again := deploy(t, settings, true, "disable"); again.failed || len(again.called("gcloud", "functions", "remove-invoker-policy-binding")) == 0 {
		t.Errorf("disabled twice: %s", again.out)
	}
}

func TestDestroyAsksAndLeavesTheData(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	for _, answer := range []string{"", "yes", "acme"} {
		settings["RETENTIONOPS_CONFIRM_DESTROY"] = answer
		if d := deploy(t, settings, true, "destroy"); !d.failed || len(d.calls) != 0 {
			t.Errorf("answered %q: %q", answer, d.calls)
		}
	}
	settings["RETENTIONOPS_CONFIRM_DESTROY"] = "acme-retention"
	d := deploy(t, settings, true, "destroy")
	if d.failed || len(d.called("gcloud", "functions", "delete")) != len(deployed()) {
		t.Error(d.out)
	}
	for _, call := range d.calls {
		if text := strings.Join(call, " "); strings.Contains(text, "storage rm") || strings.Contains(text, "secrets delete") || call[0] == "bq" {
			t.Errorf("data is deleted: %s", text)
		}
	}
}

func TestCheckNamesWhatIsMissingAndItsMend(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["STUB_APIS"] = "artifactregistry bigquery cloudbuild cloudfunctions cloudscheduler iam iamcredentials run secretmanager sheets storage"
	if d := deploy(t, settings, true, "check"); d.failed || strings.Contains(d.out, "missing") {
		t.Errorf("nothing is missing: %s", d.out)
	}
	d := deploy(t, settings, false, "check")
	if !d.failed {
		t.Error("everything is missing, and it ends well")
	}
	for _, want := range []string{
		"missing  input table acme-data:detection.alert_logic", "missing  table acme-retention:retention.ops_runs_log",
		"missing  bucket gs://acme-exports", "missing  API run", "gcloud services enable run.googleapis.com",
		"missing  secret retentionops-webhook-url", "gcloud secrets create retentionops-webhook-url",
	} {
		if !strings.Contains(d.out, want) {
			t.Errorf("it does not say %q:\n%s", want, d.out)
		}
	}
}

func TestDeploySettingsThatAreMissingAreNamed(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct{ name, value, want string }{
		{"RETENTIONOPS_PROJECT", "", "RETENTIONOPS_PROJECT is not set"},
		{"RETENTIONOPS_WAREHOUSE", "duckdb:x", "RETENTIONOPS_WAREHOUSE must be bigquery://"},
		{"RETENTIONOPS_ARCHIVE", "file:///tmp", "RETENTIONOPS_ARCHIVE must be gs://"},
		{"RETENTIONOPS_EXPORTS", "", "RETENTIONOPS_EXPORTS must be gs://"},
	} {
		settings := companySettings()
		settings[fault.name] = fault.value
		if d := deploy(t, settings, true, "all"); !d.failed || !strings.Contains(d.out, fault.want) || len(d.calls) != 0 {
			t.Errorf("%s=%s: %s", fault.name, fault.value, d.out)
		}
	}
}

func TestDeployReadsItsFileAndRunsNothingInIt(t *testing.T) {
	t.Parallel()
	file, trap := filepath.Join(t.TempDir(), "env"), filepath.Join(t.TempDir(), "trap")
	text := "# ours\n\nRETENTIONOPS_PROJECT=from-file\nRETENTIONOPS_REGION=$(touch " + trap + ")\n"
	for name, value := range companySettings() {
		if name != "RETENTIONOPS_PROJECT" {
			text += name + "=" + value + "\n"
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := deploy(t, map[string]string{"RETENTIONOPS_ENV_FILE": file}, true, "plan")
	if d.failed || !strings.Contains(d.out, "--project=from-file") {
		t.Errorf("the file was not read: %s", d.out)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("a line of the file was run")
	}
	if d := deploy(t, map[string]string{"RETENTIONOPS_ENV_FILE": file, "RETENTIONOPS_PROJECT": "from-env"}, true, "plan"); !strings.Contains(d.out, "--project=from-env") {
		t.Error("the environment does not stand before the file")
	}
}

func TestRulesArePublishedOnlyWhenTheyAreSound(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	if d := deploy(t, settings, true, "rules"); !d.failed || !strings.Contains(d.out, "RETENTIONOPS_RULES") {
		t.Errorf("without a bucket: %s", d.out)
	}
	settings["RETENTIONOPS_RULES"], settings["RETENTIONOPS_TEMPLATES"] = "gs://acme-rules/rules/", "gs://acme-rules/templates/"
	settings["STUB_FAIL"] = "rules test"
	if d := deploy(t, settings, true, "rules"); !d.failed || len(d.called("gcloud", "storage", "rsync")) != 0 {
		t.Errorf("a failing example: %q", d.calls)
	}
	settings["STUB_FAIL"] = ""
	d := deploy(t, settings, true, "rules")
	if d.failed || len(d.called("gcloud", "storage", "rsync")) != 2 {
		t.Fatalf("%q: %s", d.calls, d.out)
	}
	for folder, suffix := range map[string]string{"rules": ".yaml", "brief_templates": ".tmpl"} {
		entries, err := os.ReadDir(filepath.Join(d.uploads, folder))
		if err != nil || len(entries) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), suffix) {
				t.Errorf("%s is published with the %s", entry.Name(), folder)
			}
		}
	}
}
