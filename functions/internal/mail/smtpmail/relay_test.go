package smtpmail_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
)

const (
	user     = "robot@shop.example"
	password = "hunter2-of-the-mail"
)

func day() time.Time { return time.Date(2026, 1, 12, 8, 30, 0, 0, time.FixedZone("CET", 3600)) }

func newID() string { return "01KEZ" }

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

// elsewhere makes the relay reach the server under whatever name its settings call it.
func elsewhere(relay *smtpmail.Relay, server *mailtest.Server) {
	dial := relay.Dial
	relay.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, server.Address())
	}
}

var small = mail.Message{To: []string{"ann@example.com", "bob@example.com"}, Subject: "Backup", Text: "Not confirmed.\n"}

// recipients are who got which mail.
func recipients(server *mailtest.Server) [][]string {
	var to [][]string
	for _, m := range server.Messages() {
		to = append(to, m.To)
	}
	return to
}

// quiet fails the test when an error shows what must not leave.
func quiet(t *testing.T, err error, more ...string) {
	t.Helper()
	text := fmt.Sprintf("%v %+v", err, functions.ProblemOf(err, ""))
	for _, secret := range append(more, password, "hunter2", user, mailtest.Telltale, "127.0.0.", "localhost", "example.com", "relay.test") {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("the error tells %q: %s", secret, text)
		}
	}
	if functions.ProblemOf(err, "").Hint == "" {
		t.Errorf("no hint: %s", text)
	}
}

func TestHowTheServerAnswers(t *testing.T) {
	t.Parallel()
	both, ann, bob := []string{"ann@example.com", "bob@example.com"}, []string{"ann@example.com"}, []string{"bob@example.com"}
	tests := []struct {
		name     string
		script   []mailtest.Answer
		code     functions.Code // empty: sent
		detail   string
		partly   bool
		attempts int
		got      [][]string // who got the mail, a list for each mail
	}{
		{"it is taken", nil, "", "", false, 1, [][]string{both}},
		{"the sender is put off, then it is taken", []mailtest.Answer{{Sender: 451}}, "", "", false, 2, [][]string{both}},
		{"the mail is put off, then it is taken", []mailtest.Answer{{Mail: 452}, {Mail: 421}}, "", "", false, 3, [][]string{both}},
		{"everybody is put off, as greylisting does", []mailtest.Answer{{Recipient: map[string]int{"": 450}}}, "", "", false, 2, [][]string{both}},
		{
			"one is put off: nobody gets it twice",
			[]mailtest.Answer{{Recipient: map[string]int{"bob@example.com": 450}}},
			"", "", false, 2,
			[][]string{ann, bob},
		},
		{
			"it is put off for ever",
			[]mailtest.Answer{{Mail: 451}, {Mail: 451}, {Mail: 451}, {}},
			functions.Unavailable, "the mail server put us off while waiting for the mail to be taken (SMTP reply 451)", false, 3, nil,
		},
		{
			"the sender is refused",
			[]mailtest.Answer{{Sender: 550}, {}},
			functions.FailedPrecondition, "the mail server refused while naming the sender (SMTP reply 550)", false, 1, nil,
		},
		{
			"everybody is refused",
			[]mailtest.Answer{{Recipient: map[string]int{"": 550}}, {}},
			functions.FailedPrecondition, "the mail server refused while naming a recipient (SMTP reply 550)", false, 1, nil,
		},
		{
			"the mail is refused",
			[]mailtest.Answer{{Mail: 554}, {}},
			functions.FailedPrecondition, "the mail server refused while waiting for the mail to be taken (SMTP reply 554)", false, 1, nil,
		},
		{
			"one is refused: the others get it",
			[]mailtest.Answer{{Recipient: map[string]int{"ann@example.com": 550}}},
			functions.FailedPrecondition, "the mail server refused while naming a recipient (SMTP reply 550); 1 of 2 recipients have the mail", true, 1,
			[][]string{bob},
		},
		{
			"one is refused, the other put off and then served",
			[]mailtest.Answer{{Recipient: map[string]int{"ann@example.com": 550, "bob@example.com": 450}}},
			functions.FailedPrecondition, "the mail server refused while naming a recipient (SMTP reply 550); 1 of 2 recipients have the mail", true, 2,
			[][]string{bob},
		},
		{
			"one is put off for ever",
			[]mailtest.Answer{{Recipient: map[string]int{"bob@example.com": 450}}, {Sender: 451}, {Sender: 451}},
			functions.Unavailable, "the mail server put us off while naming the sender (SMTP reply 451); 1 of 2 recipients have the mail", true, 3,
			[][]string{ann},
		},
		{
			"the connection is cut after the mail: sending again might double it",
			[]mailtest.Answer{{CutAfter: true}},
			functions.Unavailable, "the connection to the mail server was cut, and nobody knows whether it has taken the mail", false, 1,
			[][]string{both},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t)
			server.Script(test.script...)
			err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), small)
			if functions.CodeOf(err) != test.code {
				t.Fatalf("got %v, want %q", err, test.code)
			}
			if err != nil {
				quiet(t, err)
				if got := functions.ProblemOf(err, "").Detail; got != test.detail {
					t.Errorf("got %q, want %q", got, test.detail)
				}
			}
			if got := partly(err); got != test.partly {
				t.Errorf("told that some have the mail: %t", got)
			}
			if got := server.Attempts(); got != test.attempts {
				t.Errorf("%d attempts, want %d", got, test.attempts)
			}
			if diff := cmp.Diff(test.got, recipients(server)); diff != "" {
				t.Errorf("who got the mail (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryAttemptSendsTheSameBytes(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	server.Script(mailtest.Answer{Recipient: map[string]int{"bob@example.com": 450}})
	if err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), full()); err != nil {
		t.Fatal(err)
	}
	got := server.Messages()
	if len(got) != 2 || string(got[0].Raw) != string(got[1].Raw) {
		t.Errorf("%d mails, and they differ", len(got))
	}
}

func TestACutInTheMiddleOfTheMailIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	server.Script(mailtest.Answer{Cut: true})
	m := small
	m.Attached = []mail.File{{Name: "large.bin", Content: make([]byte, 7_000_000)}} // more than lies between the two ends
	if err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := recipients(server); server.Attempts() != 2 || len(got) != 1 {
		t.Errorf("%d attempts, %v", server.Attempts(), got)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	closed, err := mailtest.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	relay := open(t, mail.Settings{URL: closed.URL()})
	err = relay.Send(t.Context(), small)
	if functions.CodeOf(err) != functions.Unavailable || !strings.Contains(err.Error(), "nobody listens") {
		t.Fatal(err)
	}
	quiet(t, err)

	dial, times := relay.Dial, 0
	relay.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if times++; times == 3 { // it is up again
			address = server.Address()
		}
		return dial(ctx, network, address)
	}
	if err := relay.Send(t.Context(), small); err != nil || times != 3 || len(server.Messages()) != 1 {
		t.Errorf("%v after %d attempts, %d mails", err, times, len(server.Messages()))
	}
}

func TestAServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	hanging := mailtest.Start(t)
	hanging.Script(mailtest.Answer{Hang: true}, mailtest.Answer{Hang: true})
	for url, stage := range map[string]string{
		"smtp://" + silent.Addr().String():  "greeting",
		"smtps://" + silent.Addr().String(): "encrypting",
		hanging.URL():                       "waiting for the mail to be taken",
	} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			relay := open(t, mail.Settings{URL: url})
			relay.Attempt = 200 * time.Millisecond
			err := relay.Send(t.Context(), small)
			if want := "the mail server said nothing for too long while " + stage; functions.CodeOf(err) != functions.Unavailable ||
				functions.ProblemOf(err, "").Detail != want {
				t.Errorf("got %v, want %s", err, want)
			}
			quiet(t, err)

			relay.Attempt = time.Hour
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := relay.Send(ctx, small); functions.CodeOf(err) != functions.DeadlineExceeded {
				t.Errorf("got %v, want that the caller's time ran out", err)
			}
		})
	}
}

func TestACallerThatLeavesIsNotKeptWaiting(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	server.Script(mailtest.Answer{Hang: true})
	relay := open(t, mail.Settings{URL: server.URL()})
	relay.Attempt = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	dial := relay.Dial
	relay.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		time.AfterFunc(50*time.Millisecond, cancel)
		return conn, err
	}
	if err := relay.Send(ctx, small); functions.CodeOf(err) != functions.Unavailable || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("got %v", err)
	}
}

func TestThePauseWatchesTheCallersTime(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t)
	server.Refuse(451)
	relay := open(t, mail.Settings{URL: server.URL()})
	relay.Pause = func(context.Context, time.Duration) error { t.Error("it waits beyond the caller's time"); return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // less than the first pause
	defer cancel()
	if err := relay.Send(ctx, small); functions.CodeOf(err) != functions.Unavailable || server.Attempts() != 1 {
		t.Errorf("%v after %d attempts", err, server.Attempts())
	}
}
