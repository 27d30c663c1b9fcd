-- What the input tables look like in this warehouse.
SELECT table_name, column_name, data_type
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = current_schema()
  AND table_name IN ('alert_logic', 'retention_snapshot', 'churn_detection', 'base_customers')
