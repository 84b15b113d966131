-- SPDX-License-Identifier: Apache-2.0
-- Requests for devices and their assessments. Their rules are in migration 0036.

-- name: device_request_open :write
-- $3 person, $4 need, $5 kind, $6 centre, $7 note
WITH answer AS (
    SELECT * FROM device_request_open($3::bigint, $4::bigint, $5::text, $6::text, $7::text)
)

-- name: device_request_get :one write
-- $1 request: with whom it is for and all that was found; the reading is recorded
WITH hit AS (
    SELECT r AS one FROM device_request r WHERE r.plan_region = plan_region_of($1::bigint) AND r.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'person of a device request', (one).person_id, (one).region FROM hit
)
SELECT s.*, o.name AS "for.name", o.sex AS "for.sex", o.category AS "for.category", o.level AS "for.level", o.phone AS "for.phone",
       o.village AS "for.village", o.address AS "for.address", o.hardship AS "for.hardship", o.parts AS "for.parts",
       service_life_until((h.one), china_date(now())) AS granted_until,
       (SELECT coalesce(json_agg(json_build_object('number', a.number, 'happened_at', a.happened_at, 'account', a.account_id, 'outcome', a.outcome,
            'assessed_for', a.assessed_for, 'asked', a.asked, 'measure', a.measure, 'changes', a.changes, 'reason', a.reason,
            'reassess_on', a.reassess_on, 'measurements', a.measurements, 'note', a.note, 'taken_back_at', a.taken_back_at) ORDER BY a.number), '[]')
        FROM device_assessment a WHERE a.plan_region = (h.one).plan_region AND a.request_id = s.id) AS assessments,
       (SELECT coalesce(json_agg(json_build_object('id', x.id, 'kind', x.kind, 'item', i.code, 'happened_at', x.happened_at, 'due_at', x.due_at,
            'ended', x.ended, 'ended_at', x.ended_at) ORDER BY x.id), '[]')
        FROM handover x JOIN device_item i ON i.plan_region = x.plan_region AND i.id = x.item_id
        WHERE x.plan_region = (h.one).plan_region AND x.request_id = s.id) AS handovers,
       coalesce((SELECT d.items FROM device_measurement d WHERE d.measure = s.measure), '[]')::json AS to_measure,
       (SELECT json_agg(json_build_object('version', e.version, 'at', e.at, 'account', e.account_id, 'state', e.state, 'assessed_for', e.assessed_for,
            'measure', e.measure, 'centre', (SELECT c.code FROM centre c WHERE c.id = e.centre_id), 'region', region_label(e.region), 'note', e.note)
            ORDER BY e.version)
        FROM device_request_event e WHERE e.plan_region = (h.one).plan_region AND e.request_id = s.id) AS history
FROM hit h CROSS JOIN LATERAL device_request_shown(h.one, NULL, NULL, NULL) AS s CROSS JOIN LATERAL device_request_person(h.one) AS o;

-- name: device_assess :write
-- $3 request, $4 if-match, $5 happened at, $6 outcome, $7 for, $8 kind, $9 changes, $10 reason, $11 reassess on, $12 measurements, $13 note
WITH answer AS (
    SELECT s.* FROM device_assess($3::bigint, $4::int, (NULL, NULL, NULL, NULL, NULL, $5::timestamptz, NULL, $6::text, $7::text, NULL, $8::text,
        coalesce($9::text, ''), coalesce($10::text, ''), $11::date, NULL, coalesce($13::text, ''), NULL, NULL)::device_assessment,
        coalesce($12::json, '[]')) AS s
)

-- name: device_unassess :write
-- $3 request, $4 if-match
WITH answer AS (
    SELECT * FROM device_unassess($3::bigint, $4::int)
)

-- name: device_request_cancel :write
-- $3 request, $4 if-match, $5 reason
WITH answer AS (
    SELECT * FROM device_request_cancel($3::bigint, $4::int, $5::text)
)

-- name: device_request_give :write
-- $3 request, $4 if-match, $5 centre
WITH answer AS (
    SELECT * FROM device_request_give($3::bigint, $4::int, $5::text)
)

-- name: device_request_except :write
-- $3 request, $4 if-match, $5 reason
WITH answer AS (
    SELECT * FROM device_request_except($3::bigint, $4::int, $5::text)
)

-- name: device_request_reserve :write
-- $3 request, $4 if-match, $5 item
WITH answer AS (
    SELECT * FROM device_request_reserve($3::bigint, $4::int, $5::text)
)

