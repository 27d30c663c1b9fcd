-- SQL3: how likely each customer is to leave, from three signals.
-- The typical gap is (last - first) / (orders - 1); a customer with one order, or with all orders on one day, has none.
-- A break is 1.5 gaps. The comparisons are multiplied out to whole numbers, so that a tie is a tie:
--   days > 1.5 * gap          is  2 * days * (orders - 1) > 3 * (last - first)
--   days > 0.7 * (1.5 * gap)  is 20 * days * (orders - 1) > 21 * (last - first)
INSERT INTO churn_detection
    (customer_id, churn_risk_score, churn_risk_level, is_frequency_drop, is_status_inconsistent, is_value_drop)
WITH rhythm AS (
    SELECT
        customer_id,
        s.retention_status AS status,
        s.days_since_last_order AS days,
        b.total_orders AS orders,
        date_diff('day', b.first_order_date, b.last_order_date) AS span
    FROM base_customers AS b
    JOIN retention_snapshot AS s USING (customer_id)
),
signals AS (
    SELECT
        customer_id,
        span > 0 AND 2 * days * (orders - 1) > 3 * span AS is_frequency_drop,
        status = 'ACTIVE'
            AND (orders <= 3 OR (span > 0 AND 20 * days * (orders - 1) > 21 * span)) AS is_status_inconsistent,
        false AS is_value_drop -- not measured in V1
    FROM rhythm
),
scores AS (
    SELECT
        *,
        CASE WHEN is_frequency_drop THEN 50 ELSE 0 END
            + CASE WHEN is_status_inconsistent THEN 20 ELSE 0 END
            + CASE WHEN is_value_drop THEN 30 ELSE 0 END AS score
    FROM signals
)
SELECT
    customer_id,
    score,
    CASE WHEN score >= 50 THEN 'HIGH' WHEN score >= 20 THEN 'MEDIUM' ELSE 'LOW' END,
    is_frequency_drop,
    is_status_inconsistent,
    is_value_drop
FROM scores;
