package internal_test

import (
	"maps"
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

// A disable that did not work must not say that nothing acts any more.
func TestDisableLooksWhetherAnythingStillActs(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{
		"a job is still on":          "STUB_ENABLED=retentionops-daily",
		"everybody may still call":   "STUB_MEMBERS=allUsers",
		"the scheduler may call":     "STUB_MEMBERS=serviceAccount:rop-scheduler@acme-retention.iam.gserviceaccount.com",
		"jobs cannot be looked at":   "STUB_FAIL=scheduler jobs list",
		"rights cannot be looked at": "STUB_FAIL=get-iam-policy",
		"nothing can be asked":       "STUB_FAIL=gcloud",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := companySettings()
			settings["STUB_SERVICES"] = "build-priority-queue export-audience trigger-playbook"
			key, value, _ := strings.Cut(setting, "=")
			settings[key] = value
			if d := deploy(t, settings, true, "disable"); !d.failed || strings.Contains(d.out, "nothing acts any more") {
				t.Errorf("%s", d.out)
			}
		})
	}
	settings := companySettings()
	settings["STUB_MEMBERS"] = "user:operator@example.com" // rights of their own are not the script's
	if d := deploy(t, settings, true, "disable"); d.failed || !strings.Contains(d.out, "nothing acts any more") {
		t.Error(d.out)
	}
}

func TestDestroyLooksWhetherAnythingIsLeft(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["RETENTIONOPS_CONFIRM_DESTROY"] = "acme-retention"
	for _, fault := range []string{"STUB_FAIL=gcloud", "STUB_SERVICES=trigger-playbook", "STUB_ENABLED=retentionops-daily"} {
		key, value, _ := strings.Cut(fault, "=")
		broken := maps.Clone(settings)
		broken[key] = value
		if d := deploy(t, broken, true, "destroy"); !d.failed {
			t.Errorf("%s: %s", fault, d.out)
		}
	}
}

// A function that was open must be closed before a revision runs that leaves the caller to the platform.
func TestAFunctionIsClosedBeforeItBelievesThePlatform(t *testing.T) {
	t.Parallel()
	settings := companySettings()
	settings["STUB_MEMBERS"] = "allUsers"
	d := deploy(t, settings, true, "function", "trigger_playbook")
	closed := slices.IndexFunc(d.calls, func(call []string) bool {
		return len(call) > 3 && call[2] == "remove-invoker-policy-binding" && call[3] == "trigger-playbook" && flag(call, "member") == "allUsers"
	})
	deployed := slices.IndexFunc(d.calls, func(call []string) bool { return len(call) > 2 && call[2] == "deploy" })
	if d.failed || closed < 0 || deployed < closed {
		t.Errorf("closed by call %d, deployed by call %d: %s", closed, deployed, d.out)
	}
	settings["STUB_FAIL"] = "remove-invoker-policy-binding"
	if d := deploy(t, settings, true, "function", "trigger_playbook"); !d.failed || len(d.called("gcloud", "functions", "deploy")) != 0 {
		t.Errorf("it stays open and is deployed: %s", d.out)
	}
	settings = companySettings()
	settings["RETENTIONOPS_OPEN"], settings["STUB_MEMBERS"] = "trigger_playbook", "allUsers"
	if d := deploy(t, settings, true, "function", "trigger_playbook"); d.failed || len(d.called("gcloud", "functions", "remove-invoker-policy-binding")) != 0 {
		t.Errorf("one that is to be open: %s", d.out)
	}
}

func TestAFunctionThatNobodyKnowsIsNotDeployed(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"function", "trigger_playbok"}, {"function"}, {"stage", t.TempDir(), "trigger_playbok"}} {
		if d := deploy(t, companySettings(), true, args...); !d.failed || !strings.Contains(d.out, "no function is named") || len(d.calls) != 0 {
			t.Errorf("%q: %q, %s", args, d.calls, d.out)
		}
	}
}

func TestASettingThatNobodyReadsIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "env")
	text := "OTHER=x\nRETENTIONOPS_EXCLUSION=gs://acme-legal/lists/never.csv\n" // it would leave nobody out
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := companySettings()
	settings["RETENTIONOPS_ENV_FILE"] = file
	if d := deploy(t, settings, true, "all"); !d.failed || len(d.calls) != 0 || !strings.Contains(d.out, "no setting is named RETENTIONOPS_EXCLUSION") {
		t.Errorf("%q: %s", d.calls, d.out)
	}
}

func TestRulesArePublishedIntoFoldersOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"gs://acme-rules/all", "gs://acme-rules/all/"}, {"gs://acme-archive/papers", ""}, {"", "gs://acme-exports/audiences/"},
	} {
		settings := companySettings()
		settings["RETENTIONOPS_RULES"], settings["RETENTIONOPS_TEMPLATES"] = pair[0], pair[1]
		if d := deploy(t, settings, true, "rules"); !d.failed || len(d.called("gcloud", "storage", "rsync")) != 0 {
			t.Errorf("%q: what else is there would be deleted: %s", pair, d.out)
		}
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
