package mail_test

import (
	"context"
	"fmt"
	"time"

	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
)

func Example() {
	ctx := context.Background()
	server, err := mailtest.Listen(ctx) // stands for the company's mail server
	if err != nil {
		panic(err)
	}
	defer server.Close()

	settings := mail.Settings{URL: server.URL(), From: "RetentionOps <retention@shop.example>"}
	sender, err := mail.Open(ctx, settings, time.Now, func() string { return "01KEZ" })
	if err != nil {
		panic(err)
	}
	err = sender.Send(ctx, mail.Message{
		To:       []string{"ann@example.com"},
		Subject:  "WARNING 2026-01-12: not confirmed",
		Text:     "Make.com has not confirmed the message.\n",
		HTML:     `<p>Make.com has not confirmed the message.</p><img src="cid:chart" alt="25.2%">`,
		Inline:   []mail.File{{Name: "chart.png", Type: "image/png", ContentID: "chart", Content: []byte("…")}},
		Attached: []mail.File{{Name: "P1.csv", Type: "text/csv; charset=utf-8", Content: []byte("customer_id\n17\n")}},
	})
	fmt.Println("sent:", err)

	received, err := server.Messages()[0].Part()
	if err != nil {
		panic(err)
	}
	fmt.Println(received.Subject())
	fmt.Print(received.Text())
	for _, file := range append(received.Files("inline"), received.Files("attachment")...) {
		fmt.Println(file.Disposition, file.Name, file.Type, file.ContentID)
	}
	// Output:
	// sent: <nil>
	// WARNING 2026-01-12: not confirmed
	// Make.com has not confirmed the message.
	// inline chart.png image/png chart
	// attachment P1.csv text/csv
}
