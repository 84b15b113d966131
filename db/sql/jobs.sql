-- SPDX-License-Identifier: Apache-2.0
-- The queue. A job is finished, failed or kept alive only with the lease_token of its claim (which it has while it is
-- running, and only then). These statements are planned once, for indexes: see lane_options in db/connection.c.

-- name: job_claim :many queue
-- $1 queue, $2 how many, $3 worker, $4 lease in seconds, $5 token: random, so that none comes twice even after a crash of
-- PostgreSQL. The commit does not wait for the disk: a claim that is lost leaves the job queued.
WITH picked AS (
    SELECT id FROM job WHERE state = 'queued' AND queue = $1::text AND run_at <= now()
    ORDER BY priority DESC, run_at, id LIMIT $2::int FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE job j SET state = 'running', attempts = j.attempts + 1, lease_token = $5::bigint,
        lease_until = now() + make_interval(secs => $4::int), worker = $3::text
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.kind, j.payload, j.schedule IS NOT NULL AS recurs, greatest(j.run_at, j.created_at) AS due,
        j.priority, j.run_at
)
SELECT id, kind, payload, recurs, due FROM claimed ORDER BY priority DESC, run_at, id;

-- name: job_complete :many queue
-- $1 ids, $2 tokens: many at once, of kinds whose effect is not in this database; answers those that were held, when they
-- are on the disk.
UPDATE job j SET state = CASE WHEN j.schedule IS NULL THEN 'done' ELSE 'queued' END,
    run_at = CASE WHEN j.schedule IS NULL THEN j.run_at ELSE schedule_next(j.schedule, now()) END,
    attempts = CASE WHEN j.schedule IS NULL THEN j.attempts ELSE 0 END,
    lease_token = NULL, lease_until = NULL, last_error = NULL, finished_at = now()
FROM unnest($1::bigint[], $2::bigint[]) AS held (id, token)
WHERE j.id = held.id AND j.lease_token = held.token
RETURNING j.id, (SELECT set_config('synchronous_commit', 'on', true)) AS durable;

-- name: job_give_back :one queue
-- $1 ids, $2 tokens: claimed and never started, by a worker that stops; another takes them at once
WITH given AS (
    UPDATE job j SET state = 'queued', attempts = j.attempts - 1, lease_token = NULL, lease_until = NULL
    FROM unnest($1::bigint[], $2::bigint[]) AS held (id, token)
    WHERE j.id = held.id AND j.lease_token = held.token
    RETURNING j.queue
)
SELECT count(pg_notify('job', queue)) AS woken FROM (SELECT DISTINCT queue FROM given) AS q;

-- name: job_finish :one work
-- In the transaction of the effect: raises TT002 when the lease is not held any more, and the effect is undone.
SELECT job_finish($1::bigint, $2::bigint) AS finished;

-- name: job_hold :one work
-- In the transaction of a part of the effect: the lease is extended, or TT002 undoes that part.
SELECT job_hold($1::bigint, $2::bigint, $3::int) AS held;

-- name: job_fail :one queue
-- $1 id, $2 token, $3 error, $4 final: again after a backoff of 2^attempts seconds (an hour at most; what recurs, at its
-- next time at the latest), or dead
UPDATE job SET state = CASE WHEN $4::boolean OR attempts >= max_attempts THEN 'dead' ELSE 'queued' END,
    run_at = least(now() + make_interval(secs => least(3600, 2 ^ least(attempts, 12)) * (0.75 + random() / 2)),
                   CASE WHEN schedule IS NOT NULL THEN schedule_next(schedule, now()) END),
    lease_token = NULL, lease_until = NULL, last_error = $3::text, finished_at = CASE WHEN $4::boolean OR attempts >= max_attempts THEN now() END
WHERE id = $1::bigint AND state = 'running' AND lease_token = $2::bigint
RETURNING state;

-- name: job_extend :many queue
-- $1 ids, $2 tokens, $3 seconds. A job that is locked is being ended or held by its own transaction.
WITH held AS (
    SELECT j.id FROM unnest($1::bigint[], $2::bigint[]) AS h (id, token)
    JOIN job j ON j.id = h.id AND j.lease_token = h.token FOR UPDATE OF j SKIP LOCKED
)
UPDATE job j SET lease_until = now() + make_interval(secs => $3::int)
FROM held WHERE j.id = held.id
RETURNING j.id;