-- name: device_request_release :write
-- $3 request, $4 if-match
WITH answer AS (
    SELECT * FROM device_request_reserve($3::bigint, $4::int, NULL)
)

-- name: device_request_items :many
-- $1 request: what is reserved for it, then what its centre has in stock of that kind, the best first (what is new has no grade)
SELECT i.code AS item, i.id, i.model, m.name_zh, m.name_ko, m.name_en, i.serial, i.grade, i.shelf, i.state,
       coalesce(i.price, CASE i.source WHEN 'donated' THEN 0 ELSE m.price END) AS price
FROM device_request r JOIN device_model m ON m.measure = r.measure
JOIN device_item i ON i.centre_id = r.centre_id AND i.model = m.code AND i.state IN ('in_stock', 'reserved')
WHERE r.plan_region = plan_region_of($1::bigint) AND r.id = $1::bigint AND (i.state = 'in_stock' OR i.request_id = r.id)
  AND i.transfer_id IS NULL AND r.state = 'assessed'
ORDER BY i.state DESC, i.grade NULLS FIRST, i.id LIMIT 100;

-- part: request_asked
-- What $1 plan, $2 region, $3 state, $4 measure, $5 after, $6 limit ask for; in a county its places are looked through, else its plans
asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow, CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END AS after
    FROM (SELECT CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
                 CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
                      WHERE x.code = $2::text) END AS high) AS a
), plans AS MATERIALIZED (
    SELECT p.id FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE ($1::text IS NULL OR p.code = $1::text) AND (top.place <= a.high AND top.high >= a.low) IS TRUE
), states AS MATERIALIZED (
    SELECT s FROM unnest('{waiting,assessed,fulfilled,cancelled}'::text[]) AS s WHERE $3::text IS NULL OR s = $3::text
)

-- part: request_fits
($4::text IS NULL OR r.measure = $4::text) AND (r.region >= a.low) IS TRUE AND (r.region <= a.high) IS TRUE

-- part: request_listed
device_request_shown(l.one, NULL, NULL, NULL) AS s

-- name: device_requests_list :many
WITH {{request_asked}}
SELECT s.* FROM (
    SELECT r AS one, r.id FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN states t CROSS JOIN LATERAL (
        SELECT r.* FROM device_request r WHERE r.region = g.place AND r.state = t.s AND r.id > a.after AND {{request_fits}}
          AND (r.plan_id IN (SELECT p.id FROM plans p)) IS TRUE ORDER BY r.id LIMIT $6::int) AS f
        JOIN device_request r ON r.plan_region = f.plan_region AND r.id = f.id WHERE a.is_narrow
    UNION ALL
    SELECT r AS one, r.id FROM asked a CROSS JOIN plans p CROSS JOIN states t CROSS JOIN LATERAL (
        SELECT r.* FROM device_request r WHERE r.plan_id = p.id AND r.state = t.s AND r.id > a.after AND {{request_fits}}
        ORDER BY r.id LIMIT $6::int) AS f
        JOIN device_request r ON r.plan_region = f.plan_region AND r.id = f.id WHERE NOT a.is_narrow
    ORDER BY id LIMIT $6::int) AS l CROSS JOIN LATERAL {{request_listed}}
ORDER BY s.id;

