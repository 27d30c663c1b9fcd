-- The audit log of runs (design section 4): append-only, and kept for ever.
CREATE TABLE IF NOT EXISTS `ours.ops_runs_log` (
  run_id              STRING    NOT NULL,
  run_timestamp       TIMESTAMP NOT NULL,
  alert_date          DATE,
  severity            STRING,
  alert_flag          BOOL,
  current_value       FLOAT64,
  baseline_value      FLOAT64,
  delta_relative_pct  FLOAT64,
  sample_size         INT64,
  p1_count            INT64,
  p2_count            INT64,
  p3_count            INT64,
  total_exported      INT64,
  slack_posted        BOOL,
  slack_message_ts    STRING,
  ticket_id           STRING,
  export_p1_link      STRING,
  export_p2_link      STRING,
  export_p3_link      STRING,
  status              STRING,
  error_message       STRING,
  execution_time_ms   INT64,
  stage               STRING,
  rules_version       STRING,
  phase               STRING,
  caller              STRING,
  idempotency_key     STRING,
  delivery_state      STRING,
  webhook_attempts    INT64,
  email_sent          BOOL,
  export_state        STRING,
  notification_reason STRING,
  forced_by           STRING,
  confirmation_id     STRING,
  input_fingerprint   STRING,
  dry_run             BOOL,
  created_at          TIMESTAMP DEFAULT CURRENT_TIMESTAMP()
)
PARTITION BY DATE(run_timestamp)
CLUSTER BY alert_date, severity
OPTIONS (
  description = 'RetentionOps: the audit log of runs'
)
