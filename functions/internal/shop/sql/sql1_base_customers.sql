-- SQL1: the facts of each customer, from the orders up to the as-of date.
-- DuckDB divides decimals as DOUBLE, so the mean is made from whole numbers: the sum in units of 10^-9, divided by the
-- number of orders and rounded half away from zero, as BigQuery's AVG of a NUMERIC does.
INSERT INTO base_customers
    (customer_id, total_revenue, total_orders, avg_order_value, first_order_date, last_order_date)
WITH facts AS (
    SELECT
        customer_id,
        sum(order_amount) AS revenue,
        count(*) AS orders,
        min(order_date) AS first_order_date,
        max(order_date) AS last_order_date,
        (sum(order_amount) * 100)::HUGEINT * 10000000 AS units
    FROM shop_orders
    WHERE order_date <= $as_of::DATE
    GROUP BY customer_id
)
SELECT
    customer_id,
    revenue,
    orders,
    (sign(units) * ((2 * abs(units) + orders) // (2 * orders)))::DECIMAL(38,0) * 0.000000001,
    first_order_date,
    last_order_date
FROM facts;
