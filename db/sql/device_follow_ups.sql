-- SPDX-License-Identifier: Apache-2.0
-- Follow-ups of fittings and rentals. Their rules are in migration 0041.

-- name: device_follow_up_scan :one work
-- Tells of each that is due, once. One that is being ended right now, or whose item is being returned, is passed over: if it stays open,
-- the next scan has it. A return waits for this, so nothing is told of once its item is back.
WITH due AS (
    SELECT f.plan_region, f.id FROM device_follow_up f JOIN handover h ON h.plan_region = f.plan_region AND h.id = f.handover_id
    WHERE f.state = 'open' AND f.told_at IS NULL AND f.due_on <= china_date(now()) AND h.ended IS NULL
    FOR UPDATE OF f SKIP LOCKED FOR SHARE OF h SKIP LOCKED
), told AS (
    UPDATE device_follow_up f SET told_at = now() FROM due d WHERE f.plan_region = d.plan_region AND f.id = d.id RETURNING f.*
), said AS (
    INSERT INTO outbox (kind, region, content)
    SELECT 'device_follow_up_due', t.region, device_follow_up_said(t::device_follow_up) FROM told t RETURNING 1
)
SELECT count(*) AS said FROM said;

-- part: device_follow_up_row
f.id, f.handover_id AS handover, h.kind, i.code AS item, i.model, h.person_id AS person,
       left(n.name, 1) || repeat('*', greatest(length(n.name) - 1, 1)) AS person_name, (SELECT c.code FROM centre c WHERE c.id = f.centre_id) AS centre,
       (SELECT p.code FROM plan p WHERE p.id = f.plan_id) AS plan, region_label(f.region) AS region, f.number::int AS number, f.due_on, f.state, f.happened_at,
       f.done_at, f.outcome, f.note, f.account_id AS account, f.told_at, f.version, f.due_on::text || '.' || f.id AS _cursor

-- part: device_follow_up_of
-- (As device_follow_up_shown, which a list would call row by row. An item that came back may be at another centre meanwhile.)
LEFT JOIN handover h ON h.plan_region = f.plan_region AND h.id = f.handover_id
LEFT JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
LEFT JOIN person n ON n.plan_region = h.plan_region AND n.id = h.person_id

-- part: device_follow_up_asked
asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow,
        CASE WHEN $5::text IS NULL THEN '-infinity' ELSE split_part($5::text, '.', 1)::date END AS due_on,
        CASE WHEN $5::text IS NULL THEN 0 ELSE split_part($5::text, '.', 2)::bigint END AS id,
        CASE WHEN $4::date IS NULL THEN 'infinity' ELSE $4::date END AS before
    FROM (SELECT
        CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
             WHERE x.code = $2::text) END AS high) AS a
), states AS MATERIALIZED (
    SELECT s FROM unnest('{open,done,cancelled}'::text[]) AS s WHERE $3::text IS NULL OR s = $3::text
)

-- name: device_follow_ups_list :many
-- $1 plan, $2 region, $3 state, $4 due before, $5 after, $6 limit: the first due first. At most a page is read of each place of a county, or
-- of each plan of what is more than a county.
WITH {{device_follow_up_asked}}, plans AS MATERIALIZED (
    SELECT p.id FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE ($1::text IS NULL OR p.code = $1::text) AND (top.place <= a.high AND top.high >= a.low) IS TRUE
), page AS MATERIALIZED (
    SELECT f.* FROM (
        SELECT f.* FROM asked a JOIN region r ON r.place BETWEEN a.low AND a.high CROSS JOIN states s CROSS JOIN LATERAL (
            SELECT f.* FROM device_follow_up f WHERE f.region = r.place AND f.state = s.s AND f.due_on < a.before AND (f.due_on, f.id) > (a.due_on, a.id)
              AND (f.plan_id IN (SELECT p.id FROM plans p)) IS TRUE
            ORDER BY f.due_on, f.id LIMIT $6::int) AS f WHERE a.is_narrow
        UNION ALL
        SELECT f.* FROM asked a CROSS JOIN plans p CROSS JOIN states s CROSS JOIN LATERAL (
            SELECT f.* FROM device_follow_up f WHERE f.plan_id = p.id AND f.state = s.s AND f.due_on < a.before AND (f.due_on, f.id) > (a.due_on, a.id)
              AND (f.region >= a.low) IS TRUE AND (f.region <= a.high) IS TRUE
            ORDER BY f.due_on, f.id LIMIT $6::int) AS f WHERE NOT a.is_narrow) AS f
    ORDER BY f.due_on, f.id LIMIT $6::int
)
SELECT {{device_follow_up_row}}
FROM page f {{device_follow_up_of}}
ORDER BY f.due_on, f.id LIMIT $6::int;

