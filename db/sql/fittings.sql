-- SPDX-License-Identifier: Apache-2.0
-- Fittings and trials. Their rules are in migrations 0032 and 0036.

-- name: fitting_make :write
-- $3 request, $4 item, $5 happened at, $6 signature, $7 signer, $8 note
WITH answer AS (
    SELECT * FROM device_hand_over(jsonb_populate_record(NULL::handover, jsonb_build_object('kind', 'fitting', 'request_id', $3::bigint,
        'happened_at', $5::timestamptz, 'note', $8::text)), $4::text, $6::json, $7::text)
)

-- name: fitting_get :one write
-- $1 fitting: with the person's whole name and the signature; the reading is recorded
WITH hit AS (
    SELECT h AS one FROM handover h WHERE h.plan_region = plan_region_of($1::bigint) AND h.id = $1::bigint AND h.kind IN ('fitting', 'trial')
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'person of a fitting', (one).person_id, (one).region FROM hit
)
SELECT s.*, i.serial, n.name AS "for.name", n.phone AS "for.phone", g.signer AS "signature.signer", g.signed_at AS "signature.at", g.strokes AS "signature.strokes"
FROM hit h CROSS JOIN LATERAL fitting_shown(h.one, NULL, NULL, NULL) AS s
JOIN device_item i ON i.plan_region = (h.one).plan_region AND i.id = (h.one).item_id
LEFT JOIN person n ON n.plan_region = (h.one).plan_region AND n.id = s.person
LEFT JOIN handover_signature g ON g.plan_region = (h.one).plan_region AND g.handover_id = s.id AND g.kind = s.kind;

-- name: trial_make :write
-- $3 request, $4 item, $5 due at, $6 happened at, $7 signature, $8 signer, $9 note
WITH answer AS (
    SELECT * FROM device_hand_over(jsonb_populate_record(NULL::handover, jsonb_build_object('kind', 'trial', 'request_id', $3::bigint,
        'due_at', $5::timestamptz, 'happened_at', $6::timestamptz, 'note', $9::text)), $4::text, $7::json, $8::text)
)

-- name: trial_keep :write
-- $3 trial, $4 if-match, $5 signature, $6 signer, $7 note
WITH answer AS (
    SELECT * FROM trial_keep($3::bigint, $4::int, $5::json, $6::text, $7::text)
)

-- name: fitting_sign :write
-- $3 fitting or trial, $4 signature, $5 signer
WITH answer AS (
    SELECT * FROM fitting_sign($3::bigint, $4::json, $5::text)
)

-- part: handovers_asked
-- $1 region, $2 measure, $3 signed or overdue, $4 after, $5 limit, $6 centre
asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow, CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4::bigint END AS after, a.centre
    FROM (SELECT CASE WHEN $1::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $1::text) END AS low,
                 CASE WHEN $1::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
                      WHERE x.code = $1::text) END AS high,
                 CASE WHEN $6::text IS NULL THEN scope_centre() ELSE (SELECT c.id FROM centre c WHERE c.code = $6::text) END AS centre) AS a
)

-- part: handover_fits
(h.region >= a.low) IS TRUE AND (h.region <= a.high) IS TRUE
      AND ($2::text IS NULL OR $2::text = (SELECT m.measure FROM device_item i JOIN device_model m ON m.code = i.model
                                           WHERE i.plan_region = h.plan_region AND i.id = h.item_id))

-- part: fitting_fits
{{handover_fits}}
      AND ($3::boolean IS NULL OR $3::boolean = EXISTS (SELECT FROM handover_signature g WHERE g.plan_region = h.plan_region AND g.handover_id = h.id
                                                        AND g.kind = h.kind))

-- part: trial_fits
{{handover_fits}} AND ($3::boolean IS NULL OR $3::boolean = (h.ended IS NULL AND h.due_at < now()))

-- part: handovers_listed
JOIN handover h ON h.plan_region = l.plan_region AND h.id = l.id CROSS JOIN LATERAL fitting_shown(h, NULL, NULL, NULL) AS s
ORDER BY s.id

-- name: fittings_of_centre :many
WITH {{handovers_asked}}
SELECT s.* FROM asked a CROSS JOIN LATERAL (
    SELECT h.plan_region, h.id FROM handover h WHERE h.centre_id = a.centre AND h.kind = 'fitting' AND h.id > a.after
      AND {{fitting_fits}} ORDER BY h.id LIMIT $5::int) AS l {{handovers_listed}};

