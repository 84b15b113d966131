-- SPDX-License-Identifier: Apache-2.0
-- Asked before a program prepares anything, and by `tantu migrate`. See db/schema.h.

-- name: schema_standing :one start public
-- (As JSON, because the column compatible_from came after the first seven migrations.)
SELECT coalesce(max(v.version), 0) AS version,
       coalesce(max(coalesce((to_jsonb(v)->>'compatible_from')::int, v.version)), 0) AS compatible_from,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'schema_version'::regclass AND a.attname = 'compatible_from') AS tells
FROM schema_version v;

-- name: schema_applied :one start
SELECT EXISTS (SELECT FROM schema_version v WHERE v.version = $1::int) AS applied;

-- name: schema_programs :one start
-- $1 schema, $2 what programs know that do not say: how many connections are of programs older than $1, and of which schema
WITH connected AS (
    SELECT coalesce(substring(a.application_name FROM '^tantu/(\d{1,6})$')::int, $2::int) AS knows
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.application_name ~ '^tantu(/\d{1,6})?$'
)
SELECT count(*) AS connections, min(knows) AS knows FROM connected WHERE knows < $1::int;

-- name: schema_holders :one start
-- Who holds locks on this database's tables: 'pid 12 (tantu_app, psql)', three at most.
SELECT string_agg(h.holder, ', ') AS holders
FROM (SELECT DISTINCT format('pid %s (%s, %s)', a.pid, a.usename, a.application_name) AS holder
      FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.relation >= 16384 AND a.pid <> pg_backend_pid()
      ORDER BY 1 LIMIT 3) AS h;
