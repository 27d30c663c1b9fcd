package playbook_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// open opens a sender for a mail server.
func (h *house) open(post *mailtest.Server) func(context.Context) (mail.Sender, error) {
	made := 0
	return func(ctx context.Context) (mail.Sender, error) {
		sender, err := mail.Open(ctx, mail.Settings{URL: post.URL(), From: "RetentionOps <ops@example.com>"}, h.clock.now,
			func() string { made++; return fmt.Sprintf("mail%d", made) })
		if relay, ok := sender.(*smtpmail.Relay); ok {
			relay.Pause = func(context.Context, time.Duration) error { return nil }
		}
		return sender, err
	}
}

// named are the words of the rules to replace so that people are mailed.
func named(replace ...string) []string {
	return append([]string{
		"retention_team: []", `retention_team: [crm@example.com, "Ann <ann@example.com>"]`, "data_team: []", "data_team: [data@example.com]",
	}, replace...)
}

// newMailHouse is a house whose people get mail.
func newMailHouse(t *testing.T, phase functions.Phase, answer http.HandlerFunc, replace ...string) (*house, *mailtest.Server) {
	t.Helper()
	post := mailtest.Start(t)
	h := newHouse(t, phase, newHook(t, answer).address())
	h.Book = shipped(t, phase, named(replace...)...)
	h.Mail = h.open(post)
	return h, post
}

// only is the one mail that the server took.
func only(t *testing.T, post *mailtest.Server) (mailtest.Received, mailtest.Part) {
	t.Helper()
	mails := post.Messages()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	return mails[0], mails[0].Parse(t)
}

var (
	crm  = []string{"crm@example.com", "ann@example.com"}
	data = []string{"data@example.com"}
)

func TestAMessageThatIsNotConfirmedIsMailed(t *testing.T) {
	t.Parallel()
	const all = "the Slack message and the ticket of the WARNING of 2026-01-12."
	tests := []struct {
		name   string
		answer http.HandlerFunc
		first  string
		says   []string
		brief  bool
	}{
		{"a bare Accepted", says(200, "Accepted"), "Not confirmed: " + all, []string{"answered 200 without a receipt", "runs replay 01KRUN0001", `Task in RETENTION, priority High, "Retention Alert WARNING - 2026-01-12"`}, true},
		{"no answer", cuts, "Not confirmed: " + all, []string{"the connection was cut", "look in #retention-alerts and in RETENTION"}, true},
		{"a final no", says(410, "Webhook not found."), "Not delivered: " + all, []string{"does not exist any more (410)", "make a new hook", "work from this mail"}, true},
		{"a message without its ticket", says(200, `{"receipt":"partial","slack_message_ts":"1768204800.000100"}`), "Not confirmed: the ticket of the WARNING of 2026-01-12.", []string{"Slack message 1768204800.000100 in #retention-alerts", "Ticket: Task in RETENTION"}, false},
		{"a ticket without its message", says(200, `{"receipt":"partial","ticket_id":"RET-2401"}`), "Not confirmed: the Slack message of the WARNING of 2026-01-12.", []string{"Confirmed: ticket RET-2401"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, post := newMailHouse(t, functions.PhaseProduction, test.answer)
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err == nil || out.Status != functions.RunFailed {
				t.Errorf("got %s, %v; the outcome stays what it is", out.Status, err)
			}
			received, part := only(t, post)
			if diff := cmp.Diff(crm, received.To); diff != "" {
				t.Errorf("recipients (-want +got):\n%s", diff)
			}
			text, html := part.Text(), part.HTML()
			if first, _, _ := strings.Cut(text, "\n"); first != test.first || part.Subject() != strings.TrimSuffix(test.first, ".") {
				t.Errorf("first line %q, subject %q; want %q", first, part.Subject(), test.first)
			}
			body := html[strings.Index(html, "<body"):]
			if at := strings.Index(body, test.first); at < 0 || strings.Contains(body[:at], "Retention brief") {
				t.Errorf("the HTML does not begin with what is not confirmed:\n%s", body[:min(len(body), 1500)])
			}
			for _, want := range append(test.says, "From: run 01KRUN0001, phase production", "P1: 10 customers, file://", "P2: 20 customers, file://") {
				if !strings.Contains(text, want) {
					t.Errorf("the text does not say %q:\n%s", want, text[:min(len(text), 1500)])
				}
			}
			if got := strings.Contains(text, "Retention brief 2026-01-12: WARNING") && strings.Contains(html, "WARNING &middot; Retention brief"); got != test.brief {
				t.Errorf("the brief is in the mail: %t, want %t", got, test.brief)
			}
			if !test.brief && len(part.Files("attachment"))+len(part.Files("inline")) > 0 {
				t.Errorf("what has arrived is sent again")
			}
			if diff := cmp.Diff(&functions.BackupMail{ToRole: "retention_team", Sent: true}, out.BackupMail); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if row := h.rows(t)[0]; !row.EmailSent || !strings.HasSuffix(row.ErrorMessage, "; mailed to retention_team") || row.Status != functions.RunFailed {
				t.Errorf("the row says %+v", row)
			}
		})
	}
}

