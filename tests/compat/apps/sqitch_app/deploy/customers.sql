BEGIN;
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL DEFAULT 'acme',
  first text NOT NULL,
  last text NOT NULL,
  email text NOT NULL UNIQUE
);
COMMIT;
