-- The queue (design section 4): a day is a partition, replaced whole, and expires as the setting says.
CREATE TABLE IF NOT EXISTS `ours.customer_priority` (
  run_date               DATE      NOT NULL,
  customer_id            STRING    NOT NULL,
  retention_status       STRING    NOT NULL,
  churn_risk_level       STRING    NOT NULL,
  churn_risk_score       INT64,
  priority_tier          STRING    NOT NULL,
  priority_score         FLOAT64   NOT NULL,
  priority_reason        STRING    NOT NULL,
  days_since_last_order  INT64,
  total_revenue          NUMERIC,
  total_orders           INT64,
  avg_order_value        NUMERIC,
  recommended_action     STRING,
  value_proxy            NUMERIC,
  rule_id                STRING    NOT NULL,
  rules_version          STRING    NOT NULL,
  is_frequency_drop      BOOL,
  is_status_inconsistent BOOL,
  is_value_drop          BOOL,
  created_at             TIMESTAMP DEFAULT CURRENT_TIMESTAMP()
)
PARTITION BY run_date
CLUSTER BY priority_tier, customer_id
OPTIONS (
  partition_expiration_days = EXPIRY_DAYS,
  description = 'RetentionOps: the priority queue of each day'
)
