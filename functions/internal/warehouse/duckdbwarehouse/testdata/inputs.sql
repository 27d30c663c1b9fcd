-- The input tables as the detection leaves them (§5).
CREATE TABLE alert_logic (
  alert_date DATE, severity VARCHAR, alert_flag BOOLEAN, current_value DOUBLE, baseline_value DOUBLE,
  delta_relative_pct DOUBLE, sample_size BIGINT
);
CREATE TABLE retention_snapshot (customer_id VARCHAR, retention_status VARCHAR, days_since_last_order BIGINT);
CREATE TABLE churn_detection (
  customer_id VARCHAR, churn_risk_score BIGINT, churn_risk_level VARCHAR,
  is_frequency_drop BOOLEAN, is_status_inconsistent BOOLEAN, is_value_drop BOOLEAN
);
CREATE TABLE base_customers (
  customer_id VARCHAR, total_revenue DECIMAL(38,9), total_orders BIGINT, avg_order_value DECIMAL(38,9), last_order_date DATE
);
