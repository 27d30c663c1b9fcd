package door

import "time"

// SetDrainTimes shortens the waiting, for a process of a test.
func SetDrainTimes(patience, limit, flush time.Duration) {
	drainPatience, drainLimit, drainFlush = patience, limit, flush
}
