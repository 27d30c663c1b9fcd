-- The tiers of the newest day not after $1 that has rows.
SELECT run_date, min(rules_version), max(created_at), priority_tier, count(*), sum(value_proxy)
FROM customer_priority
WHERE run_date = (SELECT max(run_date) FROM customer_priority WHERE run_date <= CAST($1 AS DATE))
GROUP BY run_date, priority_tier
