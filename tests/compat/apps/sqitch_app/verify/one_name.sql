BEGIN;
SELECT name FROM customers WHERE false;
ROLLBACK;
