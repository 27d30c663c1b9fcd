package setup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	_ "github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

func TestMailIsSentAsTheEnvironmentSays(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.WithUser("robot", "hunter2-of-the-mail"))
	e := setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(map[string]string{
			"RETENTIONOPS_MAIL": server.URL(), "RETENTIONOPS_MAIL_PASSWORD": "hunter2-of-the-mail",
			"RETENTIONOPS_MAIL_FROM": "RetentionOps <retention@shop.example>",
		}),
		Now:   func() time.Time { return time.Date(2026, 1, 12, 8, 0, 0, 0, time.UTC) },
		NewID: func() string { return "01KEZ" },
	})
	sender, err := e.Mail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.Mail(t.Context()); again != sender || err != nil {
		t.Errorf("opened twice: %v", err)
	}
	if err := sender.Send(t.Context(), mail.Message{To: []string{"ann@example.com"}, Subject: "Backup", Text: "Not confirmed.\n"}); err != nil {
		t.Fatal(err)
	}
	head := server.Messages()[0].Parse(t).Header
	if head.Get("Message-Id") != "<01KEZ@shop.example>" || head.Get("Date") != "Mon, 12 Jan 2026 08:00:00 +0000" {
		t.Errorf("the program's clock and ids were not used: %v", head)
	}
}

func TestMailThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	sender, err := env(map[string]string{"RETENTIONOPS_MAIL_FROM": "retention@shop.example"}).Mail(t.Context())
	if sender != nil || err != nil {
		t.Errorf("got %v, %v, want neither a sender nor an error", sender, err)
	}
	_, err = env(map[string]string{"RETENTIONOPS_MAIL": "smtp://robot:hunter2@relay.example"}).Mail(t.Context())
	if functions.CodeOf(err) != functions.FailedPrecondition || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
