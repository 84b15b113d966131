-- SPDX-License-Identifier: Apache-2.0
-- `tantu backup`, `restore` and `backup prove`, as tantu_owner, who sees past row-level security. See db/snapshot.h.

-- name: backup_hold :one start
-- $1 the lock of migrations, $2 that of the uploads' retention: held until the connection ends, so that the schema stays
-- and no file goes that the snapshot speaks of.
SELECT pg_try_advisory_lock_shared($1::bigint) AS schema_stays, pg_advisory_lock_shared($2::bigint)::text AS uploads_stay;

-- name: backup_snapshot :one start
-- (A schema older than 0014, about to be upgraded, has no installation yet.)
SELECT pg_export_snapshot() AS snapshot, current_setting('server_version') AS server,
       CASE WHEN to_regclass('public.installation') IS NOT NULL
            THEN (xpath('//id/text()', query_to_xml('SELECT id FROM public.installation', false, true, '')))[1]::text END AS installation;

-- name: backup_figures :many start
-- The rows of every table, and the household figure of every plan (folded and not), by name.
SELECT 'rows.' || c.relname AS name,
       (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM public.%I', c.relname), false, true, '')))[1]::text::bigint AS n
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
UNION ALL
SELECT 'accepted.' || p.code,
       coalesce((SELECT sum(t.n) FROM total t WHERE t.plan_id = p.id AND t.region = p.region AND t.period = 0 AND t.measure = 'counted'), 0)
       + coalesce((SELECT sum(d.n) FROM delta_effect d WHERE d.plan_id = p.id AND d.measure = 'counted'), 0)
FROM plan p
ORDER BY 1;

-- name: backup_uploads :many start
SELECT i.file, encode(i.fingerprint, 'hex') AS fingerprint, i.id FROM needs_import i
WHERE to_jsonb(i)->>'upload_gone_at' IS NULL ORDER BY i.id;

-- name: backup_has_intakes :one start
-- (There may be none yet: an older schema is what one backs up before an upgrade.)
SELECT to_regclass('device_intake') IS NOT NULL AS has;

-- name: backup_intake_uploads :many start
SELECT i.file, encode(i.fingerprint, 'hex') AS fingerprint, i.id FROM device_intake i WHERE i.upload_gone_at IS NULL ORDER BY i.id;

-- name: backup_photos :many start
-- In the order of their names in the folder.
SELECT encode(p.hash, 'hex') AS fingerprint FROM photo p WHERE p.gone_at IS NULL ORDER BY p.hash;

-- name: backup_identities :many start
-- Every sealed number with its keyed hash.
SELECT p.citizen_id, p.citizen_id_index FROM person p
UNION ALL SELECT p.certificate, p.certificate_index FROM person p WHERE p.certificate IS NOT NULL;

-- name: backup_made :one start
-- $1 name, $2 when, $3 bytes
INSERT INTO backup_record (name, made_at, bytes) VALUES ($1::text, $2::timestamptz, $3::bigint)
ON CONFLICT (name) DO UPDATE SET made_at = excluded.made_at, bytes = excluded.bytes RETURNING 1 AS noted;

-- name: backup_proved :one start
-- $1 name, $2 when it was made, $3 bytes (a restored database may not know the backup that it came from)
INSERT INTO backup_record (name, made_at, bytes, proved_at) VALUES ($1::text, $2::timestamptz, $3::bigint, now())
ON CONFLICT (name) DO UPDATE SET proved_at = now() RETURNING 1 AS noted;

-- name: restore_target :one start
SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace)
       + (SELECT count(*) FROM pg_proc f WHERE f.pronamespace = 'public'::regnamespace) AS things,
       EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'tantu_app') AS knows_app,
       has_schema_privilege('public', 'CREATE') AS may_create, current_database() AS name;

-- name: restore_renew :one start
-- The copy is an installation of its own from now on.
UPDATE installation SET id = gen_random_uuid() RETURNING id;

-- name: scratch_owner :one start
CREATE ROLE tantu_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;

-- name: scratch_app :one start
CREATE ROLE tantu_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;

-- name: scratch_database :one start
CREATE DATABASE tantu OWNER tantu_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
