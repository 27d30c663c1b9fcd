-- The newest row of each run, newest run first. The filters judge that row: a begin row may know less than its end.
SELECT
  run_id, run_timestamp, alert_date,
  coalesce(severity, ''), alert_flag, current_value, baseline_value, delta_relative_pct, sample_size,
  p1_count, p2_count, p3_count, total_exported,
  coalesce(slack_posted, false), coalesce(slack_message_ts, ''), coalesce(ticket_id, ''),
  coalesce(export_p1_link, ''), coalesce(export_p2_link, ''), coalesce(export_p3_link, ''),
  coalesce(status, ''), coalesce(error_message, ''), execution_time_ms,
  coalesce(stage, ''), coalesce(rules_version, ''), coalesce(phase, ''), coalesce(caller, ''),
  coalesce(idempotency_key, ''), coalesce(delivery_state, ''), coalesce(webhook_attempts, 0),
  coalesce(email_sent, false), coalesce(export_state, ''), coalesce(notification_reason, ''),
  coalesce(forced_by, ''), coalesce(confirmation_id, ''), coalesce(input_fingerprint, ''),
  coalesce(dry_run, false), created_at
FROM (
  SELECT *
  FROM ops_runs_log
  WHERE ($1 = '' OR run_id = $1) AND run_timestamp >= $4 AND run_timestamp < $5
  QUALIFY row_number() OVER (
    PARTITION BY run_id ORDER BY created_at DESC NULLS LAST, coalesce(status, '') = 'running', status
  ) = 1
)
WHERE NOT $2 OR delivery_state IN ('confirmed', 'accepted')
ORDER BY run_timestamp DESC, run_id DESC
LIMIT $3
