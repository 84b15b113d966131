-- SPDX-License-Identifier: Apache-2.0
-- Orders. What opens and ends them follows from the moves of their cases: migration 0019.

-- part: about
-- o: a work_order (`answer` is what the tail of a :write keeps: no column may be called so)
o.number, o.case_id AS case, (SELECT p.code FROM plan p WHERE p.id = o.plan_id) AS plan,
       (SELECT r.code FROM region r WHERE r.place = o.region) AS region,
       (SELECT k.code FROM contractor k WHERE k.id = o.contractor_id) AS contractor, o.state,
       (o.state = 'open' AND o.answer_by < now()) IS TRUE AS silent, o.given_at, o.answer_by, o.note, o.answer AS answered_as, o.answered_at,
       o.answered_by, o.answer_note, o.escalated_at, o.closed_at, o.closed_as, o.closed_note, o.version

-- part: order
o.id, {{about}}

-- part: listed
-- The household only for who sees the case: a contractor that lost the order does not.
{{order}}, c.household_number, c.householder, c.village, c.stage

-- part: home
LEFT JOIN retrofit_case c ON c.plan_region = o.plan_region AND c.id = o.case_id

-- part: filters
-- $1 plan, $2 region, $3 contractor, $4 state (silent: open and past its time)
  AND ($1::text IS NULL OR o.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
  AND ($2::text IS NULL OR o.region BETWEEN (SELECT x.place FROM region_code x WHERE x.code = $2::text)
       AND (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $2::text))
  AND ($3::text IS NULL OR o.contractor_id = (SELECT k.id FROM contractor k WHERE k.code = $3::text))
  AND ($4::text IS NULL OR o.state = $4::text OR ($4::text = 'silent' AND o.state = 'open' AND o.answer_by < now()))

-- part: after
CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END

-- name: orders_of_contractor :many
-- Those of the contractor who asks. $5 after, $6 limit
SELECT {{listed}}
FROM work_order o {{home}}
WHERE o.contractor_id = (SELECT scope_contractor()) AND o.id > {{after}}
{{filters}}
ORDER BY o.id LIMIT $6::int;

-- name: orders_given_to :many
-- Those of contractor $3, for who may see them
SELECT {{listed}}
FROM work_order o {{home}}
WHERE o.contractor_id = (SELECT k.id FROM contractor k WHERE k.code = $3::text) AND o.id > {{after}}
{{filters}}
ORDER BY o.id LIMIT $6::int;

-- name: orders_waiting :many
-- Those that wait for an answer, with $4 = open or silent: never many, and an index of their own
SELECT {{listed}}
FROM work_order o {{home}}
WHERE o.state = 'open' AND o.id > {{after}}
{{filters}}
ORDER BY o.id LIMIT $6::int;

-- name: orders_of_region :many
-- Everything else. At most a page is read of each place of a county; what is more than a county is walked in the order of ids.
WITH asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow FROM (SELECT
        CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
             WHERE x.code = $2::text) END AS high) AS a
), plans AS MATERIALIZED (
    SELECT p.id, p.region FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE ($1::text IS NULL OR p.code = $1::text) AND (top.place <= a.high AND top.high >= a.low) IS TRUE
)
SELECT {{listed}}
FROM (
    SELECT o.* FROM asked a JOIN region r ON r.place BETWEEN a.low AND a.high CROSS JOIN LATERAL (
        SELECT o.* FROM work_order o WHERE o.region = r.place AND o.id > {{after}}
{{filters}}
        ORDER BY o.id LIMIT $6::int) AS o WHERE a.is_narrow
    UNION ALL
    SELECT o.* FROM asked a CROSS JOIN (SELECT DISTINCT region FROM plans) AS p CROSS JOIN LATERAL (
        SELECT o.* FROM work_order o WHERE o.plan_region = p.region AND o.id > {{after}}
          AND (o.region BETWEEN a.low AND a.high) IS TRUE
{{filters}}
        ORDER BY o.id LIMIT $6::int) AS o WHERE NOT a.is_narrow
) AS o {{home}}
ORDER BY o.id LIMIT $6::int;

-- name: order_get :one
SELECT {{listed}}
FROM work_order o {{home}} WHERE o.plan_region = plan_region_of($1::bigint) AND o.id = $1::bigint;

-- name: orders_of_case :many
-- $1 case, $2 after (a number), $3 limit: every order that it had, as far as the scope sees them
SELECT o.number AS id, o.id AS order, {{about}}
FROM work_order o
WHERE o.plan_region = plan_region_of($1::bigint) AND o.case_id = $1::bigint AND o.number > coalesce($2::bigint, 0)
ORDER BY o.number LIMIT $3::int;

