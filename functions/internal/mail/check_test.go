package mail_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
)

// sound is a message with nothing wrong in it, changed by the function.
func sound(change func(*mail.Message)) mail.Message {
	m := mail.Message{
		To: []string{"Ann <ann@example.com>", "bob@example.com"}, Subject: "Not confirmed", Text: "Hello.",
		HTML:     `<img src="cid:chart">`,
		Inline:   []mail.File{{Name: "chart.png", Type: "image/png", ContentID: "chart", Content: []byte("png")}},
		Attached: []mail.File{{Name: "P1.csv", Type: "text/csv; charset=utf-8", Content: []byte("a,b\n")}},
	}
	change(&m)
	return m
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	many := make([]string, mail.MaxRecipients+1)
	for i := range many {
		many[i] = fmt.Sprintf("nr%d@example.com", i)
	}
	tests := []struct {
		name   string
		change func(*mail.Message)
		want   string // part of the error; empty when it can be sent
	}{
		{"nothing wrong", func(*mail.Message) {}, ""},
		{"text alone", func(m *mail.Message) { m.HTML, m.Inline, m.Attached = "", nil, nil }, ""},
		{"a file of unknown type", func(m *mail.Message) { m.Attached[0].Type = "" }, ""},
		{"a name in other letters", func(m *mail.Message) { m.Attached[0].Name = "Zielgruppe Größe 🎯.csv" }, ""},
		{"a tag in the address", func(m *mail.Message) { m.To = []string{"ann+ops@mail.example.com"} }, ""},
		{"nobody", func(m *mail.Message) { m.To = nil }, "the mail has no recipient"},
		{"too many", func(m *mail.Message) { m.To = many }, "101 recipients, at most 100"},
		{"no address", func(m *mail.Message) { m.To[1] = "bob" }, "recipient 2 of 2 is not an address"},
		{"two in one", func(m *mail.Message) { m.To[1] = "bob@example.com, eve@example.com" }, "recipient 2 of 2"},
		{"a line break in an address", func(m *mail.Message) { m.To[1] = "bob@example.com\r\nBcc: eve@example.com" }, "recipient 2 of 2"},
		{"a line break in a name", func(m *mail.Message) { m.To[1] = "\"Bob\r\nBcc: eve@example.com\" <bob@example.com>" }, "recipient 2 of 2"},
		{"an encoded line break in a name", func(m *mail.Message) { m.To[1] = "=?utf-8?q?Bob=0D=0ABcc:_eve?= <bob@example.com>" }, "recipient 2 of 2"},
		{"an address in quotes", func(m *mail.Message) { m.To[1] = `"bob> RCPT TO:<eve"@example.com` }, "recipient 2 of 2"},
		{"an address that not every server carries", func(m *mail.Message) { m.To[1] = "bob@größe.example" }, "recipient 2 of 2"},
		{"an endless address", func(m *mail.Message) { m.To[1] = strings.Repeat("b", 250) + "@example.com" }, "recipient 2 of 2"},
		{"no subject", func(m *mail.Message) { m.Subject = " " }, "the mail has no subject"},
		{"a line break in the subject", func(m *mail.Message) { m.Subject = "Hello\r\nBcc: eve@example.com" }, "line break"},
		{"half a line break in the subject", func(m *mail.Message) { m.Subject = "Hello\nBcc: eve@example.com" }, "line break"},
		{"no text", func(m *mail.Message) { m.Text = "" }, "the mail has no text"},
		{"a picture nobody shows", func(m *mail.Message) { m.HTML = "" }, "no HTML that shows it"},
		{"a picture without an id", func(m *mail.Message) { m.Inline[0].ContentID = "" }, "no content id of its own"},
		{"an id with a line break", func(m *mail.Message) { m.Inline[0].ContentID = "chart>\r\nX: y" }, "no content id of its own"},
		{"the same id twice", func(m *mail.Message) { m.Inline = append(m.Inline, m.Inline[0]) }, "no content id of its own"},
		{"a file without a name", func(m *mail.Message) { m.Attached[0].Name = "" }, "a name that cannot travel"},
		{"a line break in a name of a file", func(m *mail.Message) { m.Attached[0].Name = "a\r\nX: y.csv" }, "a name that cannot travel"},
		{"a path", func(m *mail.Message) { m.Attached[0].Name = "../../etc/passwd" }, "a name that cannot travel"},
		{"a name of bytes", func(m *mail.Message) { m.Attached[0].Name = "a\xff.csv" }, "a name that cannot travel"},
		{"an endless name", func(m *mail.Message) { m.Attached[0].Name = strings.Repeat("n", 121) }, "a name that cannot travel"},
		{"a type that is none", func(m *mail.Message) { m.Attached[0].Type = "csv" }, "a type that is none"},
		{"a line break in a type", func(m *mail.Message) { m.Attached[0].Type = "text/csv\r\nX: y" }, "a type that is none"},
		{"too much", func(m *mail.Message) { m.Attached[0].Content = bytes.Repeat([]byte("x"), mail.MaxSize) }, "larger than 10240000 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := sound(test.change).Check()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want failed_precondition with %q", err, test.want)
			}
			for _, person := range []string{"ann@", "bob@", "eve", "Bob"} {
				if strings.Contains(err.Error(), person) {
					t.Errorf("the error names a person: %v", err)
				}
			}
		})
	}
}

func TestARecipientIsWrittenToOnce(t *testing.T) {
	t.Parallel()
	m := mail.Message{To: []string{"Ann <ann@example.com>", "bob@example.com", "ANN@example.com", "ann@Example.com"}}
	recipients, err := m.Recipients()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, recipient := range recipients {
		got = append(got, recipient.String())
	}
	if want := []string{`"Ann" <ann@example.com>`, "<bob@example.com>"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"ann@example.com", "Ann <ann@example.com>", `"a b"@example.com`, "=?utf-8?q?=0A?= <a@b.c>", "<>", "a@[127.0.0.1]", "a@b@c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := mail.ParseAddress(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(address.Address, "\r\n<> \t\x00") || strings.Count(address.Address, "@") != 1 {
			t.Errorf("%q gives %q", text, address.Address)
		}
		if strings.ContainsAny(address.String(), "\r\n") {
			t.Errorf("%q is written as %q", text, address)
		}
	})
}
