BEGIN;
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first text NOT NULL,
  last text NOT NULL,
  email text NOT NULL UNIQUE
);
COMMIT;