-- name: order_accept :write key=3
-- $3 case, $4 note (who records it for the contractor must say how he knows), $5 if-match (of the order)
WITH found AS (
    SELECT o.* FROM work_order o WHERE o.plan_region = plan_region_of($3::bigint) AND o.case_id = $3::bigint
    ORDER BY o.number DESC LIMIT 1 FOR UPDATE
), judged AS (
    SELECT f.number, CASE
        WHEN f.number IS NULL THEN 'not_found'
        WHEN $5::int <> f.version THEN 'stale'
        WHEN f.closed_at IS NOT NULL THEN 'order_over'
        WHEN f.state <> 'open' THEN 'order_answered'
        WHEN scope_role() <> 'contractor' AND coalesce(btrim($4::text), '') = '' THEN 'note_required' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE work_order o SET state = 'accepted', answer = 'accepted', answered_at = now(), answered_by = scope_account(),
        answer_note = $4::text, version = o.version + 1
    FROM judged j
    WHERE j.verdict IS NULL AND o.plan_region = plan_region_of($3::bigint) AND o.case_id = $3::bigint AND o.number = j.number
    RETURNING o.*
), shown AS (
    SELECT * FROM changed UNION ALL SELECT f.* FROM found f WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict,
       {{order}}
    FROM judged j LEFT JOIN shown o ON true
)

-- name: order_decline :write key=3
-- $3 case, $4 reason, $5 if-match (of the order): the case is designed again
WITH done AS MATERIALIZED (
    SELECT d.verdict, d.o FROM order_decline($3::bigint, $4::text, $5::int) AS d
), answer AS (
    SELECT o._verdict, CASE o._verdict WHEN 'note_required' THEN '/reason' END AS _field,
       {{order}}
    FROM (SELECT d.verdict AS _verdict, (d.o).* FROM done d) AS o
)

-- name: order_reassign :write key=3
-- $3 case, $4 contractor, $5 reason, $6 answer by, $7 if-match (of the order)
WITH done AS MATERIALIZED (
    SELECT d.verdict, d.o FROM order_reassign($3::bigint, $4::text, $5::text, $6::timestamptz, $7::int) AS d
), answer AS (
    SELECT o._verdict, CASE o._verdict WHEN 'note_required' THEN '/reason' END AS _field,
       {{order}}
    FROM (SELECT d.verdict AS _verdict, (d.o).* FROM done d) AS o
)

-- name: orders_give :write
-- $3 contractor, $4 cases [{id, version?}], $5 answer by, $6 note, $7 all or nothing
WITH answer AS (
    SELECT d.verdict AS _verdict, CASE WHEN d.verdict = 'orders_refused' THEN d.items END AS _items, $3::text AS contractor, d.given,
           d.refused, $6::text AS note, d.items
    FROM orders_give($3::text, $4::json, $5::timestamptz, $6::text, coalesce($7::boolean, false)) AS d
)

-- name: orders_silent_scan :one work
-- A job for every order whose time to answer is over and that nobody was told of.
WITH queued AS (
    INSERT INTO job (queue, kind, unique_key, payload, region)
    SELECT 'reminders', 'order_silent', 'order_silent:' || o.id, json_build_object('order', o.id), o.region
    FROM work_order o WHERE o.state = 'open' AND o.answer_by < now() AND o.escalated_at IS NULL
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) AS queued FROM queued;

-- name: order_silent :one work
-- Tells the county, unless it was answered, closed, given more time or told meanwhile: the row is looked at as it is when its
-- lock is had. $1 order
WITH silent AS (
    UPDATE work_order o SET escalated_at = now()
    WHERE o.plan_region = plan_region_of($1::bigint) AND o.id = $1::bigint
      AND o.state = 'open' AND o.answer_by < now() AND o.escalated_at IS NULL
    RETURNING o.*
), said AS (
    INSERT INTO outbox (kind, region, case_id, content)
    SELECT 'order_silent', o.region, o.case_id, json_build_object('case', o.case_id, 'order', o.id, 'to', 'county',
        'plan', (SELECT p.code FROM plan p WHERE p.id = o.plan_id), 'answer_by', o.answer_by,
        'contractor', (SELECT k.code FROM contractor k WHERE k.id = o.contractor_id))
    FROM silent o RETURNING 1
)
SELECT count(*) AS said FROM said;
