package bigquerywarehouse

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"github.com/retentionops/retentionops/functions"
)

// passing are the reasons of BigQuery that may be gone at the next attempt. A quota (quotaExceeded) refills over hours
// and is none of them, though it comes with the same status as a rate limit.
var passing = []string{
	"backendError", "internalError", "jobBackendError", "jobInternalError", "rateLimitExceeded", "jobRateLimitExceeded",
}

// reasonOf is the reason that BigQuery gives for an error of a call or of a job; empty when it gives none.
func reasonOf(err error) string {
	if job, is := errors.AsType[*bigquery.Error](err); is {
		return job.Reason
	}
	if call, is := errors.AsType[*googleapi.Error](err); is && len(call.Errors) > 0 {
		return call.Errors[0].Reason
	}
	return ""
}

func isReason(err error, reasons ...string) bool { return slices.Contains(reasons, reasonOf(err)) }

func isStatus(err error, status int) bool {
	call, is := errors.AsType[*googleapi.Error](err)
	return is && call.Code == status
}

// passes says whether BigQuery or the way to it failed in a manner that may be gone soon. A reason decides before the
// status does.
func passes(err error) bool {
	if reason := reasonOf(err); reason != "" && reason != "duplicate" {
		if slices.Contains(passing, reason) {
			return true
		}
		call, is := errors.AsType[*googleapi.Error](err)
		return is && call.Code >= http.StatusInternalServerError
	}
	if call, is := errors.AsType[*googleapi.Error](err); is {
		return call.Code >= http.StatusInternalServerError || call.Code == http.StatusTooManyRequests
	}
	if broken, is := errors.AsType[net.Error](err); is && broken.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	_, cut := errors.AsType[*json.SyntaxError](err) // an answer that ends too early
	return cut || slices.ContainsFunc([]error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	}, func(broken error) bool { return errors.Is(err, broken) })
}

// fault gives an error of BigQuery its code. What BigQuery says stays the cause: it quotes SQL and names of projects.
func fault(doing string, err error) error {
	if _, coded := errors.AsType[*functions.Error](err); coded {
		return err
	}
	switch {
	case passes(err): // before the deadline: the client gives up at the deadline for what it took for passing
		return functions.Errorf(functions.Unavailable, "BigQuery could not %s just now", doing).WithHint("try again").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return functions.Errorf(functions.DeadlineExceeded, "the warehouse took too long to %s", doing).WithCause(err)
	case errors.Is(err, context.Canceled):
		return functions.Errorf(functions.Unavailable, "cancelled while about to %s", doing).WithCause(err)
	}
	switch reasonOf(err) {
	case "quotaExceeded":
		return functions.Errorf(functions.ResourceExhausted, "a quota of BigQuery is used up: it could not %s", doing).
			WithHint("a quota refills over hours: look at the quotas of the project").WithCause(err)
	case "resourcesExceeded", "responseTooLarge":
		return functions.Errorf(functions.ResourceExhausted, "BigQuery has too little room to %s", doing).WithCause(err)
	case "bytesBilledLimitExceeded":
		return functions.Errorf(functions.FailedPrecondition, "it would bill more than max_bytes_billed to %s", doing).
			WithHint("raise max_bytes_billed in RETENTIONOPS_WAREHOUSE, or see what the detection has put into its tables").WithCause(err)
	}
	if isReason(err, "accessDenied", "authError", "required") || isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusForbidden) {
		return functions.Errorf(functions.FailedPrecondition, "this account may not %s in BigQuery", doing).
			WithHint("it needs BigQuery Job User on the project, Data Viewer on the inputs and Data Editor on our dataset").WithCause(err)
	}
	return functions.Errorf(functions.Internal, "%s", doing).WithCause(err)
}

// explained explains a statement that BigQuery did not understand: one of the tables is not as it must be, and the answer
// names the first such place.
func (w *Warehouse) explained(ctx context.Context, doing string, err error) error {
	if !errors.Is(err, errInexact) && !isReason(err, "notFound", "invalidQuery", "invalid") {
		return fault(doing, err)
	}
	findings, lookErr := w.Check(ctx)
	switch {
	case lookErr != nil:
		return fault(doing, errors.Join(err, lookErr))
	case len(findings) == 0:
		return fault(doing, err)
	}
	hint := "the detection fills it; inputs= in RETENTIONOPS_WAREHOUSE names its dataset"
	if ours(findings[0].Table) {
		hint = "run retentionops schema apply"
	}
	return functions.Errorf(functions.FailedPrecondition, "%s", findings[0]).WithHint(hint).WithCause(err)
}
