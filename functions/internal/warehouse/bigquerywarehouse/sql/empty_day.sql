-- Empties a day: one statement, so a reader sees all of the day or nothing. A load job with no rows is no sure way.
DELETE FROM `ours.customer_priority`
WHERE run_date = @date
