package bigquerywarehouse

import (
	"context"
	"fmt"
	"net/http"

	"cloud.google.com/go/bigquery"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// operation names the call that an attempt belongs to: the same for each of its attempts.
func (w *Warehouse) operation(ctx context.Context) string {
	if id := driver.OperationFrom(ctx); id != "" {
		return label(id)
	}
	return label(w.newID())
}

// where is the location of our dataset. A job can only be looked up by its id together with where it runs.
func (w *Warehouse) where(ctx context.Context) (string, error) {
	if w.place.Location != "" {
		return w.place.Location, nil
	}
	return w.location.get(func() (string, error) {
		dataset, err := w.client.Dataset(w.place.Dataset).Metadata(ctx)
		switch {
		case isStatus(err, http.StatusNotFound):
			return "", noDataset().WithCause(err)
		case err != nil:
			return "", err
		}
		return dataset.Location, nil
	})
}

func noDataset() *functions.Error {
	return functions.Errorf(functions.FailedPrecondition, "the dataset of RETENTIONOPS_WAREHOUSE is not there").
		WithHint("make it once: bq mk --dataset --location=EU PROJECT:DATASET")
}

// modify runs a statement that writes, as a job of its own.
func (w *Warehouse) modify(ctx context.Context, statement, doing, id string, params []bigquery.QueryParameter) error {
	if err := w.runJob(ctx, statement, w.sql[statement], id, params); err != nil {
		return w.explained(ctx, doing, err)
	}
	return nil
}

func (w *Warehouse) runJob(ctx context.Context, statement, text, id string, params []bigquery.QueryParameter) error {
	return w.work(ctx, id, func(jobID, location string) (*bigquery.Job, error) {
		q := w.query(ctx, statement, text, params)
		q.JobID, q.Location = jobID, location
		return q.Run(ctx)
	})
}

// jobIDs is how many ids are tried for a piece of work: each one that is used up is a job that failed.
const jobIDs = 20

// work has a job run to its end, once. Its id is derived from the work's: whether an answer was lost in this attempt or in
// an earlier one of the same call, the job is found by its id and waited for, and a job that was seen to fail is followed
// by one with the next id.
func (w *Warehouse) work(ctx context.Context, id string, start func(jobID, location string) (*bigquery.Job, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	location, err := w.where(ctx)
	if err != nil {
		return err
	}
	for n := 1; n <= jobIDs; n++ {
		job, earlier, err := w.startOrFind(ctx, fmt.Sprintf("%s-%d", id, n), location, start)
		if err != nil {
			return err
		}
		status, err := w.wait(ctx, job)
		if err != nil {
			return err
		}
		if err := status.Err(); err == nil || !earlier {
			return err
		}
	}
	return functions.Errorf(functions.Unavailable, "the jobs of this call have failed too often")
}

// startOrFind starts the job, or finds the one that has its id: earlier then says that an attempt before this one began it.
func (w *Warehouse) startOrFind(
	ctx context.Context, jobID, location string, start func(jobID, location string) (*bigquery.Job, error),
) (job *bigquery.Job, earlier bool, err error) {
	job, err = start(jobID, location)
	if err == nil {
		return job, false, nil
	}
	earlier = isStatus(err, http.StatusConflict)
	if !earlier && !passes(err) {
		return nil, false, err
	}
	// It may have been taken all the same.
	found, lookErr := w.client.JobFromIDLocation(ctx, jobID, location)
	switch {
	case lookErr == nil:
		return found, earlier, nil
	case earlier && !isStatus(lookErr, http.StatusNotFound):
		return nil, false, lookErr // it is there, so what keeps us from it is the fault
	default:
		return nil, false, err // 404: it was not taken. Else nobody knows, and the next attempt looks again
	}
}

// wait looks at a job until it is done. The client's own waiting asks for the result of a query, and takes the failure of
// a job for a failure of the asking: it would ask until the context ends.
func (w *Warehouse) wait(ctx context.Context, job *bigquery.Job) (*bigquery.JobStatus, error) {
	pause := w.firstLook
	for status := job.LastStatus(); ; {
		if status != nil && status.Done() {
			return status, nil
		}
		err := functions.Pause(ctx, pause)
		if err != nil {
			return nil, err
		}
		if status, err = job.Status(ctx); err != nil {
			return nil, err
		}
		pause = min(pause*3/2, w.longestLook)
	}
}
