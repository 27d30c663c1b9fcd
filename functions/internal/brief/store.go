package brief

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

// stored is the document that the archive keeps of a day: the brief of its run, in every format it was written in.
type stored struct {
	Date   functions.Date                  `json:"date"`
	Briefs []functions.GenerateBriefOutput `json:"briefs"`
}

func documentOf(date functions.Date) string { return "briefs/" + date.String() + ".json" }

// Store keeps a run's brief, in place of that of an earlier run of the same day.
func Store(ctx context.Context, to archive.Archive, date functions.Date, briefs []functions.GenerateBriefOutput) error {
	document, err := encode(stored{Date: date, Briefs: briefs}) // the blocks stay as they were made
	if err != nil {
		return fmt.Errorf("encode brief of %s: %w", date, err)
	}
	if err := to.Put(ctx, documentOf(date), document); err != nil {
		return fmt.Errorf("store brief of %s: %w", date, err)
	}
	return nil
}

// Stored reads the brief of a day's run in one format. There is none when no run of that day got as far:
// failed_precondition.
func Stored(ctx context.Context, from archive.Archive, date functions.Date, format functions.Format) (functions.GenerateBriefOutput, error) {
	document, err := from.Get(ctx, documentOf(date))
	if errors.Is(err, archive.ErrNotFound) {
		return functions.GenerateBriefOutput{}, functions.Errorf(functions.FailedPrecondition, "no brief of %s is stored", date).
			WithHint("a brief is stored by the playbook run of its day; for the newest alert date it is written at once, use latest")
	}
	if err != nil {
		return functions.GenerateBriefOutput{}, fmt.Errorf("read brief of %s: %w", date, err)
	}
	var kept stored
	if err := json.Unmarshal(document, &kept); err != nil {
		return functions.GenerateBriefOutput{}, fmt.Errorf("read brief of %s: %w", date, err)
	}
	formats := make([]string, 0, len(kept.Briefs))
	for _, one := range kept.Briefs {
		if one.Format == format {
			return one, nil
		}
		formats = append(formats, string(one.Format))
	}
	return functions.GenerateBriefOutput{}, functions.Errorf(functions.FailedPrecondition, "the brief of %s is not stored as %s", date, format).
		WithHint("stored: " + strings.Join(formats, ", "))
}

func parseDate(text string) (functions.Date, error) {
	date, err := civil.ParseDate(text)
	if err != nil {
		return date, fmt.Errorf("read the brief's date: %w", err)
	}
	return date, nil
}
