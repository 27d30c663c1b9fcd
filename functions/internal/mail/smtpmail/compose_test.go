package smtpmail_test

import (
	"bytes"
	"crypto/rand"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
)

// full is a mail with all that a mail can have.
func full() mail.Message {
	return mail.Message{
		To:      []string{"Ann Größe <ann@example.com>", "bob@example.com"},
		Subject: "⚠️ WARNUNG: Kundenrückgang über 17 % – bitte prüfen, die Übergabe an Make.com ist nicht bestätigt 🚨",
		Text:    "Grüße 🎯\n\n.\n..eine Zeile, die mit Punkten beginnt\nFrom here on\n" + strings.Repeat("sehr lange Zeile ohne Ende ", 80) + "\ntrailing space \n=3D is no code\n",
		HTML:    "<p style=\"color:#1f2937\">Grüße 🎯 <img src=\"cid:chart@shop\"></p>" + strings.Repeat("<td>x=1&amp;y</td>", 200) + "\n",
		Inline:  []mail.File{{Name: "chart.png", Type: "image/png", ContentID: "chart@shop", Content: []byte("\x89PNG\r\n\x1a\n\x00\xff")}},
		Attached: []mail.File{
			{Name: "P1.csv", Type: "text/csv; charset=utf-8", Content: []byte("customer_id,reason\n17,\"Größe, \"\"x\"\"\"\n")},
			{Name: "Zielgruppe Größe \"P2\"; 100%.csv", Type: "text/csv", Content: nil},
			{Name: "unbekannt", Content: bytes.Repeat([]byte{0, 1, 2, 250, '\r', '\n', '.'}, 1000)},
		},
	}
}

// receive sends a mail and answers what came in.
func receive(t *testing.T, m mail.Message) mailtest.Received {
	t.Helper()
	server := mailtest.Start(t)
	if err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return server.Messages()[0]
}

// shape is a mail as a tree of what can be compared.
type shape struct {
	Type, Disposition, Name, ContentID, Content string
	Parts                                       []shape
}

func shapeOf(p mailtest.Part) shape {
	s := shape{Type: p.Type, Disposition: p.Disposition, Name: p.Name, ContentID: p.ContentID, Content: string(p.Content)}
	if strings.HasPrefix(p.Type, "text/") && p.Disposition == "" {
		s.Content = strings.ReplaceAll(s.Content, "\r\n", "\n") // a mail's own text has a mail's line ends
	}
	for _, inner := range p.Parts {
		s.Parts = append(s.Parts, shapeOf(inner))
	}
	return s
}

func TestAMailArrivesPartByPart(t *testing.T) {
	t.Parallel()
	m := full()
	text := shape{Type: "text/plain", Content: m.Text}
	html := shape{Type: "text/html", Content: m.HTML}
	related := shape{Type: "multipart/related", Parts: []shape{
		html, {Type: "image/png", Disposition: "inline", Name: "chart.png", ContentID: "chart@shop", Content: string(m.Inline[0].Content)},
	}}
	files := []shape{
		{Type: "text/csv", Disposition: "attachment", Name: "P1.csv", Content: string(m.Attached[0].Content)},
		{Type: "text/csv", Disposition: "attachment", Name: `Zielgruppe Größe "P2"; 100%.csv`},
		{Type: "application/octet-stream", Disposition: "attachment", Name: "unbekannt", Content: string(m.Attached[2].Content)},
	}
	alternative := func(other shape) shape { return shape{Type: "multipart/alternative", Parts: []shape{text, other}} }
	tests := []struct {
		name   string
		change func(*mail.Message)
		want   shape
	}{
		{"all of it", func(*mail.Message) {}, shape{Type: "multipart/mixed", Parts: append([]shape{alternative(related)}, files...)}},
		{"no files", func(m *mail.Message) { m.Attached = nil }, alternative(related)},
		{"no picture", func(m *mail.Message) { m.Inline, m.Attached = nil, nil }, alternative(html)},
		{"no HTML", func(m *mail.Message) { m.HTML, m.Inline = "", nil }, shape{Type: "multipart/mixed", Parts: append([]shape{text}, files...)}},
		{"text alone", func(m *mail.Message) { m.HTML, m.Inline, m.Attached = "", nil, nil }, text},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := full()
			test.change(&m)
			got := receive(t, m)
			if diff := cmp.Diff(test.want, shapeOf(got.Parse(t))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for number, line := range bytes.Split(got.Raw, []byte("\r\n")) {
				// RFC 5322 allows 998, and a reader of 7 bits must get it whole.
				if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") || slices.ContainsFunc(line, func(b byte) bool { return b > '~' }) {
					t.Errorf("line %d cannot travel: %q", number+1, line)
				}
			}
		})
	}
}

