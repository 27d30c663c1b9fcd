-- A day's queue in the order of work; of one tier when $2 is not empty.
SELECT
  customer_id, retention_status, churn_risk_level, coalesce(churn_risk_score, 0),
  priority_tier, priority_score, priority_reason,
  coalesce(days_since_last_order, 0), total_revenue, coalesce(total_orders, 0), avg_order_value,
  coalesce(recommended_action, ''), value_proxy, rule_id, rules_version,
  coalesce(is_frequency_drop, false), coalesce(is_status_inconsistent, false), coalesce(is_value_drop, false),
  created_at
FROM customer_priority
WHERE run_date = CAST($1 AS DATE) AND ($2 = '' OR priority_tier = $2)
ORDER BY priority_tier, priority_score DESC, customer_id
