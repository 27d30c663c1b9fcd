-- Every id of the three customer tables once, and before them one row with the newest alert date: in one statement, so
-- that the detection cannot run in between. Of several rows with one id each column gives its smallest value, so that
-- reading twice gives the same. Money keeps the type that its table gives it.
WITH snapshot AS (
  SELECT
    COALESCE(CAST(customer_id AS STRING), '') AS id,
    COUNT(*) AS snapshot_rows,
    MIN(CAST(retention_status AS STRING)) AS retention_status,
    MIN(CAST(days_since_last_order AS INT64)) AS days_since_last_order
  FROM `inputs.retention_snapshot`
  GROUP BY id
),
churn AS (
  SELECT
    COALESCE(CAST(customer_id AS STRING), '') AS id,
    COUNT(*) AS churn_rows,
    MIN(CAST(churn_risk_level AS STRING)) AS churn_risk_level,
    MIN(CAST(churn_risk_score AS INT64)) AS churn_risk_score,
    LOGICAL_AND(CAST(is_frequency_drop AS BOOL)) AS is_frequency_drop,
    LOGICAL_AND(CAST(is_status_inconsistent AS BOOL)) AS is_status_inconsistent,
    LOGICAL_AND(CAST(is_value_drop AS BOOL)) AS is_value_drop
  FROM `inputs.churn_detection`
  GROUP BY id
),
base AS (
  SELECT
    COALESCE(CAST(customer_id AS STRING), '') AS id,
    COUNT(*) AS base_rows,
    MIN(total_revenue) AS total_revenue,
    MIN(CAST(total_orders AS INT64)) AS total_orders,
    MIN(avg_order_value) AS avg_order_value
  FROM `inputs.base_customers`
  GROUP BY id
)
SELECT
  id, CAST(NULL AS DATE) AS as_of,
  COALESCE(snapshot_rows, 0) AS snapshot_rows, COALESCE(churn_rows, 0) AS churn_rows, COALESCE(base_rows, 0) AS base_rows,
  retention_status, days_since_last_order,
  churn_risk_level, churn_risk_score, is_frequency_drop, is_status_inconsistent, is_value_drop,
  total_revenue, total_orders, avg_order_value
FROM snapshot FULL OUTER JOIN churn USING (id) FULL OUTER JOIN base USING (id)
UNION ALL
SELECT
  NULL, MAX(CAST(alert_date AS DATE)),
  0, 0, 0,
  NULL, NULL,
  NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL
FROM `inputs.alert_logic`
ORDER BY id NULLS FIRST