func TestTheHeader(t *testing.T) {
	t.Parallel()
	m := full()
	got := receive(t, m)
	head := got.Parse(t)
	if diff := cmp.Diff(m.Subject, head.Subject()); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	to, err := netmail.ParseAddressList(head.Header.Get("To"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*netmail.Address{{Name: "Ann Größe", Address: "ann@example.com"}, {Address: "bob@example.com"}}, to); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ann@example.com", "bob@example.com"}, got.To); diff != "" || got.From != "retention@shop.example" {
		t.Errorf("envelope from %s (-want +got):\n%s", got.From, diff)
	}
	if got.UTF8 {
		t.Error("servers that do not know SMTPUTF8 must refuse this mail")
	}
	date, err := netmail.ParseDate(head.Header.Get("Date"))
	if err != nil || !date.Equal(day()) {
		t.Errorf("dated %v, %v", date, err)
	}
	for name, want := range map[string]string{
		"From": `"RetentionOps" <retention@shop.example>`, "Message-Id": "<01KEZ@shop.example>", "Mime-Version": "1.0",
		"Auto-Submitted": "auto-generated", "Date": day().Format(time.RFC1123Z),
	} {
		if values := head.Header.Values(name); !slices.Equal(values, []string{want}) {
			t.Errorf("%s: %q, want %q", name, values, want)
		}
	}
	for name := range head.Header {
		if !slices.Contains([]string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}, name) {
			t.Errorf("%s is told to everybody: %q", name, head.Header[name])
		}
	}
}

func TestNothingCanBeAddedToAHeader(t *testing.T) {
	t.Parallel()
	const more = "\r\nBcc: eve@example.com\r\n\r\nanother mail"
	for name, change := range map[string]func(*mail.Message){
		"subject":    func(m *mail.Message) { m.Subject += more },
		"address":    func(m *mail.Message) { m.To[1] += more },
		"name":       func(m *mail.Message) { m.To[1] = "\"Bob" + more + "\" <bob@example.com>" },
		"file":       func(m *mail.Message) { m.Attached[0].Name += more },
		"type":       func(m *mail.Message) { m.Attached[0].Type += more },
		"content id": func(m *mail.Message) { m.Inline[0].ContentID += more },
		"picture":    func(m *mail.Message) { m.Inline[0].Name += more },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t)
			m := full()
			change(&m)
			err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), m)
			if functions.CodeOf(err) != functions.FailedPrecondition || server.Attempts() != 0 {
				t.Errorf("got %v after %d attempts", err, server.Attempts())
			}
		})
	}
	// What only looks like a header is text.
	m := full()
	m.Subject = "Bcc: eve@example.com =?utf-8?q?=0D=0ABcc:_eve?="
	m.Text = "Bcc: eve@example.com\r\n.\r\nQUIT\r\nMAIL FROM:<eve@example.com>\r\n"
	got := receive(t, m)
	if head := got.Parse(t); head.Header.Get("Bcc") != "" || head.Text() != strings.ReplaceAll(m.Text, "\r\n", "\n") || slices.Contains(got.To, "eve@example.com") {
		t.Errorf("%q\n%q", head.Header, head.Text())
	}
}

func TestALongSubjectIsCut(t *testing.T) {
	t.Parallel()
	m := small
	m.Subject = strings.Repeat("ä", 5000)
	if got, want := receive(t, m).Parse(t).Subject(), strings.Repeat("ä", 199)+"…"; got != want {
		t.Errorf("got %d characters: %s", len([]rune(got)), got)
	}
	m.Subject = strings.Repeat("x", 200)
	if got := receive(t, m).Parse(t).Subject(); got != m.Subject {
		t.Errorf("got %q", got)
	}
}

func TestLargeFiles(t *testing.T) {
	t.Parallel()
	content := make([]byte, 7_000_000)
	_, _ = rand.Read(content)
	m := small
	m.Attached = []mail.File{{Name: "large.bin", Content: content}}
	files := receive(t, m).Parse(t).Files("attachment")
	if len(files) != 1 || !bytes.Equal(files[0].Content, content) {
		t.Error("the file is not what it was")
	}

	m.Attached = []mail.File{{Name: "larger.bin", Content: make([]byte, 8_000_000)}} // small enough until it is encoded
	server := mailtest.Start(t)
	err := open(t, mail.Settings{URL: server.URL()}).Send(t.Context(), m)
	if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), "larger than 10240000 bytes") || server.Attempts() != 0 {
		t.Errorf("got %v after %d attempts", err, server.Attempts())
	}

	m.Attached[0].Content = make([]byte, 100_000)
	strict := mailtest.Start(t, mailtest.WithLimit(50_000))
	err = open(t, mail.Settings{URL: strict.URL()}).Send(t.Context(), m)
	if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), "larger than the mail server takes") || strict.Attempts() != 0 {
		t.Errorf("got %v after %d attempts", err, strict.Attempts())
	}
}

func TestBytesThatAreNoTextAreMarked(t *testing.T) {
	t.Parallel()
	m := small
	m.Text, m.Subject = "bad \xff\n", "bad \xff"
	if got := receive(t, m).Parse(t); got.Text() != "bad \uFFFD\n" || got.Subject() != "bad \uFFFD" {
		t.Errorf("%q, %q", got.Text(), got.Subject())
	}
}
