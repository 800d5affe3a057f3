\echo Use "CREATE EXTENSION postern_guard" to load this file. \quit

CREATE FUNCTION postern_guard.version() RETURNS pg_catalog.text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'postern_guard_version';

-- Called by `postern policy apply` behind the functions' SQL form, in the same transaction. The
-- functions keep their owner and grants. It runs as the superuser who created the extension,
-- because only such a one may name C code; what it does is fixed.
CREATE FUNCTION postern_guard.install() RETURNS pg_catalog.void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $body$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'postern'
      AND pg_catalog.pg_has_role(session_user, n.nspowner, 'MEMBER')) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = 'only the owner of the schema postern may exchange its functions';
  END IF;
  PERFORM postern_guard.version();  -- fails where the library is not preloaded
  IF pg_catalog.current_setting('postern_guard.kids') OPERATOR(pg_catalog.=) '' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'postern_guard has no key',
      HINT = 'Set postern_guard.key_file in postgresql.conf and reload; the log says what is wrong.';
  END IF;
  CREATE OR REPLACE FUNCTION postern.tenant() RETURNS pg_catalog.text
    LANGUAGE c STABLE PARALLEL SAFE AS '$libdir/postern_guard', 'postern_guard_tenant';
  CREATE OR REPLACE FUNCTION postern.subject() RETURNS pg_catalog.text
    LANGUAGE c STABLE PARALLEL SAFE AS '$libdir/postern_guard', 'postern_guard_subject';
  CREATE OR REPLACE FUNCTION postern.has_role(role pg_catalog.text) RETURNS pg_catalog.bool
    LANGUAGE c STABLE PARALLEL SAFE AS '$libdir/postern_guard', 'postern_guard_has_role';
END
$body$;
