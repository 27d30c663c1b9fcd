package door

import "time"

// SetDrainTimes shortens the waiting, for a process of a test.
func SetDrainTimes(patience, limit, flush time.Duration) {
	drainPatience, drainLimit, drainFlush = patience, limit, flush
}

// FetchKeysFrom makes a door look for signing keys at another address than Google's.
func (d *Door) FetchKeysFrom(url string) (err error) {
	d.known, err = newIdentities(d.config.Audience, d.config.Invokers, url, d.now)
	return err
}
