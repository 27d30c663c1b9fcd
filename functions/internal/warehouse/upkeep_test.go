package warehouse_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// caring is a driver that can do all that a driver may, and fails the first attempt at each.
type caring struct {
	driver.Warehouse

	operations []string
}

func (c *caring) next(ctx context.Context) error {
	c.operations = append(c.operations, driver.OperationFrom(ctx))
	if len(c.operations)%2 == 1 {
		return functions.Errorf(functions.Unavailable, "not yet")
	}
	return nil
}

func (c *caring) Check(ctx context.Context) ([]driver.Finding, error) {
	return []driver.Finding{{Table: "alert_logic"}}, c.next(ctx)
}

func (c *caring) Schema(int) []string { return []string{"CREATE"} }

func (c *caring) ApplySchema(ctx context.Context, _ int) ([]driver.Finding, error) {
	return nil, c.next(ctx)
}

func (c *caring) Explain(ctx context.Context) ([]driver.Cost, error) {
	return []driver.Cost{{Statement: "alert", Bytes: 1}}, c.next(ctx)
}

// plain is a driver that offers nothing more.
type plain struct{ driver.Warehouse }

func TestUpkeepIsRetriedAndEachCallHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	d := &caring{}
	w := warehouse.New(d)
	w.Pauses = w.Pauses[:1]
	w.Pauses[0] = 0
	ids := []string{"a", "b", "c"}
	w.NewID = func() (id string) { id, ids = ids[0], ids[1:]; return id }
	if findings, err := w.Check(t.Context()); err != nil || len(findings) != 1 {
		t.Errorf("check: %v, %v", findings, err)
	}
	if _, err := w.ApplySchema(t.Context(), 90); err != nil {
		t.Errorf("apply: %v", err)
	}
	if costs, err := w.Explain(t.Context()); err != nil || len(costs) != 1 {
		t.Errorf("explain: %v, %v", costs, err)
	}
	if diff := cmp.Diff([]string{"a", "a", "b", "b", "c", "c"}, d.operations); diff != "" {
		t.Errorf("ids of the attempts (-want +got):\n%s", diff)
	}
}

func TestADriverThatOffersNothingMoreSaysSo(t *testing.T) {
	t.Parallel()
	w := warehouse.New(plain{})
	_, check := w.Check(t.Context())
	_, schema := warehouse.SchemaOf(t.Context(), "duckdb:file", 90)
	_, apply := w.ApplySchema(t.Context(), 90)
	_, explain := w.Explain(t.Context())
	for name, err := range map[string]error{"check": check, "schema": schema, "apply": apply, "explain": explain} {
		if functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
}
