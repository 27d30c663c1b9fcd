package driver

import "context"

type operationKey struct{}

// WithOperation marks every attempt at one call with the same id. A driver whose engine knows its jobs by id finds by it
// the job of an earlier attempt whose answer was lost, and does not run it twice. The id holds letters, digits and "-".
func WithOperation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, operationKey{}, id)
}

// OperationFrom is the id of the call that the attempt belongs to; empty when nobody repeats.
func OperationFrom(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}
