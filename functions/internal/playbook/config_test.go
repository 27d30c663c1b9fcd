package playbook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	const url = "https://hook.eu1.make.com/abcdef"
	tests := []struct {
		name   string
		config Config
		want   string // part of the error; empty when it is sound
	}{
		{"a hook with a secret", Config{URL: url, Secret: testSecret}, ""},
		{"a secret without its prefix", Config{URL: url, Secret: strings.TrimPrefix(testSecret, "whsec_")}, ""},
		{"a secret being changed, and a key", Config{URL: url, Secret: testSecret, PreviousSecret: olderSecret, APIKey: testAPIKey}, ""},
		{"a receiver on this machine", Config{URL: "http://127.0.0.1:8099/hook", Secret: testSecret}, ""},
		{"a receiver on this machine by its name", Config{URL: "http://localhost:8099/hook", Secret: testSecret}, ""},
		{"a receiver on this machine by its long address", Config{URL: "http://[::1]:8099/hook", Secret: testSecret}, ""},
		{"no hook", Config{Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL is not set"},
		{"a hook without encryption", Config{URL: "http://hook.eu1.make.com/abcdef", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL is not https"},
		{"a hook that only looks local", Config{URL: "http://localhost.example.com/abcdef", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL is not https"},
		{"a hook of another kind", Config{URL: "ftp://127.0.0.1/abcdef", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL is not https"},
		{"a hook with a query", Config{URL: url + "?date=2026-01-01", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL carries a query"},
		{"a hook with an empty query", Config{URL: url + "?", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL carries a query"},
		{"a hook with a fragment", Config{URL: url + "#x", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL carries a query"},
		{"a hook with a password", Config{URL: "https://user:hunter2-of-the-hook@hook.eu1.make.com/abcdef", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL carries a user"},
		{"a hook without a host", Config{URL: "https:///abcdef", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL names no host"},
		{"what is no URL", Config{URL: "https://hook.eu1.make.com/%zz", Secret: testSecret}, "RETENTIONOPS_WEBHOOK_URL cannot be read"},
		{"no secret", Config{URL: url}, "RETENTIONOPS_WEBHOOK_SECRET is not set"},
		{"a short secret", Config{URL: url, Secret: "whsec_c2hvcnQ="}, "RETENTIONOPS_WEBHOOK_SECRET is not a secret"},
		{"a secret that is not base64", Config{URL: url, Secret: "whsec_???"}, "RETENTIONOPS_WEBHOOK_SECRET is not a secret"},
		{"a bad secret before it", Config{URL: url, Secret: testSecret, PreviousSecret: "old"}, "RETENTIONOPS_WEBHOOK_SECRET_PREVIOUS is not a secret"},
		{"a key with a line break", Config{URL: url, Secret: testSecret, APIKey: "key\r\nx: y"}, "RETENTIONOPS_WEBHOOK_API_KEY is not a key"},
		{"a key that is too long", Config{URL: url, Secret: testSecret, APIKey: strings.Repeat("k", 513)}, "RETENTIONOPS_WEBHOOK_API_KEY is not a key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.config.Check()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want failed_precondition with %q", err, test.want)
			}
			text := fmt.Sprintf("%+v %+v", err, functions.ProblemOf(err, ""))
			for _, secret := range []string{"abcdef", "hunter2", test.config.Secret, test.config.PreviousSecret, test.config.APIKey} {
				if secret != "" && strings.Contains(text, secret) {
					t.Errorf("the error tells %q: %s", secret, text)
				}
			}
		})
	}
}

func TestAPrintedConfigTellsNothing(t *testing.T) {
	t.Parallel()
	config := Config{URL: "https://hook.eu1.make.com/abcdef", Secret: testSecret, PreviousSecret: olderSecret, APIKey: testAPIKey}
	document, err := json.Marshal(struct{ Config Config }{config})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).InfoContext(t.Context(), "x", slog.Any("config", config))
	text := fmt.Sprintf("%v %+v %#v %s %+v %s %s", config, config, config, config, struct{ C Config }{config}, document, logged.String())
	for _, secret := range []string{"hook.eu1", testSecret[10:20], olderSecret[10:20], testAPIKey} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown: %s", secret, text)
		}
	}
}
