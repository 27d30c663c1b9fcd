package mcp

import "context"

// turn lets one do at a time what those who wait then need not do themselves. Who waits goes when its own time is over.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn. Its error is that of the context.
func (t turn) take(ctx context.Context) (done func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
