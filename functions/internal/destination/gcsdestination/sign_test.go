package gcsdestination_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
)

const account = "exports@project.iam.gserviceaccount.com"

var instant = time.Date(2026, 1, 12, 6, 0, 7, 0, time.UTC)

func signer(t *testing.T, i *cloudtest.IAM, place string) *gcsdestination.Destination {
	t.Helper()
	d := open(t, cloudtest.NewStorage(t, "exports"), place)
	d.Signing = cloudtest.Options(i.Address)
	d.Now = func() time.Time { return instant }
	cloudtest.Time(d.Caller())
	return d
}

// The large client of Cloud Storage signs too: the two must agree to the last byte.
func TestASignedLinkIsWhatGooglesOwnClientWrites(t *testing.T) {
	t.Parallel()
	i := cloudtest.NewIAM(t, account)
	for _, lasts := range []time.Duration{time.Minute, 90 * time.Minute, 12 * time.Hour} {
		d := signer(t, i, "gs://exports/a/b.c?signer="+account)
		got, err := d.Sign(t.Context(), "shadow", day, functions.P1, lasts)
		if err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		// Their client takes the time from the system: ours is signed again by theirs at the moment that ours names.
		theirs, err := storage.SignedURL("exports", "a/b.c/shadow/2026-01-12_P1.csv", &storage.SignedURLOptions{
			GoogleAccessID: account, Method: http.MethodGet, Scheme: storage.SigningSchemeV4,
			Expires: time.Now().Add(lasts + time.Second/2), SignBytes: i.Sign,
		})
		if err != nil {
			t.Fatal(err)
		}
		want, err := url.Parse(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if link.Scheme != want.Scheme || link.Host != want.Host || link.EscapedPath() != want.EscapedPath() {
			t.Errorf("%s, want %s", got, theirs)
		}
		for _, name := range []string{"X-Goog-Algorithm", "X-Goog-Expires", "X-Goog-SignedHeaders"} {
			if got, want := link.Query().Get(name), want.Query().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		verify(t, i, link)
		verify(t, i, want) // what is verified is what their client signs
	}
}

// verify makes the text of a signed link from the link alone, as the service does, and checks its signature.
func verify(t *testing.T, i *cloudtest.IAM, link *url.URL) {
	t.Helper()
	query := link.Query()
	signature, err := hex.DecodeString(query.Get("X-Goog-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	query.Del("X-Goog-Signature")
	canonical := "GET\n" + link.EscapedPath() + "\n" + query.Encode() + "\nhost:" + link.Host + "\n\nhost\nUNSIGNED-PAYLOAD"
	sum := sha256.Sum256([]byte(canonical))
	_, scope, _ := strings.Cut(query.Get("X-Goog-Credential"), "/")
	text := "GOOG4-RSA-SHA256\n" + query.Get("X-Goog-Date") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	digest := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(&i.Key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("%s: %v", link, err)
	}
}

func TestWhoSigns(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, place string
		account     func(context.Context) (string, error)
		faults      []cloudtest.Fault
		lasts       time.Duration
		want        functions.Code
		hint        string
	}{
		{name: "the account of the setting", place: "gs://exports?signer=" + account, lasts: time.Hour},
		{name: "the function's own account", place: "gs://exports", lasts: time.Hour, account: func(context.Context) (string, error) { return account, nil }},
		{
			name: "none on a laptop", place: "gs://exports", lasts: time.Hour, want: functions.FailedPrecondition, hint: "?signer=",
			account: func(context.Context) (string, error) { return "", errors.New("no metadata server") },
		},
		{
			name: "an account that is not there", place: "gs://exports?signer=b@project.iam.gserviceaccount.com", lasts: time.Hour,
			want: functions.FailedPrecondition, hint: "name of the service account",
		},
		{
			name: "an account that may not sign", place: "gs://exports?signer=" + account, lasts: time.Hour,
			faults: []cloudtest.Fault{cloudtest.Refuse(403, "forbidden", "iam.serviceAccounts.signBlob denied")},
			want:   functions.FailedPrecondition, hint: "Service Account Token Creator",
		},
		{
			name: "a service that is back soon", place: "gs://exports?signer=" + account, lasts: time.Hour,
			faults: []cloudtest.Fault{cloudtest.Refuse(503, "", ""), cloudtest.Lose},
		},
		{name: "too long", place: "gs://exports?signer=" + account, lasts: 12*time.Hour + time.Second, want: functions.InvalidArgument, hint: "12 hours"},
		{name: "too short", place: "gs://exports?signer=" + account, lasts: time.Second, want: functions.InvalidArgument},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			i := cloudtest.NewIAM(t, account)
			d := signer(t, i, row.place)
			if row.account != nil {
				d.Account = row.account
			}
			i.Script.Add("", "", row.faults...)
			link, err := d.Sign(t.Context(), "", day, functions.P1, row.lasts)
			problem := functions.ProblemOf(err, "")
			if got := functions.CodeOf(err); got != row.want || (link == "") != (row.want != "") || !strings.Contains(problem.Hint, row.hint) {
				t.Errorf("Sign = %q, %v (%s); want %q", link, err, problem.Hint, row.want)
			}
			if err != nil && strings.Contains(err.Error(), "X-Goog-Signature") {
				t.Errorf("the error tells a signature: %v", err)
			}
		})
	}
}

func TestASignerIsAServiceAccount(t *testing.T) {
	t.Parallel()
	storage := cloudtest.NewStorage(t)
	for _, place := range []string{"gs://exports?signer=me@example.com", "gs://exports?signer=" + account + "&days=1", "gs://exports?days=1"} {
		u, err := url.Parse(place)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gcsdestination.Open(t.Context(), u, storage.Options()...); functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("%s: %v, want failed_precondition", place, err)
		}
	}
}