// TestTheBackupMailIsWhole looks at every part of the mail.
func TestTheBackupMailIsWhole(t *testing.T) {
	t.Parallel()
	h, post := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
	_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
	_, part := only(t, post)
	var names []string
	for _, file := range part.Files("attachment") {
		names = append(names, file.Name)
		exported, err := os.ReadFile(filepath.Join(h.exports, file.Name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(exported, file.Content) || file.Type != "text/csv" {
			t.Errorf("%s is not what was exported: %d bytes as %s, want %d", file.Name, len(file.Content), file.Type, len(exported))
		}
	}
	if diff := cmp.Diff([]string{"2026-01-12_P1.csv", "2026-01-12_P2.csv"}, names); diff != "" {
		t.Errorf("attachments (-want +got):\n%s", diff)
	}
	pictures := part.Files("inline")
	if len(pictures) != 1 || !strings.Contains(part.HTML(), `src="cid:`+pictures[0].ContentID+`"`) {
		t.Fatalf("%d pictures, and the HTML shows:\n%s", len(pictures), part.HTML())
	}
	if picture, err := png.Decode(bytes.NewReader(pictures[0].Content)); err != nil || picture.Bounds().Dx() < 100 {
		t.Errorf("the picture cannot be looked at: %v", err)
	}
	if strings.Contains(part.Text()+part.HTML(), "customer-0") {
		t.Error("the mail's text names a customer: they are in the files alone")
	}
	briefs := h.document(t, "briefs/2026-01-12.json")
	for _, line := range []string{"25.20 %", "Release the P2 win-back sequence within 24 hours."} {
		if !bytes.Contains(briefs, []byte(line)) || !strings.Contains(part.Text(), line) || !strings.Contains(part.HTML(), line) {
			t.Errorf("the brief's line %q is missing", line)
		}
	}
}

func TestAudiencesAreAttachedUnderTheLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int][]string{0: nil, 1: nil, 3: {"2026-01-12_P1.csv"}, 1024: {"2026-01-12_P1.csv", "2026-01-12_P2.csv"}} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			h, post := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"), "attach_up_to_kb: 1024 ", fmt.Sprintf("attach_up_to_kb: %d ", limit))
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			_, part := only(t, post)
			var names []string
			total := 0
			for _, file := range part.Files("attachment") {
				names = append(names, file.Name)
				total += len(file.Content)
			}
			if diff := cmp.Diff(want, names); diff != "" || total > limit<<10 {
				t.Errorf("%d bytes in (-want +got):\n%s", total, diff)
			}
			if got := strings.Contains(part.Text(), "above attach_up_to_kb"); got != (limit > 0 && len(want) < 2) {
				t.Errorf("the mail says that something is not attached: %t\n%s", got, part.Text()[:1200])
			}
		})
	}
}

func TestAMailThatIsTooLargeGoesWithoutItsFiles(t *testing.T) {
	t.Parallel()
	h, roomy := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
	_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
	whole, _ := only(t, roomy)
	post := mailtest.Start(t, mailtest.WithLimit(int64(len(whole.Raw)-1000)))
	h, _ = newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
	h.Mail = h.open(post)
	out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if out.BackupMail == nil || !out.BackupMail.Sent {
		t.Fatalf("got %+v", out.BackupMail)
	}
	_, part := only(t, post)
	if len(part.Files("attachment")) != 0 || !strings.Contains(part.Text(), "the mail server did not take the files") {
		t.Errorf("%d files:\n%s", len(part.Files("attachment")), part.Text()[:1200])
	}
}

