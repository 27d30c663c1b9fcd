-- IF NOT EXISTS leaves a table that is there as it is; this brings its expiry to the setting.
ALTER TABLE `ours.customer_priority`
SET OPTIONS (partition_expiration_days = EXPIRY_DAYS)
