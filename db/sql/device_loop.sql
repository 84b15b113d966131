-- SPDX-License-Identifier: Apache-2.0
-- The loop: returns, disinfections, inspections, repairs, recyclings. Their rules are in migrations 0031 and 0038.

-- name: device_return :write
-- $3 item, $4 condition, $5 note, $6 happened at
WITH answer AS (
    SELECT * FROM device_return($3::text, $4::text, $5::text, $6::timestamptz)
)

-- name: device_unreturn :write
-- $3 item
WITH answer AS (
    SELECT * FROM device_unreturn($3::text)
)

-- name: disinfection_methods :many
SELECT m.method, m.agent, m.name_zh, m.name_ko, m.name_en, m.minutes, m.source, m.retired_at IS NOT NULL AS retired, m.version
FROM disinfection_method m ORDER BY m.method, m.agent;

-- name: disinfection_method_put :write
-- $3 method, $4 agent, $5 if-match, $6 to $8 names, $9 minutes, $10 source, $11 retired
WITH judged AS (
    SELECT CASE WHEN $3::text !~ '^[a-z][a-z0-9_]{0,31}$' OR $4::text !~ '^[a-z][a-z0-9_]{0,31}$' THEN 'not_found'
        WHEN scope_role() <> 'admin' THEN 'role_not_allowed'
        WHEN $5::int <> coalesce((SELECT m.version FROM disinfection_method m WHERE m.method = $3::text AND m.agent = $4::text), 0) THEN 'stale' END AS verdict
), put AS (
    INSERT INTO disinfection_method AS m (method, agent, name_zh, name_ko, name_en, minutes, source, retired_at)
    SELECT $3::text, $4::text, $6::text, coalesce($7::text, $6::text), coalesce($8::text, $6::text), $9::int, coalesce($10::text, ''),
        CASE WHEN $11::boolean THEN now() END FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (method, agent) DO UPDATE SET name_zh = excluded.name_zh, name_ko = excluded.name_ko, name_en = excluded.name_en,
        minutes = excluded.minutes, source = excluded.source, retired_at = excluded.retired_at, version = m.version + 1
        WHERE $5::int IS NULL OR m.version = $5::int
    RETURNING m.*
), shown AS (
    SELECT p.* FROM put p UNION ALL SELECT m.* FROM disinfection_method m WHERE m.method = $3::text AND m.agent = $4::text AND NOT EXISTS (SELECT FROM put)
), answer AS (
    SELECT CASE WHEN j.verdict IS NULL AND NOT EXISTS (SELECT FROM put) THEN 'stale' ELSE j.verdict END AS _verdict, s.method, s.agent, s.name_zh,
           s.name_ko, s.name_en, s.minutes, s.source, s.retired_at IS NOT NULL AS retired, s.version
    FROM judged j LEFT JOIN shown s ON true
)

-- name: disinfection_begin :write
-- $3 items, $4 method, $5 agent, $6 began at, $7 ended at, $8 note
WITH answer AS (
    SELECT * FROM disinfection_begin($3::json, $4::text, $5::text, $6::timestamptz, $7::timestamptz, $8::text)
)

-- name: disinfection_add :write
-- $3 disinfection, $4 items, $5 happened at
WITH answer AS (
    SELECT * FROM disinfection_add($3::bigint, $4::json, $5::timestamptz)
)

-- name: disinfection_end :write
-- $3 disinfection, $4 if-match, $5 ended at, $6 failed, $7 note
WITH answer AS (
    SELECT * FROM disinfection_end($3::bigint, $4::int, $5::timestamptz, $6::json, $7::text)
)

-- name: disinfection_get :one
-- $1 disinfection
SELECT s.id, s.centre, s.method, s.agent, s.least_minutes, s.began_at, s.ended_at, s.items, s.note, s.account, s.version
FROM device_disinfection d CROSS JOIN LATERAL disinfection_shown(d, NULL, NULL, NULL) AS s
WHERE d.plan_region = plan_region_of($1::bigint) AND d.id = $1::bigint;

-- part: disinfection_before
CASE WHEN $3::bigint IS NULL THEN 9223372036854775807 ELSE $3::bigint END

-- name: disinfections_list :many
-- $1 centre, $2 running, $3 after, $4 limit: the newest first. Of each centre at most a page is read; those that run have an index of theirs.
SELECT d.id, c.code AS centre, d.method, d.agent, d.least_minutes, d.began_at, d.ended_at, n.items, d.note, d.account_id AS account, d.version
FROM centre c CROSS JOIN LATERAL (
    (SELECT d.* FROM device_disinfection d WHERE $2::boolean IS TRUE AND d.centre_id = c.id AND d.ended_at IS NULL AND d.id < {{disinfection_before}}
     ORDER BY d.id DESC LIMIT $4::int)
    UNION ALL
    (SELECT d.* FROM device_disinfection d WHERE $2::boolean IS NOT TRUE AND d.centre_id = c.id AND ($2::boolean IS NULL OR d.ended_at IS NOT NULL)
       AND d.id < {{disinfection_before}}
     ORDER BY d.id DESC LIMIT $4::int)) AS d
