-- SQL5: one row a day from the first order to the as-of date, each as of its own day: what a day's row says does not
-- change when later orders come in.
-- An order is its customer's last one from its own date to the day before the next. In that time the customer is
-- AT_RISK from day 31 to day 90. So each order is at most one coming and one going, and a running sum over the days
-- counts the customers who are AT_RISK without looking at every customer on every day.
-- Shares and deltas are whole hundredths of a percent until the end, so that rounding never hangs on a float.
INSERT INTO alert_logic
    (alert_date, severity, alert_flag, current_value, baseline_value, delta_relative_pct, sample_size)
WITH orders AS (
    SELECT
        order_date AS day,
        lag(order_date) OVER customer AS earlier,
        coalesce(lead(order_date) OVER customer, 'infinity'::DATE) AS next
    FROM shop_orders
    WHERE order_date <= $as_of::DATE
    WINDOW customer AS (PARTITION BY customer_id ORDER BY order_date)
),
changes AS (
    SELECT day, 1 AS customers, 0 AS at_risk FROM orders WHERE earlier IS NULL
    UNION ALL
    SELECT day + 31, 0, 1 FROM orders WHERE next > day + 31
    UNION ALL
    SELECT least(day + 91, next), 0, -1 FROM orders WHERE next > day + 31
),
sums AS (
    SELECT day, sum(customers) AS customers, sum(at_risk) AS at_risk FROM changes GROUP BY day
),
days AS (
    SELECT unnest(generate_series((SELECT min(day) FROM orders), $as_of::DATE, INTERVAL 1 DAY))::DATE AS day
),
counts AS (
    SELECT
        day,
        (sum(customers) OVER (ORDER BY day))::BIGINT AS customers,
        (sum(at_risk) OVER (ORDER BY day))::BIGINT AS at_risk
    FROM days
    LEFT JOIN sums USING (day)
),
shares AS (
    SELECT day, customers, (20000 * at_risk + customers) // (2 * customers) AS share FROM counts
),
baselines AS (
    SELECT
        day,
        customers,
        share,
        -- seven times the baseline; none while fewer than seven days stand before
        CASE WHEN count(*) OVER week = 7 THEN (sum(share) OVER week)::BIGINT END AS week_sum
    FROM shares
    WINDOW week AS (ORDER BY day ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING)
),
deltas AS (
    SELECT
        *,
        10000 * (7 * share - week_sum) AS change,
        -- a baseline of 0 has no relative change
        CASE WHEN week_sum > 0 THEN sign(change) * ((2 * abs(change) + week_sum) // (2 * week_sum)) END AS delta
    FROM baselines
),
severities AS (
    SELECT *, CASE WHEN delta >= 2500 THEN 'CRITICAL' WHEN delta >= 1500 THEN 'WARNING' ELSE 'INFO' END AS severity
    FROM deltas
)
SELECT
    day,
    severity,
    severity <> 'INFO' AND week_sum IS NOT NULL AND customers >= 100,
    share / 100,
    week_sum / 700,
    delta / 100,
    customers
FROM severities
ORDER BY day;
