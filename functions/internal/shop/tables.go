package shop

import (
	"context"
	"database/sql"
	"fmt"
)

// An execer is the shop's connection pool or a transaction of it.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// ordersTable is what the importer and the generator fill. It has no primary key: an index over millions of orders
// costs more than the rows, and both writers see to it that an order id comes once.
const ordersTable = `CREATE TABLE IF NOT EXISTS shop_orders (
	order_id     VARCHAR NOT NULL,
	customer_id  VARCHAR NOT NULL,
	order_date   DATE NOT NULL,
	order_amount DECIMAL(18,2) NOT NULL,
	country      VARCHAR
)`

// A detectionTable is one that the detection replaces whole.
type detectionTable struct{ name, columns string }

// detectionTables are the four input tables of §5 and the cohorts, each in the order in which the detection fills them.
// The primary key of alert_logic is a guard: of two detections at once one fails, and no day is counted twice.
var detectionTables = []detectionTable{
	{"base_customers", `
	customer_id      VARCHAR,
	total_revenue    DECIMAL(38,9),
	total_orders     BIGINT,
	avg_order_value  DECIMAL(38,9),
	first_order_date DATE,
	last_order_date  DATE`},
	{"retention_snapshot", `
	customer_id           VARCHAR,
	retention_status      VARCHAR,
	days_since_last_order BIGINT`},
	{"churn_detection", `
	customer_id            VARCHAR,
	churn_risk_score       BIGINT,
	churn_risk_level       VARCHAR,
	is_frequency_drop      BOOLEAN,
	is_status_inconsistent BOOLEAN,
	is_value_drop          BOOLEAN`},
	{"cohort_retention_evolution", `
	cohort_month       DATE,
	months_since_first BIGINT,
	cohort_size        BIGINT,
	active_customers   BIGINT,
	retention_rate_pct DOUBLE`},
	{"alert_logic", `
	alert_date         DATE PRIMARY KEY,
	severity           VARCHAR,
	alert_flag         BOOLEAN,
	current_value      DOUBLE,
	baseline_value     DOUBLE,
	delta_relative_pct DOUBLE,
	sample_size        BIGINT`},
}

// createTables makes the tables of the shop where they are not there yet: the orders and those of the detection.
func createTables(ctx context.Context, db execer) error {
	if _, err := db.ExecContext(ctx, ordersTable); err != nil {
		return fmt.Errorf("create shop_orders: %w", err)
	}
	for _, table := range detectionTables {
		if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table.name+" ("+table.columns+"\n)"); err != nil {
			return fmt.Errorf("create %s: %w", table.name, err)
		}
	}
	return nil
}
