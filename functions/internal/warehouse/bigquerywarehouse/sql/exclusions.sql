-- Every entry of a table of customers never to be contacted. TABLE is its name, which the driver has looked at.
SELECT DISTINCT CAST(customer_id AS STRING) AS customer_id
FROM `inputs.TABLE`
WHERE CAST(customer_id AS STRING) <> ''
ORDER BY customer_id
