"""The native twin: the shop with ordinary row security keyed on the login, and no Postern."""

from __future__ import annotations

from pathlib import Path

import data
from psql_client import Dsn, psql
from world import World

TWIN = "twin"
# The same shape of plan as behind the wall: one InitPlan for every table reference.
WALL = """\
CREATE SCHEMA twin;
GRANT USAGE ON SCHEMA twin TO PUBLIC;
CREATE FUNCTION twin.tenant() RETURNS text LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  $$BEGIN RETURN CASE session_user WHEN 'twin_1' THEN '1' WHEN 'twin_2' THEN '2' END; END$$;
DO $$
DECLARE t record;
BEGIN
  FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_attribute a ON
    a.attrelid = c.oid AND a.attname = 'tenant' WHERE relkind IN ('r', 'p') AND
    relnamespace = 'public'::regnamespace
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.name);
    EXECUTE format('CREATE POLICY a ON %s AS RESTRICTIVE USING (tenant = (SELECT'
      ' twin.tenant()::int)) WITH CHECK (tenant = (SELECT twin.tenant()::int))', t.name);
    EXECUTE format('CREATE POLICY b ON %s USING (true) WITH CHECK (true)', t.name);
  END LOOP;
END $$;
GRANT app TO twin_1;
"""


def make_twin(world: World) -> Dsn:
    """Makes the twin with the shop's rows; the login of its tenant 1."""
    run = world.cluster.primary.scalar
    password = world.passwords["t1"]
    run(f"CREATE ROLE twin_1 LOGIN PASSWORD '{password}'")
    run(f"CREATE DATABASE {TWIN} OWNER own")
    twin = world.superuser_dsn(TWIN)
    psql(twin, "CREATE EXTENSION btree_gist", "ALTER SCHEMA public OWNER TO own").checked()
    psql(twin, file=Path(__file__).with_name("schema.sql"), flags=("-q",)).checked()
    psql(twin, data.COUNTRIES).checked()
    script = world.cluster.scratch.write(world.cluster.scratch.path / "twin.sql", WALL, 0o644)
    psql(twin, file=script, flags=("-q",)).checked()
    world.fill(TWIN, world.seed)
    world.fill("shop", world.seed)
    for database in (TWIN, "shop"):
        world.superuser(database).execute("ANALYZE")
    return twin.to(user="twin_1", password=password)
