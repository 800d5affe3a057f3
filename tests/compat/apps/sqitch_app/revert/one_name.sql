BEGIN;
ALTER TABLE customers ADD COLUMN first text, ADD COLUMN last text;
UPDATE customers SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2);
ALTER TABLE customers ALTER COLUMN first SET NOT NULL, ALTER COLUMN last SET NOT NULL,
  DROP COLUMN name;
COMMIT;