-- name: device_requests_of_centre :many
-- … $7 centre (a centre's own account may leave it out)
WITH {{request_asked}}, here AS MATERIALIZED (
    SELECT c.id FROM centre c WHERE CASE WHEN $7::text IS NULL THEN c.id = scope_centre() ELSE c.code = $7::text END
)
SELECT s.* FROM (
    SELECT r AS one, r.id FROM asked a CROSS JOIN here h CROSS JOIN states t CROSS JOIN LATERAL (
        SELECT r.* FROM device_request r WHERE r.centre_id = h.id AND r.state = t.s AND r.id > a.after AND {{request_fits}}
          AND (r.plan_id IN (SELECT p.id FROM plans p)) IS TRUE ORDER BY r.id LIMIT $6::int) AS f
        JOIN device_request r ON r.plan_region = f.plan_region AND r.id = f.id
    ORDER BY id LIMIT $6::int) AS l CROSS JOIN LATERAL {{request_listed}}
ORDER BY s.id;

-- name: device_requests_waiting :many
-- $3: waiting (to be assessed) or assessed (to be given it); $5 after (a turn). The first first; of each county a page, along the index
WITH {{request_asked}}
SELECT s.*, o.parts, (l.one).turn::text AS turn FROM (
    SELECT r AS one, f.turn FROM asked a CROSS JOIN plans p JOIN region n ON n.level = 'county' AND n.place BETWEEN county_of(a.low) AND a.high
    CROSS JOIN LATERAL (
        SELECT r.plan_region, r.id, r.turn FROM device_request r WHERE r.plan_id = p.id AND r.state = $3::text AND r.county = n.place AND r.turn > a.after
          AND {{request_fits}} ORDER BY r.turn LIMIT $6::int) AS f
    JOIN device_request r ON r.plan_region = f.plan_region AND r.id = f.id
    ORDER BY f.turn LIMIT $6::int) AS l CROSS JOIN LATERAL {{request_listed}} CROSS JOIN LATERAL device_request_person(l.one) AS o
ORDER BY l.turn;

-- name: device_requests_waiting_of_centre :many
WITH {{request_asked}}, here AS MATERIALIZED (
    SELECT c.id FROM centre c WHERE CASE WHEN $7::text IS NULL THEN c.id = scope_centre() ELSE c.code = $7::text END
)
SELECT s.*, o.parts, (l.one).turn::text AS turn FROM (
    SELECT r AS one, r.turn FROM asked a CROSS JOIN here h CROSS JOIN LATERAL (
        SELECT r.plan_region, r.id FROM device_request r WHERE r.centre_id = h.id AND r.state = $3::text AND r.turn > a.after
          AND {{request_fits}} AND (r.plan_id IN (SELECT p.id FROM plans p)) IS TRUE ORDER BY r.turn LIMIT $6::int) AS f
    JOIN device_request r ON r.plan_region = f.plan_region AND r.id = f.id
    ORDER BY r.turn LIMIT $6::int) AS l CROSS JOIN LATERAL {{request_listed}} CROSS JOIN LATERAL device_request_person(l.one) AS o
ORDER BY l.turn;

-- name: device_requests_compared :one
-- $1 request, $2 another: which comes first, and because of what
WITH one AS (
    SELECT r AS it, s.* FROM device_request r CROSS JOIN LATERAL device_request_person(r) AS s WHERE r.plan_region = plan_region_of($1::bigint) AND r.id = $1::bigint
), other AS (
    SELECT r AS it, s.* FROM device_request r CROSS JOIN LATERAL device_request_person(r) AS s WHERE r.plan_region = plan_region_of($2::bigint) AND r.id = $2::bigint
)
SELECT CASE WHEN b.it IS NULL THEN 'not_found' WHEN (a.it).plan_id <> (b.it).plan_id THEN 'request_other_plan' END AS _verdict,
       (a.it).id, (b.it).id AS other, (a.it).score, (b.it).score AS other_score, (a.it).waits_since, (b.it).waits_since AS other_waits_since,
       CASE WHEN (a.it).turn < (b.it).turn THEN (a.it).id ELSE (b.it).id END AS first,
       CASE WHEN (a.it).score <> (b.it).score THEN 'score' WHEN (a.it).waits_since <> (b.it).waits_since THEN 'waits_since' ELSE 'number' END AS because,
       (SELECT coalesce(json_agg(json_build_object('code', coalesce(x->>'code', y->>'code'), 'name_zh', coalesce(x->>'name_zh', y->>'name_zh'),
            'name_ko', coalesce(x->>'name_ko', y->>'name_ko'), 'name_en', coalesce(x->>'name_en', y->>'name_en'),
            'points', coalesce((x->>'points')::int, 0), 'other_points', coalesce((y->>'points')::int, 0), 'fact', x->>'fact', 'other_fact', y->>'fact')
            ORDER BY greatest((x->>'points')::int, (y->>'points')::int) DESC, coalesce(x->>'code', y->>'code')), '[]')
        FROM json_array_elements(a.parts) AS x FULL JOIN json_array_elements(b.parts) AS y ON y->>'code' = x->>'code') AS parts
FROM one a LEFT JOIN other b ON true;

-- name: requests_from_needs :write
-- $3 region, $4 kind, $5 centre
WITH answer AS (
    SELECT * FROM device_request_batch_make($3::text, $4::text, $5::text)
)

-- name: requests_from_needs_get :one
SELECT s.* FROM device_request_batch b CROSS JOIN LATERAL device_request_batch_shown(b, NULL) AS s WHERE b.id = $1::bigint;

-- name: requests_from_needs_step :one work
-- $1 batch
SELECT b.opened FROM device_request_batch_step($1::bigint, 1000) AS b;

-- name: requests_settle :one work
-- $1: so many at a time; the next job goes on
WITH settled AS MATERIALIZED (
    SELECT requests_settle($1::int) AS n
), more AS (
    INSERT INTO job (queue, kind, unique_key) SELECT 'upkeep', 'requests_settle', 'requests_settle:x' || pg_current_xact_id()
    FROM settled WHERE n >= $1::int ON CONFLICT DO NOTHING
)
SELECT n AS settled FROM settled;

-- name: walk_in :write
-- $3 centre, $4 kind, $5 note, $6 hash of the citizen ID, $7 it sealed, $8 the certificate sealed, $9 its hash, $10 sex, $11 born,
-- $12 category and level, $13 name, $14 phone, $15 region, $16 village, $17 address, $18 hardship
WITH given AS (
    SELECT (jsonb_populate_record(NULL::person, jsonb_build_object('name', $13::text, 'sex', $10::text, 'phone', $14::text, 'born', $11::text,
            'category', substr($12::text, 1, 1), 'level', substr($12::text, 2, 1),
            'citizen_id', $7::bytea::text, 'citizen_id_index', $6::bytea::text, 'certificate', $8::bytea::text, 'certificate_index', $9::bytea::text))) AS n,
        jsonb_populate_record(NULL::household, jsonb_build_object('village', $16::text, 'address', $17::text, 'hardship', $18::text)) AS home
), done AS (
    SELECT w.* FROM given g CROSS JOIN LATERAL walk_in($3::text, $4::text, $5::text, g.n, g.home, $15::text) AS w
), answer AS (
    SELECT (d.shown).*, d.registered FROM done d
)

-- name: device_measurements_get :one
-- $1 kind
SELECT m.code AS measure, m.name_zh, m.name_ko, m.name_en, coalesce(d.items, '[]')::json AS items, coalesce(d.version, 0) AS version
FROM measure m LEFT JOIN device_measurement d ON d.measure = m.code WHERE m.code = $1::text AND m.kind = 'device';

-- name: device_measurements_put :write
-- $3 kind, $4 if-match, $5 [{code, name_zh, name_ko?, name_en?, unit?, min, max, required?}]: replaces the list
WITH found AS (
    SELECT m.code, d.items, coalesce(d.version, 0) AS version FROM measure m LEFT JOIN device_measurement d ON d.measure = m.code
    WHERE m.code = $3::text AND m.kind = 'device'
), given AS (
    SELECT g.at, g.code, g.name_zh, coalesce(g.name_ko, g.name_zh) AS name_ko, coalesce(g.name_en, g.name_zh) AS name_en, coalesce(g.unit, '') AS unit,
           g.min, g.max, coalesce(g.required, false) AS required
    FROM ROWS FROM (json_to_recordset($5::json) AS (code text, name_zh text, name_ko text, name_en text, unit text, min numeric, max numeric, required boolean))
        WITH ORDINALITY AS g (code, name_zh, name_ko, name_en, unit, min, max, required, at)
), judged AS (
    SELECT f.*, CASE
        WHEN f.code IS NULL THEN 'not_found'
        WHEN scope_role() IS DISTINCT FROM 'admin' THEN 'role_not_allowed'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM given g WHERE g.code !~ '^[a-z][a-z0-9_]{0,47}$') THEN 'measurement_code_invalid'
        WHEN (SELECT count(*) <> count(DISTINCT g.code) FROM given g) THEN 'measurement_twice'
        WHEN EXISTS (SELECT FROM given g WHERE g.min >= g.max) THEN 'measurement_backwards' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), put AS (
    INSERT INTO device_measurement AS d (measure, items)
    SELECT j.code, (SELECT coalesce(jsonb_agg(jsonb_build_object('code', g.code, 'name_zh', g.name_zh, 'name_ko', g.name_ko, 'name_en', g.name_en,
        'unit', g.unit, 'min', g.min, 'max', g.max, 'required', g.required) ORDER BY g.at), '[]') FROM given g) FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (measure) DO UPDATE SET items = excluded.items, version = d.version + 1 WHERE $4::int IS NULL OR d.version = $4::int
    RETURNING d.*
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN p.measure IS NULL THEN 'stale' END) AS _verdict, '/items' AS _field, j.code AS measure,
           coalesce(p.items, j.items, '[]')::json AS items, coalesce(p.version, j.version) AS version
    FROM judged j LEFT JOIN put p ON true
)
