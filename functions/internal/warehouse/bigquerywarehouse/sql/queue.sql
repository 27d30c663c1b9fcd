-- A day's queue in the order of work; of one tier when @tier is not empty.
SELECT
  customer_id, retention_status, churn_risk_level, COALESCE(churn_risk_score, 0) AS churn_risk_score,
  priority_tier, priority_score, priority_reason,
  COALESCE(days_since_last_order, 0) AS days_since_last_order, total_revenue, COALESCE(total_orders, 0) AS total_orders,
  avg_order_value, COALESCE(recommended_action, '') AS recommended_action, value_proxy, rule_id, rules_version,
  COALESCE(is_frequency_drop, FALSE) AS is_frequency_drop,
  COALESCE(is_status_inconsistent, FALSE) AS is_status_inconsistent,
  COALESCE(is_value_drop, FALSE) AS is_value_drop,
  created_at
FROM `ours.customer_priority`
WHERE run_date = @date AND (@tier = '' OR priority_tier = @tier)
ORDER BY priority_tier, priority_score DESC, customer_id
