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
       coalesce((SELECT d.items FROM device_measurement d WHERE d.measure = s.measure), '[]')::json AS to_measure
FROM hit h CROSS JOIN LATERAL device_request_shown(h.one, NULL, NULL, NULL) AS s CROSS JOIN LATERAL device_request_person(h.one) AS o;

-- name: device_assess :write
-- $3 request, $4 if-match, $5 happened at, $6 outcome, $7 for, $8 kind, $9 changes, $10 reason, $11 reassess on, $12 measurements, $13 note
WITH answer AS (
    SELECT s.* FROM device_assess($3::bigint, $4::int, (NULL, NULL, NULL, NULL, NULL, $5::timestamptz, NULL, $6::text, $7::text, NULL, $8::text,
        coalesce($9::text, ''), coalesce($10::text, ''), $11::date, NULL, coalesce($13::text, ''), NULL, NULL)::device_assessment,
        coalesce($12::json, '[]')) AS s
)
