package mail_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
	_ "github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
)

func newID() string { return "01KEZ" }

func TestSettings(t *testing.T) {
	t.Parallel()
	const (
		from   = "RetentionOps <retention@shop.example>"
		secret = "hunter2-of-the-mail"
	)
	tests := []struct {
		name     string
		settings mail.Settings
		want     string // part of the error; empty when they are sound
	}{
		{"a server with a user", mail.Settings{URL: "smtp://robot@relay.example:587", Password: secret, From: from}, ""},
		{"a user that is an address", mail.Settings{URL: "smtps://robot%40shop.example@relay.example", Password: secret, From: from}, ""},
		{"a server without a user", mail.Settings{URL: "smtp://relay.example/", From: "retention@shop.example"}, ""},
		{"a server by its long address", mail.Settings{URL: "smtp://[::1]:2525", From: from}, ""},
		{"nothing", mail.Settings{From: from}, "RETENTIONOPS_MAIL names no host"},
		{"a server of another kind", mail.Settings{URL: "https://relay.example", From: from}, `no mail driver for "https://"`},
		{"what is no URL", mail.Settings{URL: "smtp://relay.example/%zz", From: from}, "RETENTIONOPS_MAIL cannot be read"},
		{"a port that is none", mail.Settings{URL: "smtp://relay.example:mail", From: from}, "RETENTIONOPS_MAIL cannot be read"},
		{"a password in the URL", mail.Settings{URL: "smtp://robot:" + secret + "@relay.example", From: from}, "RETENTIONOPS_MAIL carries a password"},
		{"an empty password in the URL", mail.Settings{URL: "smtp://robot:@relay.example", Password: secret, From: from}, "RETENTIONOPS_MAIL carries a password"},
		{"no host", mail.Settings{URL: "smtp://robot@:587", Password: secret, From: from}, "RETENTIONOPS_MAIL names no host"},
		{"a path", mail.Settings{URL: "smtp://relay.example/inbox", From: from}, "RETENTIONOPS_MAIL says more"},
		{"a query", mail.Settings{URL: "smtp://relay.example?starttls=no", From: from}, "RETENTIONOPS_MAIL says more"},
		{"a user without a password", mail.Settings{URL: "smtp://robot@relay.example", From: from}, "RETENTIONOPS_MAIL_PASSWORD is not set"},
		{"a password without a user", mail.Settings{URL: "smtp://relay.example", Password: secret, From: from}, "RETENTIONOPS_MAIL names no user"},
		{"no sender", mail.Settings{URL: "smtp://relay.example"}, "RETENTIONOPS_MAIL_FROM is not an address"},
		{"a sender with a line break", mail.Settings{URL: "smtp://relay.example", From: "a@shop.example\r\nBcc: b@shop.example"}, "RETENTIONOPS_MAIL_FROM is not an address"},
		{"a sender without a domain", mail.Settings{URL: "smtp://relay.example", From: "retention"}, "RETENTIONOPS_MAIL_FROM is not an address"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sender, err := mail.Open(t.Context(), test.settings, time.Now, newID)
			if test.want == "" {
				if err != nil || sender == nil {
					t.Errorf("%v, %v", sender, err)
				}
				return
			}
			if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want failed_precondition with %q", err, test.want)
			}
			problem := functions.ProblemOf(err, "")
			if problem.Hint == "" {
				t.Error("no hint")
			}
			text := fmt.Sprintf("%+v %+v", err, problem)
			for _, secret := range []string{secret, "robot", "relay.example", "zz"} {
				if strings.Contains(text, secret) {
					t.Errorf("the error tells %q: %s", secret, text)
				}
			}
		})
	}
}

func TestPrintedSettingsTellNothing(t *testing.T) {
	t.Parallel()
	settings := mail.Settings{URL: "smtp://robot@relay.example", Password: "hunter2-of-the-mail", From: "retention@shop.example"}
	document, err := json.Marshal(struct{ Settings mail.Settings }{settings})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).InfoContext(t.Context(), "x", slog.Any("settings", settings))
	text := fmt.Sprintf("%v %+v %#v %s %+v %s %s", settings, settings, settings, settings, struct{ S mail.Settings }{settings}, document, logged.String())
	for _, secret := range []string{"robot", "relay", "hunter2", "shop.example"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown: %s", secret, text)
		}
	}
	if !strings.Contains(text, "mail configured") || (mail.Settings{}).String() != "mail not configured" {
		t.Errorf("it is not told whether mail is configured: %s", text)
	}
}
