-- One row of the log, unless the run already has a row with that status ($20): an attempt whose answer was lost may be
-- repeated. An empty text is NULL; without a time of writing the row gets that of the statement.
INSERT INTO ops_runs_log (
  run_id, run_timestamp, alert_date, severity, alert_flag, current_value, baseline_value,
  delta_relative_pct, sample_size, p1_count, p2_count, p3_count, total_exported, slack_posted,
  slack_message_ts, ticket_id, export_p1_link, export_p2_link, export_p3_link, status,
  error_message, execution_time_ms, stage, rules_version, phase, caller, idempotency_key,
  delivery_state, webhook_attempts, email_sent, export_state, notification_reason, forced_by,
  confirmation_id, input_fingerprint, dry_run, created_at
)
SELECT
  $1, CAST($2 AS TIMESTAMPTZ), CAST($3 AS DATE), nullif($4, ''), $5, $6, $7, $8, $9, $10, $11, $12,
  $13, $14, nullif($15, ''), nullif($16, ''), nullif($17, ''), nullif($18, ''), nullif($19, ''),
  nullif($20, ''), nullif($21, ''), $22, nullif($23, ''), nullif($24, ''), nullif($25, ''),
  nullif($26, ''), nullif($27, ''), nullif($28, ''), $29, $30, nullif($31, ''), nullif($32, ''),
  nullif($33, ''), nullif($34, ''), nullif($35, ''), $36,
  coalesce(CAST($37 AS TIMESTAMPTZ), current_timestamp)
WHERE NOT EXISTS (SELECT 1 FROM ops_runs_log WHERE run_id = $1 AND coalesce(status, '') = $20)
