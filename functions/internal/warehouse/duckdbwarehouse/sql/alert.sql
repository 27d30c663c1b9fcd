-- The alert rows of one day: of the newest when $1 is NULL. Rows that say the same are one.
SELECT DISTINCT
  CAST(alert_date AS DATE),
  coalesce(severity, ''),
  coalesce(CAST(alert_flag AS BOOLEAN), false),
  coalesce(CAST(current_value AS DOUBLE), 0),
  CAST(baseline_value AS DOUBLE),
  CAST(delta_relative_pct AS DOUBLE),
  coalesce(CAST(sample_size AS BIGINT), 0)
FROM alert_logic
WHERE CAST(alert_date AS DATE) = coalesce(CAST($1 AS DATE), (SELECT max(CAST(alert_date AS DATE)) FROM alert_logic))
LIMIT 2
