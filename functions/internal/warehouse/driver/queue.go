package driver

import (
	"math"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// CheckQueue refuses as invalid_argument what would leave a day that is not one day's queue. The digits of amounts are
// each driver's to look at, as it writes them.
func CheckQueue(date functions.Date, rows []retention.QueueRow, expireBefore functions.Date) error {
	if !date.IsValid() {
		return functions.Errorf(functions.InvalidArgument, "%s is not a day", date)
	}
	if !expireBefore.IsZero() && date.Before(expireBefore) {
		return functions.Errorf(functions.InvalidArgument, "the queue of %s is older than what is kept", date).
			WithHint("days before " + expireBefore.String() + " are removed")
	}
	seen := make(map[string]struct{}, len(rows))
	for _, row := range rows {
		if row.RunDate != date {
			return functions.Errorf(functions.InvalidArgument, "a row of %s cannot stand in the queue of %s", row.RunDate, date)
		}
		if _, twice := seen[row.CustomerID]; twice {
			return functions.Errorf(functions.InvalidArgument, "a customer stands twice in the queue of %s", date)
		}
		seen[row.CustomerID] = struct{}{}
		if math.IsNaN(row.Score) || math.IsInf(row.Score, 0) {
			return functions.Errorf(functions.InvalidArgument, "a score is not a number")
		}
	}
	return nil
}
