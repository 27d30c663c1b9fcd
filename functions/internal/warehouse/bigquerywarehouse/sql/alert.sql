-- The alert rows of one day: of the newest when @date is NULL. Rows that say the same are one. A figure that is missing
-- stays missing: as a zero it would be sent.
SELECT DISTINCT
  CAST(alert_date AS DATE) AS alert_date,
  COALESCE(severity, '') AS severity,
  COALESCE(CAST(alert_flag AS BOOL), FALSE) AS alert_flag,
  CAST(current_value AS FLOAT64) AS current_value,
  CAST(baseline_value AS FLOAT64) AS baseline_value,
  CAST(delta_relative_pct AS FLOAT64) AS delta_relative_pct,
  CAST(sample_size AS INT64) AS sample_size
FROM `inputs.alert_logic`
WHERE CAST(alert_date AS DATE) = COALESCE(@date, (SELECT MAX(CAST(alert_date AS DATE)) FROM `inputs.alert_logic`))
LIMIT 2
