package shop_test

import (
	"fmt"
	netmail "net/mail"
	"net/smtp"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

func newMailbox(t *testing.T) (*shop.Mailbox, *screen) {
	t.Helper()
	shown := &screen{}
	box, err := shop.OpenMailbox(t.Context(), shown)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	return box, shown
}

func TestTheMailboxShowsWhatAMailHolds(t *testing.T) {
	t.Parallel()
	box, shown := newMailbox(t)
	server, err := url.Parse(box.URL())
	if err != nil {
		t.Fatal(err)
	}
	relay := smtpmail.Open(mail.Account{
		URL: server, From: &netmail.Address{Address: "retentionops@example.com"}, Now: time.Now, NewID: func() string { return "id" },
	})
	err = relay.Send(t.Context(), mail.Message{
		To: []string{"Ann <ann@example.com>", "ben@example.com"}, Subject: "Not confirmed: the Slack message of Zürich",
		Text: "Not confirmed.\n\nWhy: nobody knows\n" + strings.Repeat("more\n", 20), HTML: `<p>Not confirmed.</p><img src="cid:chart">`,
		Inline:   []mail.File{{Name: "chart.png", Type: "image/png", ContentID: "chart", Content: []byte("picture")}},
		Attached: []mail.File{{Name: "p1.csv", Type: "text/csv; charset=utf-8", Content: []byte("a,b\r\n")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mails := box.Mails()
	if len(mails) != 1 {
		t.Fatalf("got %d mails, want 1", len(mails))
	}
	got := mails[0]
	if diff := cmp.Diff([]string{"ann@example.com", "ben@example.com"}, got.To); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	if got.Subject != "Not confirmed: the Slack message of Zürich" {
		t.Errorf("got the subject %q", got.Subject)
	}
	if len(got.Lines) != 6 || got.Lines[0] != "Not confirmed." || got.Lines[1] != "Why: nobody knows" {
		t.Errorf("got the lines %q, want the first 6 that hold something", got.Lines)
	}
	files := map[string]int{}
	for _, part := range got.Parts {
		files[strings.TrimSpace(part.Type+" "+part.Name)] = part.Bytes
	}
	for part, bytes := range map[string]int{"text/plain": 0, "text/html": 0, "image/png chart.png": 7, "text/csv p1.csv": 5} {
		if size, there := files[part]; !there || bytes > 0 && size != bytes {
			t.Errorf("part %s: got %d bytes, %t, in %v", part, size, there, files)
		}
	}
	for _, want := range []string{"would deliver to ann@example.com, ben@example.com", "  | Not confirmed.", "text/csv p1.csv (5 bytes)"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the screen does not show %q:\n%s", want, shown)
		}
	}
	for line := range strings.Lines(shown.String()) {
		if !strings.HasPrefix(line, "[local stand-in for the mail server] ") {
			t.Errorf("a line does not say that it is of a stand-in: %q", line)
		}
	}
}

func TestTheMailboxRefusesWhatIsNoMail(t *testing.T) {
	t.Parallel()
	box, shown := newMailbox(t)
	host := strings.TrimPrefix(box.URL(), "smtp://")
	for name, raw := range map[string]string{
		"no header":                 "only text",
		"a multipart without parts": "Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing",
		"nested too deep":           nested(20),
	} {
		if err := smtp.SendMail(host, nil, "a@example.com", []string{"b@example.com"}, []byte(raw)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if got := box.Mails(); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(shown.String(), "refused a mail that cannot be read") {
		t.Errorf("the screen says nothing of it:\n%s", shown)
	}
}

// nested is a mail with parts in parts.
func nested(depth int) string {
	if depth == 0 {
		return "Content-Type: text/plain\r\n\r\ninside\r\n"
	}
	return fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n", depth, depth, nested(depth-1), depth)
}
