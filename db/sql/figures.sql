-- SPDX-License-Identifier: Apache-2.0
-- What is watched from outside: the queues and the fold, every few seconds. Each costs the same however much waits.

-- name: queue_figures :many
-- $1 the queues. At most 10,000 of each are counted; the oldest that may run now is exact (one look at each priority).
SELECT q.queue, waiting.due, waiting.later, busy.running, lost.dead,
       coalesce(extract(epoch FROM now() - (
           WITH RECURSIVE level AS (
               (SELECT j.priority FROM job j WHERE j.state = 'queued' AND j.queue = q.queue ORDER BY j.priority DESC LIMIT 1)
               UNION ALL
               SELECT (SELECT j.priority FROM job j WHERE j.state = 'queued' AND j.queue = q.queue AND j.priority < l.priority
                       ORDER BY j.priority DESC LIMIT 1)
               FROM level l WHERE l.priority IS NOT NULL
           )
           SELECT min(first.run_at) FROM level l CROSS JOIN LATERAL (
               SELECT j.run_at FROM job j WHERE j.state = 'queued' AND j.queue = q.queue AND j.priority = l.priority AND j.run_at <= now()
               ORDER BY j.run_at LIMIT 1) AS first)), 0)::float8 AS oldest_seconds
FROM unnest($1::text[]) AS q (queue)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE run_at <= now()) AS due, count(*) FILTER (WHERE run_at > now()) AS later
    FROM (SELECT j.run_at FROM job j WHERE j.state = 'queued' AND j.queue = q.queue LIMIT 10000) AS few) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS running FROM (SELECT FROM job j WHERE j.state = 'running' AND j.queue = q.queue LIMIT 10000) AS few) AS busy
CROSS JOIN LATERAL (
    SELECT count(*) AS dead FROM (SELECT FROM job j WHERE j.state = 'dead' AND j.queue = q.queue LIMIT 10000) AS few) AS lost;

-- name: fold_figures :one
-- Moves that the totals do not hold yet (readers add them; at most 10,000 are counted), and seconds since the last fold:
-- a year when no job folds any more.
SELECT (SELECT count(*) FROM (SELECT FROM total_delta LIMIT 10000) AS few) AS unfolded,
       coalesce(extract(epoch FROM now() - (
           SELECT coalesce(j.finished_at, j.created_at) FROM job j
           WHERE j.unique_key = 'totals_fold' AND j.state IN ('queued', 'running'))), 31536000)::float8 AS since_seconds;
