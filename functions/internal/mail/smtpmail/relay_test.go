package smtpmail_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
)

var (
	day   = func() time.Time { return time.Date(2026, 1, 12, 8, 30, 0, 0, time.UTC) }
	newID = func() string { return "01KEZ" }
)

// open makes a relay that does not wait between attempts.
func open(t *testing.T, settings mail.Settings) *smtpmail.Relay {
	t.Helper()
	if settings.From == "" {
		settings.From = "RetentionOps <retention@shop.example>"
	}
	sender, err := mail.Open(t.Context(), settings, day, newID)
	if err != nil {
		t.Fatal(err)
	}
	relay := sender.(*smtpmail.Relay)
	relay.Pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return relay
}

var small = mail.Message{To: []string{"ann@example.com"}, Subject: "Backup", Text: "Not confirmed."}

func TestAMailArrives(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	if err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	got := server.Messages()
	if len(got) != 1 {
		t.Fatalf("%d mails", len(got))
	}
	if diff := cmp.Diff("Not confirmed.\n", got[0].Parse(t).Text()); diff != "" {
		t.Error(diff)
	}
}
