BEGIN;
DROP INDEX customer_name;
DROP FUNCTION spent(bigint);
DROP TABLE orders;
COMMIT;
