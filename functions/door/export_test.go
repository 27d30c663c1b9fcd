package door

import "time"

// SetDrainTimes shortens the waiting, for a process of a test.
func SetDrainTimes(patience, limit time.Duration) { drainPatience, drainLimit = patience, limit }