-- name: fittings_list :many
-- In a county its places are looked through, else all of each plan's region in their order
WITH {{handovers_asked}}
SELECT s.* FROM (
    SELECT f.* FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN LATERAL (
        SELECT h.plan_region, h.id FROM handover h WHERE h.region = g.place AND h.kind = 'fitting' AND h.id > a.after
          AND {{fitting_fits}} ORDER BY h.id LIMIT $5::int) AS f WHERE a.is_narrow
    UNION ALL
    SELECT f.* FROM asked a CROSS JOIN (SELECT DISTINCT p.region FROM plan p) AS g CROSS JOIN LATERAL (
        SELECT h.plan_region, h.id FROM handover h WHERE h.plan_region = g.region AND h.id > a.after AND (h.kind = 'fitting') IS TRUE
          AND {{fitting_fits}} ORDER BY h.id LIMIT $5::int) AS f WHERE NOT a.is_narrow
    ORDER BY id LIMIT $5::int) AS l {{handovers_listed}};

-- name: trials_of_centre :many
WITH {{handovers_asked}}
SELECT s.* FROM asked a CROSS JOIN LATERAL (
    SELECT h.plan_region, h.id FROM handover h WHERE h.centre_id = a.centre AND h.kind = 'trial' AND h.id > a.after
      AND {{trial_fits}} ORDER BY h.id LIMIT $5::int) AS l {{handovers_listed}};

-- name: trials_list :many
-- In a county its places are looked through, else all of each plan's region in their order
WITH {{handovers_asked}}
SELECT s.* FROM (
    SELECT f.* FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN LATERAL (
        SELECT h.plan_region, h.id FROM handover h WHERE h.region = g.place AND h.kind = 'trial' AND h.id > a.after
          AND {{trial_fits}} ORDER BY h.id LIMIT $5::int) AS f WHERE a.is_narrow
    UNION ALL
    SELECT f.* FROM asked a CROSS JOIN (SELECT DISTINCT p.region FROM plan p) AS g CROSS JOIN LATERAL (
        SELECT h.plan_region, h.id FROM handover h WHERE h.plan_region = g.region AND h.id > a.after AND (h.kind = 'trial') IS TRUE
          AND {{trial_fits}} ORDER BY h.id LIMIT $5::int) AS f WHERE NOT a.is_narrow
    ORDER BY id LIMIT $5::int) AS l {{handovers_listed}};

-- name: fitting_receipt :one write
-- $1 fitting: what the person signs on paper; the reading is recorded
WITH hit AS (
    SELECT h.* FROM handover h WHERE h.plan_region = plan_region_of($1::bigint) AND h.id = $1::bigint AND h.kind = 'fitting'
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region) SELECT scope_account(), 'receipt of a fitting', person_id, region FROM hit
), strokes AS (
    SELECT g.signer, g.signed_at, t.at, p.at AS nth, (p.value::text)::float8 AS v
    FROM hit h JOIN handover_signature g ON g.plan_region = h.plan_region AND g.handover_id = h.id AND g.kind = h.kind
    CROSS JOIN LATERAL json_array_elements(g.strokes->'strokes') WITH ORDINALITY AS t (stroke, at)
    CROSS JOIN LATERAL json_array_elements(t.stroke) WITH ORDINALITY AS p (value, at)
), box AS (
    SELECT min(v) FILTER (WHERE nth % 2 = 1) - 5 AS x, min(v) FILTER (WHERE nth % 2 = 0) - 5 AS y,
           max(v) FILTER (WHERE nth % 2 = 1) + 5 AS right_x, max(v) FILTER (WHERE nth % 2 = 0) + 5 AS low_y, min(signer) AS signer,
           min(signed_at) AS signed_at FROM strokes
)
SELECT h.id AS number, p.name_zh AS plan_name, c.name AS centre_name, c.address AS centre_address, c.phone AS centre_phone, n.name AS person_name,
       (ARRAY['视力', '听力', '言语', '肢体', '智力', '精神', '多重'])[n.category] AS category, (ARRAY['一级', '二级', '三级', '四级'])[n.level] AS level,
       n.phone, k.name_zh AS kind, m.name_zh AS model_name, m.maker, i.code AS item, i.serial, i.grade, f.fitted_on, f.service_months, f.life_until, f.price,
       f.subsidy, f.self_paid, f.exception, h.note, sheet_account(h.account_id) AS handed_over_by,
       CASE WHEN b.signer IS NOT NULL THEN json_build_object('signer', b.signer, 'at', to_char(b.signed_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI'),
           'box', concat_ws(' ', b.x, b.y, b.right_x - b.x, b.low_y - b.y), 'strokes',
           (SELECT json_agg(json_build_object('points', l.points) ORDER BY l.at) FROM (SELECT s.at, string_agg(s.v::text, ' ' ORDER BY s.nth) AS points
            FROM strokes s GROUP BY s.at) AS l)) END AS signature
FROM hit h JOIN fitting f ON f.plan_region = h.plan_region AND f.handover_id = h.id JOIN plan p ON p.id = f.plan_id JOIN centre c ON c.id = h.centre_id
JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id JOIN device_model m ON m.code = i.model JOIN measure k ON k.code = f.measure
LEFT JOIN person n ON n.plan_region = h.plan_region AND n.id = h.person_id LEFT JOIN box b ON true;
