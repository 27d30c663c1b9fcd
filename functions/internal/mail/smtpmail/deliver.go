package smtpmail

import (
	"context"
	"crypto/tls"
	"net"
	netmail "net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// delivered is what one attempt came to. Recipients that are neither waiting nor refused have the mail.
type delivered struct {
	waiting []*netmail.Address // without the mail, and without a final no
	fault   *fault             // why they are; nil when nobody is
	refused int                // with a final no
	no      *fault             // the last of these
}

// deliver makes one attempt.
func (r *Relay) deliver(ctx context.Context, letter []byte, to []*netmail.Address) delivered {
	attempt, cancel := context.WithTimeout(ctx, r.Attempt)
	defer cancel()
	conn, err := r.Dial(attempt, "tcp", r.address)
	if err != nil {
		return delivered{waiting: to, fault: r.judge(ctx, attempt, connecting, err)}
	}
	defer func() { _ = conn.Close() }()
	// A server that says nothing is left when the time is over, and at once when the caller has gone.
	defer context.AfterFunc(attempt, func() { _ = conn.Close() })()

	client, at, err := r.greet(conn)
	if err != nil {
		return delivered{waiting: to, fault: r.judge(ctx, attempt, at, err)}
	}
	if fault := tooLargeFor(client, len(letter)); fault != nil {
		return delivered{waiting: to, fault: fault}
	}
	result, at, err := handOver(client, "<"+r.account.From.Address+">", to, letter)
	if err != nil {
		return delivered{waiting: to, fault: r.judge(ctx, attempt, at, err)}
	}
	for i, address := range to {
		said, not := result.replies[i]
		if !not {
			continue
		}
		if fault := r.judge(ctx, attempt, naming, said); fault.passing {
			result.waiting, result.fault = append(result.waiting, address), fault
		} else {
			result.refused, result.no = result.refused+1, fault
		}
	}
	_ = conn.SetDeadline(time.Now().Add(quitTimeout))
	_ = client.Quit() // the mail has been taken; how the goodbye goes is all one
	return result.delivered
}

// greet gets the connection to where mail can be handed over: encrypted, and with the user known.
func (r *Relay) greet(conn net.Conn) (*smtp.Client, stage, error) {
	trust := &tls.Config{ServerName: r.host, RootCAs: r.Roots, MinVersion: tls.VersionTLS12}
	at := greeting
	if r.encrypted {
		conn, at = tls.Client(conn, trust), encrypting
	}
	client, err := smtp.NewClient(conn, r.host)
	if err != nil {
		return nil, at, err
	}
	_, domain, _ := strings.Cut(r.account.From.Address, "@")
	if err := client.Hello(domain); err != nil {
		return nil, greeting, err
	}
	if !r.encrypted && !r.local {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return nil, encrypting, errNoSTARTTLS
		}
		if err := client.StartTLS(trust); err != nil {
			return nil, encrypting, err
		}
	}
	client.SkipSMTPUTF8(true) // all addresses are ASCII, and a mail that asks for it is lost at a server that lacks it
	user := r.account.URL.User.Username()
	if user == "" {
		return client, "", nil
	}
	_, offered := client.Extension("AUTH")
	way := r.auth(strings.Fields(offered), user)
	if way == nil {
		return nil, authenticating, errNoAuth
	}
	if err := client.Auth(way); err != nil {
		return nil, authenticating, err
	}
	return client, "", nil
}

// auth is the best way to prove who we are of those that the server offers; nil when it offers none that we know. A
// password goes out in the clear to a server on this machine at most: greet has encrypted all else.
func (r *Relay) auth(offered []string, user string) smtp.Auth {
	switch {
	case slices.Contains(offered, "PLAIN"):
		return smtp.PlainAuth("", user, r.account.Password, r.host, r.local)
	case slices.Contains(offered, "LOGIN"):
		return smtp.LoginAuth(user, r.account.Password, r.host, r.local)
	default:
		return nil
	}
}

// tooLargeFor says so when the server has told that it takes less (RFC 1870).
func tooLargeFor(client *smtp.Client, size int) *fault {
	_, told := client.Extension("SIZE")
	if most, err := strconv.ParseInt(told, 10, 64); err == nil && most > 0 && int64(size) > most {
		return final("the mail is larger than the mail server takes").hint("lower attach_up_to_kb in rules/playbooks.yaml")
	}
	return nil
}

// handed is what became of a mail that was handed over.
type handed struct {
	delivered
	replies map[int]error // what the server said to the recipients that it did not take, by their place
}

// handOver hands the letter over for all recipients that the server takes. An error means that nobody has it.
func handOver(client *smtp.Client, from string, to []*netmail.Address, letter []byte) (handed, stage, error) {
	result := handed{replies: map[int]error{}}
	if err := client.Mail(from); err != nil {
		return result, sending, err
	}
	for i, address := range to {
		err := client.Rcpt("<" + address.Address + ">")
		if err != nil && !reply(err) { // not a no of the server: the connection is gone
			return result, naming, err
		}
		if err != nil {
			result.replies[i] = err
		}
	}
	if len(result.replies) == len(to) {
		return result, "", nil
	}
	body, err := client.Data()
	if err != nil {
		return result, writing, err
	}
	if _, err := body.Write(letter); err != nil { // the end was not sent, so the server cannot have taken it
		return result, writing, err
	}
	if err := body.Close(); err != nil {
		return result, closing, err
	}
	return result, "", nil
}
