BEGIN;
SELECT 1 / (spent(1) = 30.75)::int;
ROLLBACK;
