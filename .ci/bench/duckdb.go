package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// judging is the rules as one statement, which writes the verdicts of all customers in a tier.
const judging = `CREATE OR REPLACE TABLE judged AS
WITH ladder AS (
  SELECT *, CAST(total_revenue AS DOUBLE) AS revenue,
    CASE
      WHEN retention_status = 'ACTIVE' AND churn_risk_level = 'HIGH' AND total_revenue >= 0 THEN 'active-high'
      WHEN retention_status = 'AT_RISK' AND churn_risk_level IN ('HIGH', 'MEDIUM') THEN 'at-risk'
      WHEN retention_status = 'INACTIVE' AND churn_risk_level = 'HIGH' AND days_since_last_order <= 180 THEN 'inactive-high'
    END AS rule_id
  FROM customers
)
SELECT id, rule_id,
  CASE rule_id WHEN 'active-high' THEN 'P1' WHEN 'at-risk' THEN 'P2' ELSE 'P3' END AS tier,
  ROUND(LEAST(CASE rule_id WHEN 'active-high' THEN 70e0 WHEN 'at-risk' THEN 50e0 ELSE 30e0 END
    + LEAST(LN(1e0 + revenue) * 2e0, 20e0) + LEAST(CAST(days_since_last_order AS DOUBLE) / 3e0, 10e0), 100e0) * 1e1) / 1e1 AS score,
  retention_status || ' + ' || churn_risk_level || ' risk'
    || CASE WHEN is_frequency_drop OR is_status_inconsistent OR is_value_drop THEN ' ('
      || CASE WHEN is_frequency_drop THEN 'frequency drop' ELSE '' END
      || CASE WHEN is_status_inconsistent THEN CASE WHEN is_frequency_drop THEN ', ' ELSE '' END || 'unsteady buyer' ELSE '' END
      || CASE WHEN is_value_drop THEN CASE WHEN is_frequency_drop OR is_status_inconsistent THEN ', ' ELSE '' END || 'value drop' ELSE '' END
      || ')' ELSE '' END
    || CASE WHEN retention_status = 'INACTIVE' THEN ', last order ' || days_since_last_order || ' days ago' ELSE '' END
    || CASE WHEN revenue > 2000e0 THEN ', high value' WHEN revenue >= 1000e0 THEN ', medium value' ELSE '' END AS reason,
  CASE rule_id
    WHEN 'active-high' THEN CASE WHEN revenue > 2000e0 THEN 'VIP outreach + 10% loyalty incentive'
      WHEN revenue >= 1000e0 THEN 'Personal email + free shipping offer' ELSE 'Personal email + reminder' END
    WHEN 'at-risk' THEN 'Win-back email sequence (3 emails, 7 days) + free shipping'
    ELSE 'Strong comeback offer (20% discount) + survey' END AS action,
  ROUND(total_revenue * CAST(0.30 AS DECIMAL(3,2)), 2) AS value_proxy
FROM ladder WHERE rule_id IS NOT NULL`

// byDuckDB judges customers that already lie in an in-memory DuckDB, on one thread.
func byDuckDB(ctx context.Context, customers []retention.Customer) (way, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return way{}, fmt.Errorf("open DuckDB: %w", err)
	}
	db := sql.OpenDB(connector) // stays open until the command ends
	for _, statement := range []string{
		"SET threads = 1",
		`CREATE TABLE customers (id INTEGER, retention_status VARCHAR, churn_risk_level VARCHAR, days_since_last_order BIGINT,
		total_revenue DECIMAL(18,2), is_frequency_drop BOOLEAN, is_status_inconsistent BOOLEAN, is_value_drop BOOLEAN)`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return way{}, fmt.Errorf("prepare DuckDB: %w", err)
		}
	}
	if err := fill(ctx, connector, customers); err != nil {
		return way{}, err
	}
	return way{
		name: "one DuckDB 1.5 statement, one thread",
		all: func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, judging)
			return err
		},
		verdicts: func(ctx context.Context) ([]rulebook.Verdict, error) { return judged(ctx, db, len(customers)) },
	}, nil
}

// fill appends the customers to the table.
func fill(ctx context.Context, connector *duckdb.Connector, customers []retention.Customer) (err error) {
	connection, err := connector.Connect(ctx)
	if err != nil {
		return fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer func() { err = errors.Join(err, closed(connection)) }()
	appender, err := duckdb.NewAppenderFromConn(connection, "", "customers")
	if err != nil {
		return fmt.Errorf("fill DuckDB: %w", err)
	}
	for i := range customers {
		c := &customers[i]
		revenue := duckdb.Decimal{Width: 18, Scale: 2, Value: c.TotalRevenue.V.Coefficient()}
		values := []driver.Value{
			int32(i), c.Status.V, c.RiskLevel.V, c.DaysSinceLastOrder.V, revenue, c.FrequencyDrop.V, c.StatusInconsistent.V, c.ValueDrop.V,
		}
		if err := appender.AppendRow(values...); err != nil {
			return fmt.Errorf("fill DuckDB: %w", err)
		}
	}
	return appender.Close()
}

func closed(c io.Closer) error { return c.Close() }

// judged reads the verdicts back.
func judged(ctx context.Context, db *sql.DB, count int) ([]rulebook.Verdict, error) {
	rows, err := db.QueryContext(ctx, "SELECT id, rule_id, tier, score, reason, action, CAST(value_proxy * 100 AS BIGINT) FROM judged")
	if err != nil {
		return nil, fmt.Errorf("read the verdicts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // the rows were read to their end
	verdicts := make([]rulebook.Verdict, count)
	for rows.Next() {
		var id int
		var units int64
		var tier string
		var v rulebook.Verdict
		if err := rows.Scan(&id, &v.RuleID, &tier, &v.Score, &v.Reason, &v.Action, &units); err != nil {
			return nil, fmt.Errorf("read a verdict: %w", err)
		}
		v.Tier, v.ValueProxy = functions.Tier(tier), rulebook.NewAmount(units, 2)
		verdicts[id] = v
	}
	return verdicts, rows.Err()
}
