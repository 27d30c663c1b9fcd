package audience

import (
	"context"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

// signer is who signs links to CSV files; failed_precondition when it is no place that can. It is asked before anything is
// written.
func (e *Exporter) signer(ctx context.Context) (destination.Signer, error) {
	if e.CSV == nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "%s", csvMissing[0]).WithHint(csvMissing[1])
	}
	to, err := e.CSV(ctx)
	if err != nil {
		return nil, err
	}
	if signer, can := to.(destination.Signer); can {
		return signer, nil
	}
	return nil, functions.Errorf(functions.FailedPrecondition, "links to where CSV files go cannot be signed").
		WithHint("leave signed_minutes out, or set RETENTIONOPS_EXPORTS to gs://bucket/prefix")
}

// sign makes the link that opens without a login. It is part of the answer to this call alone: whoever holds it reads the
// customers, so that no run, message, log or row may carry it.
func (e *Exporter) sign(
	ctx context.Context, signer destination.Signer, audience destination.Audience, minutes int,
) (link string, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.deadline())
	defer cancel()
	return signer.Sign(ctx, audience.Folder, audience.Date, audience.Tier, time.Duration(minutes)*time.Minute)
}

func (e *Exporter) deadline() time.Duration {
	if e.Deadline == 0 {
		return defaultDeadline
	}
	return e.Deadline
}
