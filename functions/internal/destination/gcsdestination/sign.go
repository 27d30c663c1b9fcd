package gcsdestination

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

// What a V4 signature is made of (https://cloud.google.com/storage/docs/access-control/signing-urls-manually).
const (
	signedHost = "storage.googleapis.com"
	algorithm  = "GOOG4-RSA-SHA256"
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"
)

const signing = "signing a link to an audience file"

// Sign implements destination.Signer. The service account signs through IAM, so that no key lies anywhere.
func (d *Destination) Sign(
	ctx context.Context, folder string, date functions.Date, tier functions.Tier, lasts time.Duration,
) (link string, err error) {
	name, err := destination.CSVName(folder, date, tier)
	if err != nil {
		return "", err
	}
	if lasts < time.Minute || lasts > destination.LongestSigned {
		return "", functions.Errorf(functions.InvalidArgument, "a signed link cannot last %s", lasts).WithHint("from 1 minute to 12 hours")
	}
	account := d.signer
	if account == "" {
		if account, err = d.Account(ctx); err != nil {
			return "", functions.Errorf(functions.FailedPrecondition, "%s is not possible: the service account is not known", signing).
				WithHint("add ?signer=NAME@PROJECT.iam.gserviceaccount.com to RETENTIONOPS_EXPORTS").WithCause(err)
		}
	}
	return d.signedURL(ctx, account, d.path(name), d.Now().UTC(), lasts)
}

func (d *Destination) signedURL(ctx context.Context, account, path string, now time.Time, lasts time.Duration) (string, error) {
	scope := now.Format(dateFormat) + "/auto/storage/goog4_request"
	// The order of the query is that of its names, which Encode keeps; a blank would have to be %20, and there is none.
	query := url.Values{
		"X-Goog-Algorithm":     {algorithm},
		"X-Goog-Credential":    {account + "/" + scope},
		"X-Goog-Date":          {now.Format(timeFormat)},
		"X-Goog-Expires":       {fmt.Sprintf("%.0f", lasts.Seconds())},
		"X-Goog-SignedHeaders": {"host"},
	}.Encode()
	request := strings.Join([]string{"GET", path, query, "host:" + signedHost + "\n", "host", "UNSIGNED-PAYLOAD"}, "\n")
	sum := sha256.Sum256([]byte(request))
	text := strings.Join([]string{algorithm, now.Format(timeFormat), scope, hex.EncodeToString(sum[:])}, "\n")
	signature, err := d.signBlob(ctx, account, []byte(text))
	if err != nil {
		return "", cloud.Fault(cloud.Words{
			Doing: signing, Place: "IAM",
			Refused: "give the function's service account the role Service Account Token Creator on the account that signs",
			Missing: "look at the name of the service account that signs",
		}, err)
	}
	return "https://" + signedHost + path + "?" + query + "&X-Goog-Signature=" + hex.EncodeToString(signature), nil
}

func (d *Destination) signBlob(ctx context.Context, account string, text []byte) (signature []byte, err error) {
	options := append([]option.ClientOption{option.WithScopes(iamcredentials.CloudPlatformScope)}, d.Signing...)
	// Made anew each time: a signed link is rare, and a client is cheap.
	client, err := iamcredentials.NewService(ctx, options...)
	if err != nil {
		return nil, cloud.NoCredentials("IAM", err)
	}
	request := &iamcredentials.SignBlobRequest{Payload: base64.StdEncoding.EncodeToString(text)}
	err = d.bucket.Caller.Do(ctx, func(ctx context.Context, _ error) error {
		answer, err := client.Projects.ServiceAccounts.SignBlob("projects/-/serviceAccounts/"+account, request).Context(ctx).Do()
		if err != nil {
			return err
		}
		signature, err = base64.StdEncoding.DecodeString(answer.SignedBlob)
		return err
	})
	return signature, err
}
