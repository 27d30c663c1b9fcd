-- How many rows stand on a day, how many have expired, and what time it is in BigQuery. @expire_before may be NULL.
SELECT
  COUNTIF(run_date = @date) AS standing,
  COUNTIF(run_date < @expire_before) AS expired,
  CURRENT_TIMESTAMP() AS now
FROM `ours.customer_priority`
WHERE run_date = @date OR run_date < @expire_before
