-- The tiers of the newest day not after @date that has rows.
SELECT
  run_date, MIN(rules_version) AS rules_version, MAX(created_at) AS created_at, priority_tier,
  COUNT(*) AS customers, SUM(value_proxy) AS value_at_risk
FROM `ours.customer_priority`
WHERE run_date = (SELECT MAX(run_date) FROM `ours.customer_priority` WHERE run_date <= @date)
GROUP BY run_date, priority_tier
