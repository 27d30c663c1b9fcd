-- Removes the days that have expired. The table's own expiry has usually been there before.
DELETE FROM `ours.customer_priority`
WHERE run_date < @expire_before
