-- SQL4: of the customers who first ordered in a calendar month, how many ordered again so many months later.
-- Months in which nobody of a cohort ordered have no row.
INSERT INTO cohort_retention_evolution
    (cohort_month, months_since_first, cohort_size, active_customers, retention_rate_pct)
WITH months AS (
    SELECT DISTINCT customer_id, date_trunc('month', order_date) AS active_month
    FROM shop_orders
    WHERE order_date <= $as_of::DATE
),
cohorts AS (
    SELECT
        date_trunc('month', b.first_order_date) AS cohort_month,
        date_diff('month', date_trunc('month', b.first_order_date), m.active_month) AS months_since,
        count(*) AS active
    FROM months AS m
    JOIN base_customers AS b USING (customer_id)
    GROUP BY ALL
),
sizes AS (
    SELECT *, max(active) FILTER (WHERE months_since = 0) OVER (PARTITION BY cohort_month) AS size
    FROM cohorts
)
SELECT cohort_month, months_since, size, active, ((20000 * active + size) // (2 * size)) / 100
FROM sizes;
