BEGIN;
ALTER TABLE customers ADD COLUMN name text;
UPDATE customers SET name = first || ' ' || last;
ALTER TABLE customers ALTER COLUMN name SET NOT NULL, DROP COLUMN first, DROP COLUMN last;
DO $$
BEGIN
  RAISE NOTICE 'joined % names', (SELECT count(*) FROM customers);
END
$$;
COMMIT;