CROSS JOIN LATERAL (SELECT count(*) AS items FROM device_event e
    WHERE e.plan_region = d.plan_region AND e.reference = d.id AND e.action = 'disinfect') AS n
WHERE c.plan_region IS NOT NULL AND ($1::text IS NULL OR c.code = $1::text) AND CASE scope_role() WHEN 'centre' THEN c.id = scope_centre()
    ELSE c.region BETWEEN scope_low() AND scope_high() END
ORDER BY d.id DESC LIMIT $4::int;

-- name: device_checklists :many
-- Of each kind the newest
SELECT DISTINCT ON (c.measure) c.measure, c.points, c.created_at, c.version FROM device_checklist c ORDER BY c.measure, c.version DESC;

-- name: device_checklist_get :one
-- $1 kind, or default: what is asked of it now
SELECT (k).measure AS checklist_of, (k).points, (k).created_at, (k).version
FROM device_checklist_of($1::text) AS k
WHERE $1::text = 'default' OR EXISTS (SELECT FROM measure m WHERE m.code = $1::text AND m.kind = 'device');

-- name: device_checklist_put :write
-- $3 kind, or default, $4 if-match (0: it has none of its own yet), $5 points
WITH found AS (
    SELECT c.* FROM device_checklist c WHERE c.measure = $3::text ORDER BY c.version DESC LIMIT 1
), judged AS (
    SELECT CASE WHEN $3::text <> 'default' AND NOT EXISTS (SELECT FROM measure m WHERE m.code = $3::text AND m.kind = 'device') THEN 'not_found'
        WHEN scope_role() <> 'admin' THEN 'role_not_allowed'
        WHEN $4::int <> coalesce((SELECT f.version FROM found f), 0) THEN 'stale'
        WHEN json_array_length($5::json) = 0 THEN 'list_empty'
        WHEN (SELECT count(*) <> count(DISTINCT p.code) FROM json_to_recordset($5::json) AS p (code text)) THEN 'point_twice' END AS verdict
), put AS (
    INSERT INTO device_checklist (measure, version, points, account_id)
    SELECT $3::text, coalesce((SELECT f.version FROM found f), 0) + 1, (SELECT json_agg(json_build_object('code', p.code, 'name_zh', p.name_zh,
        'name_ko', coalesce(p.name_ko, p.name_zh), 'name_en', coalesce(p.name_en, p.name_zh), 'essential', p.essential) ORDER BY p.number)
        FROM ROWS FROM (json_to_recordset($5::json) AS (code text, name_zh text, name_ko text, name_en text, essential boolean)) WITH ORDINALITY
            AS p (code, name_zh, name_ko, name_en, essential, number)), scope_account()
    FROM judged j WHERE j.verdict IS NULL ON CONFLICT DO NOTHING RETURNING *
), shown AS (
    SELECT p.* FROM put p UNION ALL SELECT f.* FROM found f WHERE NOT EXISTS (SELECT FROM put)
), answer AS (
    SELECT CASE WHEN j.verdict IS NULL AND NOT EXISTS (SELECT FROM put) THEN 'stale' ELSE j.verdict END AS _verdict,
           '/points' AS _field, s.measure AS checklist_of, s.points, s.created_at, s.version
    FROM judged j LEFT JOIN shown s ON true
)

-- name: device_inspect :write
-- $3 item, $4 checklist, $5 all ok, $6 grade, $7 result, $8 note, $9 happened at
WITH answer AS (
    SELECT * FROM device_inspect($3::text, $4::json, $5::boolean, $6::text, $7::text, $8::text, $9::timestamptz)
)

-- name: device_inspections_of_item :many
-- $1 item (its label's code or its id), $2 after, $3 limit: the last first
SELECT s.id, s.happened_at, s.result, s.grade, s.checklist_of, s.checklist_version, s.checklist, s.repair_id AS repair, s.note, s.account_id AS account
FROM device_found($1::text) AS i JOIN device_inspection s ON s.plan_region = i.plan_region AND s.item_id = i.id
WHERE s.id < CASE WHEN $2::bigint IS NULL THEN 9223372036854775807 ELSE $2::bigint END
ORDER BY s.id DESC LIMIT $3::int;
