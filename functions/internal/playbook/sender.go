package playbook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/retentionops/retentionops/functions"
)

// How the webhook is tried (§14: two retries, five seconds apart).
const (
	sendAttempts = 3
	// DefaultBetween is the pause between two attempts of a Runner that names no other.
	DefaultBetween = 5 * time.Second
	// DefaultAnswer is how long the webhook may take to answer when a Runner names no other time: the upper end of what
	// the Standard Webhooks specification recommends.
	DefaultAnswer = 30 * time.Second

	busyTimes   = 2   // as long after a 429: Make.com counts the requests of ten seconds
	retryJitter = 0.2 // of the pause, added at random so that many runs do not come back together
)

// longestAsked stands for every pause that is asked for and is longer: none of them fits into a run.
const longestAsked = 24 * time.Hour

// signatureTolerance is how far an answer's timestamp may be off (the specification's five minutes).
const signatureTolerance = 5 * time.Minute

// apiKeyHeader is the header in which Make.com looks for the key of a hook.
const apiKeyHeader = "x-make-apikey" //nolint:gosec // the name of a header, not a secret

// sender posts a stored payload until it is confirmed, refused or the retries are used up.
type sender struct {
	client   *http.Client
	url      string
	apiKey   string
	signers  []*standardwebhooks.Webhook
	required bool // the rules ask for a receipt
	now      func() time.Time
	pause    func(context.Context, time.Duration) error
	jitter   func() float64 // 0 to 1
	between  time.Duration  // two attempts; 0 is DefaultBetween
	answerIn time.Duration  // 0 is DefaultAnswer

	mayHaveRun bool // an attempt of an earlier run may have been worked
}

// delivery is what is known of a message after it was sent.
type delivery struct {
	verdict
	status   int // of the last answer; 0 without one
	attempts int
}

// send posts a stored message under its id: what is sent twice is the same bytes. Begun is told each attempt before it
// is made.
func (s *sender) send(ctx context.Context, message *stored, begun func(attempt int)) delivery {
	var result delivery
	answered, mayHaveRun := false, s.mayHaveRun
	for {
		result.attempts++
		begun(result.attempts)
		answer, err := s.post(ctx, message)
		if err != nil {
			result.verdict = verdict{state: functions.DeliveryUnknown, retry: true, why: faultWords(err, s.deadline())}
			if answered { // an answer was there before: something is known
				result.state = functions.DeliveryUnconfirmed
			}
			mayHaveRun = mayHaveRun || !neverLeft(err)
		} else {
			answered = true
			result.status = answer.status
			result.verdict = classify(answer.status, answer.body, expectation{
				webhookID: message.WebhookID, runID: message.RunID, required: s.required,
				forged: !s.genuine(answer, message.WebhookID),
			})
			if mayHaveRun {
				result.verdict = result.doubted()
			}
			mayHaveRun = mayHaveRun || result.worked
		}
		if !result.retry || result.attempts == sendAttempts {
			return result
		}
		wait := max(s.wait(result.status), answer.retryAfter(s.now()))
		// A context's deadline is of the machine's clock, whatever clock the run is told.
		if deadline, has := ctx.Deadline(); has && time.Until(deadline) < wait+s.deadline() {
			result.why += fmt.Sprintf("; the next try in %s does not fit into this run", wait.Round(time.Second))
			return result
		}
		if err := s.pause(ctx, wait); err != nil {
			result.why += "; the run's time is used up"
			return result
		}
	}
}

// wait is our own pause after an answer with that status; 0 stands for none.
func (s *sender) wait(status int) time.Duration {
	pause := cmp.Or(s.between, DefaultBetween)
	if status == http.StatusTooManyRequests {
		pause *= busyTimes
	}
	return time.Duration(float64(pause) * (1 + retryJitter*s.jitter()))
}

// deadline is how long one attempt may take.
func (s *sender) deadline() time.Duration { return cmp.Or(s.answerIn, DefaultAnswer) }

// answer is what came back from one attempt.
type answer struct {
	status int
	header http.Header
	body   []byte // at most one byte more than maxAnswer
}

func (s *sender) post(ctx context.Context, message *stored) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.deadline())
	defer cancel()
	body := []byte(message.Body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	now := s.now()
	signatures := make([]string, len(s.signers))
	for i, signer := range s.signers {
		if signatures[i], err = signer.Sign(message.WebhookID, now, body); err != nil {
			return answer{}, err
		}
	}
	request.Header.Set("Content-Type", message.ContentType)
	request.Header.Set("User-Agent", "RetentionOps")
	request.Header.Set(standardwebhooks.HeaderWebhookID, message.WebhookID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	if s.apiKey != "" {
		request.Header.Set(apiKeyHeader, s.apiKey)
	}
	client := *s.client
	// A redirect would carry the key to another host.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil { // cut off in the middle: whether it was a receipt cannot be told
		return answer{}, err
	}
	return answer{status: response.StatusCode, header: response.Header, body: read}, nil
}

// genuine reports whether a signed answer is signed with the shared secret: it works in both directions. An answer
// without a signature is genuine: Make.com cannot sign without effort, and TLS names the host.
func (s *sender) genuine(a answer, id string) bool {
	if a.header.Get(standardwebhooks.HeaderWebhookSignature) == "" {
		return true
	}
	if a.header.Get(standardwebhooks.HeaderWebhookID) != id {
		return false
	}
	seconds, err := strconv.ParseInt(a.header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil || s.now().Sub(time.Unix(seconds, 0)).Abs() > signatureTolerance {
		return false
	}
	for _, signer := range s.signers {
		// The library compares with the machine's clock; ours is a field, and was compared above.
		if signer.VerifyIgnoringTimestamp(a.body, a.header) == nil {
			return true
		}
	}
	return false
}

// retryAfter is the pause that the answer asks for; 0 when it asks for none.
func (a answer) retryAfter(now time.Time) time.Duration {
	text := a.header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(0, seconds), int64(longestAsked/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// faultWords says why there was no answer. The error's own text is not used: it shows the URL, which is a secret.
func faultWords(err error, deadline time.Duration) string {
	var (
		name      *net.DNSError
		unknownCA x509.UnknownAuthorityError
		wrongHost x509.HostnameError
		badCert   *tls.CertificateVerificationError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &name):
		return "no answer: the webhook's host is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no answer: nobody listens at the webhook's address"
	case errors.As(err, &badCert), errors.As(err, &unknownCA), errors.As(err, &wrongHost):
		return "no answer: the webhook's certificate is not trusted"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer within %s", deadline)
	case errors.Is(err, context.Canceled):
		return "no answer: the run was stopped"
	default:
		return "no answer: the connection was cut"
	}
}

// neverLeft tells faults that come before a message is sent.
func neverLeft(err error) bool {
	var (
		name      *net.DNSError
		unknownCA x509.UnknownAuthorityError
		wrongHost x509.HostnameError
		badCert   *tls.CertificateVerificationError
	)
	return errors.As(err, &name) || errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &badCert) ||
		errors.As(err, &unknownCA) || errors.As(err, &wrongHost)
}

func decodeSecret(secret string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
}
