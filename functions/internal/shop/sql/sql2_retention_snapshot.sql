-- SQL2: where each customer stands on the as-of date, by the whole days since the last order.
INSERT INTO retention_snapshot (customer_id, retention_status, days_since_last_order)
WITH recency AS (
    SELECT customer_id, date_diff('day', last_order_date, $as_of::DATE) AS days
    FROM base_customers
)
SELECT
    customer_id,
    CASE
        WHEN days < 0 THEN 'DATA_QUALITY_ISSUE'
        WHEN days <= 30 THEN 'ACTIVE'
        WHEN days <= 90 THEN 'AT_RISK'
        ELSE 'INACTIVE'
    END,
    days
FROM recency;