-- name: job_rescue :one queue
-- Leases that ran out: their worker is dead or frozen.
WITH rescued AS (
    UPDATE job SET state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'queued' END, run_at = now(),
        lease_token = NULL, lease_until = NULL, last_error = 'the lease ran out (worker ' || coalesce(worker, '?') || ')',
        finished_at = CASE WHEN attempts >= max_attempts THEN now() END
    WHERE id IN (SELECT id FROM job WHERE state = 'running' AND lease_until < now() LIMIT 500 FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT count(*) AS rescued FROM rescued;

-- name: job_next :one queue
-- Milliseconds until the next job of these queues may run, and until the next lease may have run out. Down the index
-- job_ready, one step a priority.
SELECT (extract(epoch FROM (
           SELECT min(first.run_at) FROM unnest($1::text[]) AS q (queue) CROSS JOIN LATERAL (
               WITH RECURSIVE step AS (
                   (SELECT j.priority, j.run_at FROM job j WHERE j.state = 'queued' AND j.queue = q.queue
                    ORDER BY j.priority DESC, j.run_at LIMIT 1)
                   UNION ALL
                   SELECT n.* FROM step s CROSS JOIN LATERAL (
                       SELECT j.priority, j.run_at FROM job j WHERE j.state = 'queued' AND j.queue = q.queue AND j.priority < s.priority
                       ORDER BY j.priority DESC, j.run_at LIMIT 1) AS n)
               SELECT run_at FROM step) AS first) - now()) * 1000)::float8 AS next_ms,
       (extract(epoch FROM (SELECT min(lease_until) FROM job WHERE state = 'running') - now()) * 1000)::float8 AS lease_ms;

-- name: jobs_list :many
-- $1 state, $2 kind, $3 after, $4 limit
SELECT id, queue, kind, state, priority::int, run_at, schedule, attempts, max_attempts, lease_until, worker, last_error, created_at, finished_at
FROM job
WHERE id > coalesce($3::bigint, 0) AND ($1::text IS NULL OR state = $1::text) AND ($2::text IS NULL OR kind = $2::text)
ORDER BY id LIMIT $4::int;

-- name: job_get :one
SELECT id, queue, kind, state, priority::int, run_at, schedule, payload, attempts, max_attempts, lease_until, worker, last_error, created_at, finished_at
FROM job WHERE id = $1::bigint;

-- name: job_retry :write
-- $3: a dead job is tried again
WITH found AS (
    SELECT * FROM job WHERE id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.*, CASE WHEN f.id IS NULL THEN 'not_found' WHEN f.state <> 'dead' THEN 'job_not_dead'
        WHEN EXISTS (SELECT FROM job o WHERE o.unique_key = f.unique_key AND o.state IN ('queued', 'running')) THEN 'job_already_queued'
        WHEN f.kind = 'import' AND upload_is_gone((f.payload->>'import')::bigint) THEN 'upload_gone' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE job j SET state = 'queued', run_at = now(), attempts = 0, finished_at = NULL FROM judged f
    WHERE f.verdict IS NULL AND j.id = f.id RETURNING j.id, j.state, j.queue
), woken AS (
    SELECT pg_notify('job', queue) FROM changed
), answer AS (
    SELECT j.verdict AS _verdict, coalesce(c.id, j.id) AS id, j.kind, coalesce(c.state, j.state) AS state, (SELECT count(*)::int FROM woken) AS woken
    FROM judged j LEFT JOIN changed c ON true
)

-- name: outbox_list :many
-- $1 kind, $2 after, $3 limit
SELECT o.id, o.kind, region_label(o.region) AS region, o.case_id AS case, o.content, o.created_at, o.sent_at
FROM outbox o WHERE o.id > coalesce($2::bigint, 0) AND ($1::text IS NULL OR o.kind = $1::text) ORDER BY o.id LIMIT $3::int;

-- name: clean_up :one work
WITH sessions AS (
    DELETE FROM session WHERE expires_at < now() RETURNING 1
), keys AS (
    DELETE FROM idempotency WHERE created_at < now() - interval '7 days' RETURNING 1
), attempts AS (
    -- A success is remembered for longer: it tells who belongs where.
    DELETE FROM sign_in_attempt
    WHERE at < now() - interval '1 day' AND (succeeded IS NOT TRUE OR at < now() - interval '30 days') RETURNING 1
), jobs AS (
    DELETE FROM job WHERE state IN ('done', 'cancelled') AND finished_at < now() - interval '7 days' RETURNING 1
)
SELECT (SELECT count(*) FROM sessions) AS sessions, (SELECT count(*) FROM keys) AS keys, (SELECT count(*) FROM jobs) AS jobs,
       loans_erase(10000) AS loans;
