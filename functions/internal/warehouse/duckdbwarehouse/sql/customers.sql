-- Every id of the three customer tables once, and before them one row with the newest alert date: in one statement, so
-- that the detection cannot run in between. Of several rows with one id each column gives its smallest value, so that
-- reading twice gives the same. Money keeps the type that its table gives it.
WITH snapshot AS (
  SELECT
    coalesce(CAST(customer_id AS VARCHAR), '') AS id,
    count(*) AS snapshot_rows,
    min(CAST(retention_status AS VARCHAR)) AS retention_status,
    min(CAST(days_since_last_order AS BIGINT)) AS days_since_last_order
  FROM retention_snapshot
  GROUP BY ALL
),
churn AS (
  SELECT
    coalesce(CAST(customer_id AS VARCHAR), '') AS id,
    count(*) AS churn_rows,
    min(CAST(churn_risk_level AS VARCHAR)) AS churn_risk_level,
    min(CAST(churn_risk_score AS BIGINT)) AS churn_risk_score,
    min(CAST(is_frequency_drop AS BOOLEAN)) AS is_frequency_drop,
    min(CAST(is_status_inconsistent AS BOOLEAN)) AS is_status_inconsistent,
    min(CAST(is_value_drop AS BOOLEAN)) AS is_value_drop
  FROM churn_detection
  GROUP BY ALL
),
base AS (
  SELECT
    coalesce(CAST(customer_id AS VARCHAR), '') AS id,
    count(*) AS base_rows,
    min(total_revenue) AS total_revenue,
    min(CAST(total_orders AS BIGINT)) AS total_orders,
    min(avg_order_value) AS avg_order_value
  FROM base_customers
  GROUP BY ALL
)
SELECT
  id, as_of,
  coalesce(snapshot_rows, 0), coalesce(churn_rows, 0), coalesce(base_rows, 0),
  retention_status, days_since_last_order,
  churn_risk_level, churn_risk_score, is_frequency_drop, is_status_inconsistent, is_value_drop,
  total_revenue, total_orders, avg_order_value
FROM (
  SELECT * FROM snapshot FULL OUTER JOIN churn USING (id) FULL OUTER JOIN base USING (id)
  UNION ALL BY NAME
  SELECT max(CAST(alert_date AS DATE)) AS as_of FROM alert_logic
)
ORDER BY id NULLS FIRST
