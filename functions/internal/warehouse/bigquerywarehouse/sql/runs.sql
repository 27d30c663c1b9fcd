-- The newest row of each run, newest run first. The filters judge that row: a begin row may know less than its end.
SELECT
  run_id, run_timestamp, alert_date,
  COALESCE(severity, '') AS severity, alert_flag, current_value, baseline_value, delta_relative_pct, sample_size,
  p1_count, p2_count, p3_count, total_exported,
  COALESCE(slack_posted, FALSE) AS slack_posted, COALESCE(slack_message_ts, '') AS slack_message_ts,
  COALESCE(ticket_id, '') AS ticket_id, COALESCE(export_p1_link, '') AS export_p1_link,
  COALESCE(export_p2_link, '') AS export_p2_link, COALESCE(export_p3_link, '') AS export_p3_link,
  COALESCE(status, '') AS status, COALESCE(error_message, '') AS error_message, execution_time_ms,
  COALESCE(stage, '') AS stage, COALESCE(rules_version, '') AS rules_version, COALESCE(phase, '') AS phase,
  COALESCE(caller, '') AS caller, COALESCE(idempotency_key, '') AS idempotency_key,
  COALESCE(delivery_state, '') AS delivery_state, COALESCE(webhook_attempts, 0) AS webhook_attempts,
  COALESCE(email_sent, FALSE) AS email_sent, COALESCE(export_state, '') AS export_state,
  COALESCE(notification_reason, '') AS notification_reason, COALESCE(forced_by, '') AS forced_by,
  COALESCE(confirmation_id, '') AS confirmation_id, COALESCE(input_fingerprint, '') AS input_fingerprint,
  COALESCE(dry_run, FALSE) AS dry_run, created_at
FROM (
  SELECT *
  FROM `ours.ops_runs_log`
  WHERE (@run_id = '' OR run_id = @run_id) AND run_timestamp >= @since AND run_timestamp < @before
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY run_id ORDER BY created_at DESC NULLS LAST, COALESCE(status, '') = 'running', status
  ) = 1
)
WHERE NOT @sent OR delivery_state IN ('confirmed', 'accepted')
ORDER BY run_timestamp DESC, run_id DESC
LIMIT @limit
