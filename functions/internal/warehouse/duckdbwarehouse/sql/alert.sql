-- The alert rows of one day: of the newest when $1 is NULL. Rows that say the same are one. A figure that is missing stays
-- missing: as a zero it would be sent.
SELECT DISTINCT
  CAST(alert_date AS DATE),
  coalesce(severity, ''),
  coalesce(CAST(alert_flag AS BOOLEAN), false),
  CAST(current_value AS DOUBLE),
  CAST(baseline_value AS DOUBLE),
  CAST(delta_relative_pct AS DOUBLE),
  CAST(sample_size AS BIGINT)
FROM alert_logic
WHERE CAST(alert_date AS DATE) = coalesce(CAST($1 AS DATE), (SELECT max(CAST(alert_date AS DATE)) FROM alert_logic))
LIMIT 2
