-- SPDX-License-Identifier: Apache-2.0
-- How long the sealed uploads of imports are kept. See workers/uploads.c for the order.

-- name: uploads_give_up :one work
-- $1 days, $2 a lock that backups hold shared: while one runs nothing is given up. First the row says so, then the file goes.
WITH free AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock($2::bigint) AS now
), given AS (
    UPDATE needs_import i SET upload_gone_at = now() FROM free
    WHERE free.now AND i.upload_gone_at IS NULL AND i.state IN ('done', 'failed', 'cancelled')
      AND i.finished_at < now() - make_interval(days => $1::int)
      AND NOT EXISTS (SELECT FROM job j WHERE j.unique_key = 'import:' || i.id AND j.state IN ('queued', 'running'))
    RETURNING 1
), intakes AS (
    UPDATE device_intake i SET upload_gone_at = now() FROM free
    WHERE free.now AND i.upload_gone_at IS NULL AND i.state IN ('done', 'failed', 'cancelled')
      AND i.finished_at < now() - make_interval(days => $1::int)
      AND NOT EXISTS (SELECT FROM job j WHERE j.unique_key = 'device_intake:' || i.id AND j.state IN ('queued', 'running'))
    RETURNING 1
)
SELECT (SELECT count(*) FROM given) + (SELECT count(*) FROM intakes) AS given_up, (SELECT s.id::text FROM installation s) AS installation;

-- name: uploads_judge :many work
-- $1 names of files: which of them nobody wants any more; known: an import had it
SELECT u.name, i.file IS NOT NULL AS known
FROM unnest($1::text[]) AS u (name) LEFT JOIN (
    SELECT n.file, n.upload_gone_at FROM needs_import n UNION ALL SELECT d.file, d.upload_gone_at FROM device_intake d) AS i ON i.file = u.name
WHERE i.file IS NULL OR i.upload_gone_at IS NOT NULL;

-- name: uploads_missing :many work
-- $1 names of files: the imports whose file ought to be among them and is not (the newest may be younger than the list)
SELECT i.id FROM (SELECT n.id, n.file, n.upload_gone_at, n.created_at FROM needs_import n
    UNION ALL SELECT d.id, d.file, d.upload_gone_at, d.created_at FROM device_intake d) AS i
WHERE i.upload_gone_at IS NULL AND i.created_at < now() - interval '10 minutes'
  AND NOT EXISTS (SELECT FROM unnest($1::text[]) AS u (name) WHERE u.name = i.file)
ORDER BY i.id;

-- name: uploads_swept :one work
-- $1 how many files are missing
UPDATE installation SET uploads_missing = $1::int, uploads_swept_at = now() RETURNING uploads_missing;

-- name: installation_figures :one read
-- Seconds since 1970, 0 for never.
SELECT coalesce(extract(epoch FROM max(b.made_at)), 0)::float8 AS backed_up, coalesce(extract(epoch FROM max(b.proved_at)), 0)::float8 AS proved,
       (SELECT coalesce(s.uploads_missing, 0) FROM installation s) AS uploads_missing,
       (SELECT coalesce(s.photos_missing, 0) FROM installation s) AS photos_missing
FROM backup_record b;