-- name: device_follow_ups_of_centre :many
-- The same of one centre: $7, or the caller's own
WITH {{device_follow_up_asked}}, page AS MATERIALIZED (
    SELECT f.* FROM asked a CROSS JOIN device_centre($7::text) AS c CROSS JOIN states s CROSS JOIN LATERAL (
        SELECT f.* FROM device_follow_up f WHERE f.centre_id = c.id AND f.state = s.s AND f.due_on < a.before AND (f.due_on, f.id) > (a.due_on, a.id)
          AND (f.region >= a.low) IS TRUE AND (f.region <= a.high) IS TRUE
          AND ($1::text IS NULL OR f.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text)) IS TRUE
        ORDER BY f.due_on, f.id LIMIT $6::int) AS f
    ORDER BY f.due_on, f.id LIMIT $6::int
)
SELECT {{device_follow_up_row}}
FROM page f {{device_follow_up_of}}
ORDER BY f.due_on, f.id LIMIT $6::int;

-- name: device_follow_ups_of_handover :many
-- $1 fitting or rental
SELECT {{device_follow_up_row}}
FROM device_follow_up f {{device_follow_up_of}}
WHERE f.plan_region = plan_region_of($1::bigint) AND f.handover_id = $1::bigint ORDER BY f.number;

-- name: device_follow_up_get :one write
-- $1 id: with the person's whole name and telephone, and the questions; the reading is recorded
WITH hit AS (
    SELECT f AS one FROM device_follow_up f WHERE f.plan_region = plan_region_of($1::bigint) AND f.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'person of a device follow-up', s.person, (h.one).region FROM hit h CROSS JOIN LATERAL device_follow_up_shown(h.one, NULL, NULL) AS s
)
SELECT s.id, s.handover, s.kind, s.item, s.model, s.person, n.name AS "for.name", n.phone AS "for.phone", s.centre, s.plan, s.region, s.number, s.due_on, s.state,
       s.happened_at, s.done_at, s.outcome, s.answers, s.note, s.account, s.told_at,
       (SELECT q.questions FROM device_question_set q WHERE q.id = (h.one).question_set) AS questions, s.version
FROM hit h CROSS JOIN LATERAL device_follow_up_shown(h.one, NULL, NULL) AS s
LEFT JOIN person n ON n.plan_region = (h.one).plan_region AND n.id = s.person;

-- name: device_follow_up_end :write
-- $3 id, $4 if-match, $5 happened at, $6 outcome, $7 answers, $8 note
WITH answer AS (
    SELECT * FROM device_follow_up_end($3::bigint, $4::int, $5::timestamptz, $6::text, $7::json, $8::text)
)

-- name: device_follow_up_take_back :write
-- $3 id, $4 if-match
WITH answer AS (
    SELECT * FROM device_follow_up_take_back($3::bigint, $4::int)
)

-- name: device_follow_up_rule_get :one
-- $1 plan
SELECT s.plan, s.follow_ups, s.questions, s.version FROM plan p CROSS JOIN LATERAL device_follow_up_rule_shown(p, NULL, NULL) AS s WHERE p.code = $1::text;

-- name: device_follow_up_rule_put :write
-- $3 plan, $4 if-match, $5 [{months}], $6 questions; NULL: as they are
WITH answer AS (
    SELECT * FROM device_follow_up_rule_put($3::text, $4::int, $5::json, $6::json)
)