// TestAMailThatCannotBeSentIsSaid has the outcome stay what it is, and answer and log say what became of the mail.
func TestAMailThatCannotBeSentIsSaid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*house, *mailtest.Server)
		sent   bool
		want   string
	}{
		{"nobody is named", func(h *house, _ *mailtest.Server) { h.Book = shipped(h.t, functions.PhaseProduction) }, false, "nobody is named for it"},
		{"no mail is configured", func(h *house, _ *mailtest.Server) {
			h.Mail = func(context.Context) (mail.Sender, error) { return nil, nil }
		}, false, "RETENTIONOPS_MAIL is not set"},
		{"nothing of mail is known", func(h *house, _ *mailtest.Server) { h.Mail = nil }, false, "RETENTIONOPS_MAIL is not set"},
		{"a setting is wrong", func(h *house, _ *mailtest.Server) {
			h.Mail = func(context.Context) (mail.Sender, error) {
				return nil, functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_MAIL carries a password")
			}
		}, false, "RETENTIONOPS_MAIL carries a password"},
		{"the server says no", func(_ *house, post *mailtest.Server) { post.Refuse(550) }, false, "look at RETENTIONOPS_MAIL_FROM"},
		{"the server is busy", func(_ *house, post *mailtest.Server) { post.Refuse(451) }, false, "may be repeated"},
		{"one address is wrong", func(_ *house, post *mailtest.Server) {
			post.Script(mailtest.Answer{Recipient: map[string]int{"ann@example.com": 550}})
		}, true, "1 of 2"},
		{"the writing of it breaks down", func(h *house, _ *mailtest.Server) {
			h.Mail = func(context.Context) (mail.Sender, error) { panic("secret-of-the-program") }
		}, false, "an internal fault"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, post := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
			test.change(h, post)
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if functions.CodeOf(err) != functions.Unavailable || out.DeliveryState != functions.DeliveryUnconfirmed || !out.LogWritten {
				t.Errorf("got %+v, %v; the outcome stays what it is", out, err)
			}
			said := out.BackupMail
			if said == nil || said.ToRole != "retention_team" || said.Sent != test.sent || !strings.Contains(said.Error, test.want) {
				t.Errorf("got %+v, want sent %t and %q", said, test.sent, test.want)
			}
			row := h.rows(t)[0]
			if row.EmailSent != test.sent || !strings.Contains(row.ErrorMessage, test.want) || !strings.Contains(row.ErrorMessage, "mailed to retention_team") {
				t.Errorf("the row says email_sent %t, %s", row.EmailSent, row.ErrorMessage)
			}
			for _, secret := range []string{mailtest.Telltale, "secret-of-the-program", post.Address()} {
				if strings.Contains(row.ErrorMessage+said.Error, secret) {
					t.Errorf("%q leaves the house", secret)
				}
			}
		})
	}
}

func TestAMessageIsMailedOnceADay(t *testing.T) {
	t.Parallel()
	h, post := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
	first, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.clock.advance(time.Minute)
	for _, in := range []functions.TriggerPlaybookInput{{}, {Replay: first.RunID}} {
		out, _ := h.Run(t.Context(), in)
		if out.BackupMail == nil || out.BackupMail.Sent || !strings.HasPrefix(out.BackupMail.Error, "already mailed: run 01KRUN0001 did at 08:00:00 UTC") {
			t.Errorf("got %+v, want it mailed before", out.BackupMail)
		}
		if row := h.rows(t)[0]; row.EmailSent {
			t.Errorf("the row says that this run mailed: %+v", row)
		}
		h.clock.advance(time.Minute)
	}
	h.exec(`UPDATE base_customers SET total_revenue = 5000`)
	if out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true}); !out.BackupMail.Sent {
		t.Errorf("got %+v: another message is another mail", out.BackupMail)
	}
	h.clock.advance(20 * time.Hour)
	out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{Replay: first.RunID})
	if !out.BackupMail.Sent || len(post.Messages()) != 3 {
		t.Errorf("got %+v and %d mails; want one more on the next day", out.BackupMail, len(post.Messages()))
	}
	part := post.Messages()[2].Parse(t)
	if !strings.Contains(part.Text(), "Retention brief 2026-01-12") || len(part.Files("inline")) != 1 || len(part.Files("attachment")) != 0 {
		t.Errorf("a replay's mail has %d files:\n%s", len(part.Files("attachment")), part.Text()[:1200])
	}
}

func TestAMailThatFailedIsTriedByTheNextRun(t *testing.T) {
	t.Parallel()
	h, post := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
	post.Script(mailtest.Answer{Mail: 554})
	var sent []bool
	for range 2 {
		out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
		sent = append(sent, out.BackupMail.Sent)
		h.clock.advance(time.Minute)
	}
	// The refused mail was tried once more without its files, and taken: that is a mail.
	if !slices.Equal(sent, []bool{true, false}) || len(post.Messages()) != 1 {
		t.Errorf("sent %v, %d mails", sent, len(post.Messages()))
	}
}

// gone is a warehouse that does not answer from some call on.
type gone struct{ runlog.Rows }

func (gone) Runs(context.Context, warehouse.RunQuery) ([]retention.Run, error) {
	return nil, functions.Errorf(functions.Unavailable, "the warehouse does not answer")
}

