BEGIN;
SELECT id, email FROM customers WHERE false;
ROLLBACK;
