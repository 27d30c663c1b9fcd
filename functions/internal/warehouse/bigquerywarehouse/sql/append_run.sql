-- One row of the log, unless the run already has a row with that status: an attempt whose answer was lost may be
-- repeated. An empty text is NULL; without a time of writing the row gets that of the statement.
INSERT INTO `ours.ops_runs_log` (
  run_id, run_timestamp, alert_date, severity, alert_flag, current_value, baseline_value,
  delta_relative_pct, sample_size, p1_count, p2_count, p3_count, total_exported, slack_posted,
  slack_message_ts, ticket_id, export_p1_link, export_p2_link, export_p3_link, status,
  error_message, execution_time_ms, stage, rules_version, phase, caller, idempotency_key,
  delivery_state, webhook_attempts, email_sent, export_state, notification_reason, forced_by,
  confirmation_id, input_fingerprint, dry_run, created_at
)
SELECT
  @run_id, @run_timestamp, @alert_date, @severity, @alert_flag, @current_value, @baseline_value,
  @delta_relative_pct, @sample_size, @p1_count, @p2_count, @p3_count, @total_exported, @slack_posted,
  @slack_message_ts, @ticket_id, @export_p1_link, @export_p2_link, @export_p3_link, @status,
  @error_message, @execution_time_ms, @stage, @rules_version, @phase, @caller, @idempotency_key,
  @delivery_state, @webhook_attempts, @email_sent, @export_state, @notification_reason, @forced_by,
  @confirmation_id, @input_fingerprint, @dry_run, COALESCE(@created_at, CURRENT_TIMESTAMP())
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `ours.ops_runs_log` WHERE run_id = @run_id AND status = @status)