func TestTheDataTeamHearsOfAStageThatGaveUp(t *testing.T) {
	t.Parallel()
	h, post := newMailHouse(t, functions.PhasePilot, says(200, receipt))
	rows := h.Log.Warehouse
	h.Log.Warehouse = gone{rows}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.Log.Warehouse = rows
	if functions.CodeOf(err) != functions.Unavailable || out.DeliveryState != functions.DeliveryNone {
		t.Fatalf("got %+v, %v", out, err)
	}
	received, part := only(t, post)
	if diff := cmp.Diff(data, received.To); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	const first = "Not sent: the playbook of 2026-01-12 WARNING failed in stage queue, before anything left."
	text := part.Text()
	if !strings.HasPrefix(text, first+"\n") || part.Subject() != "Not sent: the playbook of 2026-01-12 WARNING failed in stage queue" ||
		!strings.Contains(part.HTML(), first) {
		t.Errorf("subject %q, text:\n%s", part.Subject(), text)
	}
	for _, want := range []string{"Why: the warehouse does not answer", "trigger the day again", "run 01KRUN0001, phase pilot"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	if diff := cmp.Diff(&functions.BackupMail{ToRole: "data_team", Sent: true}, out.BackupMail); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	h.clock.advance(time.Minute)
	h.Log.Warehouse = gone{rows}
	if out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{}); out.BackupMail.Sent || len(post.Messages()) != 1 {
		t.Errorf("got %+v and %d mails; want one a day", out.BackupMail, len(post.Messages()))
	}
}

// TestTheDataTeamHearsOfItsTables has the tables be at fault, or a guardrail stop a run, and a person or a clock call.
func TestTheDataTeamHearsOfItsTables(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change       string
		date         functions.DateRef
		stage, heard string
	}{
		"the day is not there":          {`DELETE FROM alert_logic`, "", "decide", "data_team"},
		"the day is not there, by name": {`DELETE FROM alert_logic`, "2026-01-12", "decide", ""},
		"a table is missing":            {`DROP TABLE churn_detection`, functions.Latest, "queue", "data_team"},
		"a table is missing, by name":   {`DROP TABLE churn_detection`, "2026-01-12", "queue", ""},
		"a guardrail stops":             {`UPDATE base_customers SET customer_id = 'x' || customer_id`, "2026-01-12", "guardrails", "data_team"},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, post := newMailHouse(t, functions.PhaseProduction, says(200, receipt))
			h.exec(test.change)
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: test.date})
			heard := ""
			if out.BackupMail != nil {
				heard = out.BackupMail.ToRole
			}
			if err == nil || h.rows(t)[0].Stage != test.stage || heard != test.heard || len(post.Messages()) != min(1, len(heard)) {
				t.Errorf("got %v in stage %s, mail %+v; want stage %s and %q told", err, h.rows(t)[0].Stage, out.BackupMail, test.stage, test.heard)
			}
		})
	}
}

func TestNobodyIsMailed(t *testing.T) {
	t.Parallel()
	left, leave := context.WithCancel(t.Context())
	leave()
	stopping, stop := context.WithCancel(t.Context())
	stop()
	tests := map[string]struct {
		phase  functions.Phase
		answer http.HandlerFunc
		ctx    context.Context
		change func(*house)
	}{
		"of what was confirmed":            {functions.PhaseProduction, says(200, receipt), t.Context(), nil},
		"in a phase that does not send":    {functions.PhaseShadow, says(200, receipt), t.Context(), func(h *house) { h.Archive = breaking{h.Archive} }},
		"of a setting that is missing":     {functions.PhaseProduction, says(200, receipt), t.Context(), func(h *house) { h.Config.URL = "" }},
		"of a day that another run has":    {functions.PhaseProduction, says(200, receipt), t.Context(), func(h *house) { _, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{}) }},
		"when the caller left before":      {functions.PhaseProduction, says(200, receipt), left, nil},
		"when the program is about to end": {functions.PhaseProduction, says(500, ""), functions.WithStop(t.Context(), stopping), nil},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, post := newMailHouse(t, test.phase, test.answer)
			if test.change != nil {
				test.change(h)
			}
			out, _ := h.Run(test.ctx, functions.TriggerPlaybookInput{})
			if out.BackupMail != nil || post.Attempts() != 0 || len(h.kept(t, "mails/2")) != 0 {
				t.Errorf("got %+v and %d mails (%s)", out.BackupMail, post.Attempts(), out.Reason)
			}
		})
	}
}

// watched is a sender that looks at the time it has.
type watched struct{ left time.Duration }

func (w *watched) Send(ctx context.Context, _ mail.Message) error {
	deadline, _ := ctx.Deadline()
	w.left = time.Until(deadline)
	return functions.Errorf(functions.DeadlineExceeded, "the time ran out")
}

func TestAMailHasATimeOfItsOwn(t *testing.T) {
	t.Parallel()
	h, _ := newMailHouse(t, functions.PhaseProduction, says(200, "Accepted"))
	seen := &watched{}
	h.Mail = func(context.Context) (mail.Sender, error) { return seen, nil }
	out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if seen.left <= 0 || seen.left > 20*time.Second || out.BackupMail.Sent || !out.LogWritten {
		t.Errorf("a mail has %s; got %+v", seen.left, out.BackupMail)
	}
}
