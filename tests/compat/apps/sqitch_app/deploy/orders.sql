\set ON_ERROR_STOP on
BEGIN;
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL DEFAULT 'acme',
  customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
  total numeric(10, 2) NOT NULL CHECK (total >= 0)
);
CREATE FUNCTION spent(bigint) RETURNS numeric LANGUAGE sql STABLE AS
$$SELECT sum(total) FROM orders WHERE customer_id = $1$$;
COPY orders (customer_id, total) FROM stdin;
1	10.50
1	20.25
2	99.99
\.
COMMIT;
CREATE INDEX CONCURRENTLY customer_name ON customers (name);
