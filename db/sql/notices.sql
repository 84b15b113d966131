-- SPDX-License-Identifier: Apache-2.0
-- Public notices (公示) and objections to them. The rules are in migration 0016.

-- part: notice_columns
n.id, (SELECT p.code FROM plan p WHERE p.id = n.plan_id) AS plan, region_label(n.region) AS region, n.before, n.starts_on, n.ends_on,
       n.ends_on - n.starts_on + 1 AS days, n.cases,
       CASE WHEN n.cancelled_at IS NOT NULL THEN 'cancelled' WHEN n.starts_on > china_date(now()) THEN 'planned'
            WHEN n.ends_on >= china_date(now()) THEN 'running' WHEN n.id IS NOT NULL THEN 'over' END AS state,
       n.created_at, n.account_id AS account, n.cancelled_at, n.cancelled_by, n.cancel_note AS note, n.version

-- part: objection_columns
o.id, o.notice_id AS notice, o.case_id AS case, left(o.objector, 1) || CASE WHEN o.objector <> '' THEN '*' ELSE '' END AS objector, o.content, o.received_at,
       china_date(o.received_at) > (SELECT n.ends_on FROM notice n WHERE n.plan_region = o.plan_region AND n.id = o.notice_id) AS late,
       o.account_id AS account, o.created_at, o.state, o.resolved_at, o.resolved_by, o.resolution AS note, o.version

-- name: notice_publish :write
-- $3 plan, $4 region, $5 days, $6 [{case}], $7 starts on
WITH published AS MATERIALIZED (
    SELECT * FROM notice_publish($3::text, $4::text, $5::int, $6::json, $7::date)
), answer AS (
    SELECT x.verdict AS _verdict, nullif(x.unfit, '{}') AS _cases,
       {{notice_columns}}
    FROM published x LEFT JOIN LATERAL (SELECT (x.made).*) AS n ON true
)

-- name: notices_list :many
-- $1 plan, $2 region (any code it ever had): notices that touch it, $3 state, $4 after, $5 limit
SELECT {{notice_columns}},
       (SELECT count(*)::int FROM objection o WHERE o.plan_region = n.plan_region AND o.notice_id = n.id AND o.state = 'open') AS open_objections
FROM notice n
WHERE n.id > CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4::bigint END
  AND ($1::text IS NULL OR n.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
  AND ($2::text IS NULL OR EXISTS (SELECT FROM region_code x JOIN region r ON r.place = x.place JOIN region own ON own.place = n.region
       WHERE x.code = $2::text AND own.place <= r.high AND own.high >= r.place))
  AND ($3::text IS NULL OR $3::text = CASE WHEN n.cancelled_at IS NOT NULL THEN 'cancelled' WHEN n.starts_on > china_date(now()) THEN 'planned'
       WHEN n.ends_on >= china_date(now()) THEN 'running' ELSE 'over' END)
ORDER BY n.id LIMIT $5::int;

-- name: notice_get :one
SELECT {{notice_columns}},
       (SELECT count(*)::int FROM objection o WHERE o.plan_region = n.plan_region AND o.notice_id = n.id AND o.state = 'open') AS open_objections
FROM notice n WHERE n.plan_region = plan_region_of($1::bigint) AND n.id = $1::bigint;

-- name: notice_cases :many
-- As posted: masked names, no identity, no address
SELECT l.number AS id, l.case_id AS case, l.householder, region_label(l.region) AS region, l.village, l.category::int, l.level::int
FROM notice_case l
WHERE l.plan_region = plan_region_of($1::bigint) AND l.notice_id = $1::bigint AND l.number > coalesce($2::int, 0)
ORDER BY l.number LIMIT $3::int;

-- name: notice_cancel :write
-- $3 id, $4 if-match, $5 note
WITH found AS (
    SELECT * FROM notice WHERE plan_region = plan_region_of($3::bigint) AND id = $3::bigint
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN f.region NOT BETWEEN scope_low() AND scope_high() THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN f.cancelled_at IS NOT NULL THEN 'notice_cancelled' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE notice n SET cancelled_at = now(), cancelled_by = scope_account(), cancel_note = $5::text, version = n.version + 1
    FROM judged j WHERE j.verdict IS NULL AND n.plan_region = j.plan_region AND n.id = j.id AND n.version = j.version
    RETURNING n.*
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM found WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN NOT EXISTS (SELECT FROM changed) THEN 'stale' END) AS _verdict,
       {{notice_columns}}
    FROM judged j LEFT JOIN shown n ON true
)

-- name: objection_add :write key=4
-- $3 notice, $4 case, $5 objector (NULL: anonymous), $6 content, $7 received at. The case is locked: a move sees it or comes first.
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($4::bigint) AND c.id = $4::bigint FOR UPDATE
), judged AS (
    SELECT f.c, n.id AS notice_id, CASE
        WHEN n.id IS NULL THEN 'not_found'
        WHEN f.c IS NULL OR NOT EXISTS (SELECT FROM notice_case l WHERE l.plan_region = n.plan_region AND l.notice_id = n.id AND l.case_id = (f.c).id)
            THEN 'objection_case_unknown'
        WHEN n.cancelled_at IS NOT NULL THEN 'notice_cancelled'
        WHEN $7::timestamptz > now() + interval '5 minutes' OR china_date(coalesce($7::timestamptz, now())) < n.starts_on
            THEN 'objection_time_invalid' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
    LEFT JOIN notice n ON n.plan_region = plan_region_of($3::bigint) AND n.id = $3::bigint
), added AS (
    INSERT INTO objection (plan_region, id, notice_id, case_id, household_id, plan_id, objector, content, received_at, account_id)
    SELECT (c).plan_region, id_in((c).plan_region, 'objection_number'), notice_id, (c).id, (c).household_id, (c).plan_id,
           coalesce($5::text, ''), $6::text, coalesce($7::timestamptz, now()), scope_account()
    FROM judged WHERE verdict IS NULL RETURNING *
), answer AS (
    SELECT j.verdict AS _verdict,
       {{objection_columns}}
    FROM judged j LEFT JOIN added o ON true
)

-- name: objections_of_notice :many
-- $1 notice, $2 after, $3 limit; who objected is masked
SELECT {{objection_columns}}
FROM objection o
WHERE o.plan_region = plan_region_of($1::bigint) AND o.notice_id = $1::bigint AND o.id > coalesce($2::bigint, 0)
ORDER BY o.id LIMIT $3::int;

-- name: objections_of_case :many
-- $1 case, $2 after, $3 limit
SELECT {{objection_columns}}
FROM objection o
WHERE o.plan_region = plan_region_of($1::bigint) AND o.case_id = $1::bigint AND o.id > coalesce($2::bigint, 0)
ORDER BY o.id LIMIT $3::int;

-- name: objection_get :one write
-- $1 case, $2 objection: the only answer that names who objected; that it was read is recorded
WITH hit AS (
    SELECT o.*, c.region FROM objection o JOIN retrofit_case c ON c.plan_region = o.plan_region AND c.id = o.case_id
    WHERE o.plan_region = plan_region_of($1::bigint) AND o.id = $2::bigint AND o.case_id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'who objected', id, region FROM hit WHERE objector <> ''
)
SELECT id, notice_id AS notice, case_id AS case, objector, content, received_at, state, resolution AS note, version FROM hit;

-- name: objection_resolve :write key=3
-- $3 case, $4 objection, $5 if-match, $6 upheld or dismissed, $7 note. Upheld: the case is not eligible any more, unless it is done.
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint FOR UPDATE
), heard AS (
    SELECT o.* FROM objection o
    WHERE o.plan_region = plan_region_of($3::bigint) AND o.id = $4::bigint AND o.case_id = $3::bigint
), judged AS (
    SELECT f.c, h.id, h.version, CASE
        WHEN f.c IS NULL OR h.id IS NULL THEN 'not_found'
        WHEN $5::int <> h.version THEN 'stale'
        WHEN h.state <> 'open' THEN 'objection_resolved' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true LEFT JOIN heard h ON true
), changed AS (
    UPDATE objection o SET state = $6::text, resolved_at = now(), resolved_by = scope_account(), resolution = $7::text, version = o.version + 1
    FROM judged j WHERE j.verdict IS NULL AND o.plan_region = (j.c).plan_region AND o.id = j.id AND o.version = j.version
    RETURNING o.*
), unfit AS (
    UPDATE retrofit_case c SET eligible = false,
        eligibility_reasons = array_remove(c.eligibility_reasons, 'no_upheld_objection') || '{no_upheld_objection}'
    FROM changed o
    WHERE o.state = 'upheld' AND c.plan_region = o.plan_region AND c.id = o.case_id AND c.stage NOT IN ('accepted', 'closed')
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM heard WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN NOT EXISTS (SELECT FROM changed) THEN 'stale' END) AS _verdict,
       {{objection_columns}}
    FROM judged j LEFT JOIN shown o ON true
)

-- name: notice_sheet :one
-- $1 notice: the list to post, as it is frozen; nothing of it is unmasked
SELECT n.id, p.name_zh AS plan_name, p.who_counts, r.name AS region_name, n.before = 'approved' AS before_approval,
       n.ends_on - n.starts_on + 1 AS days, extract(year FROM n.starts_on)::int AS from_year, extract(month FROM n.starts_on)::int AS from_month,
       extract(day FROM n.starts_on)::int AS from_day, extract(year FROM n.ends_on)::int AS to_year, extract(month FROM n.ends_on)::int AS to_month,
       extract(day FROM n.ends_on)::int AS to_day, n.cases, n.cancelled_at IS NOT NULL AS cancelled,
       (SELECT count(*)::int FROM notice_case l WHERE l.plan_region = n.plan_region AND l.notice_id = n.id) < n.cases AS partly,
       (SELECT coalesce(json_agg(json_build_object('number', l.number, 'householder', l.householder, 'region', t.name, 'village', l.village,
            'category', (ARRAY['视力', '听力', '言语', '肢体', '智力', '精神', '多重'])[l.category],
            'level', (ARRAY['一级', '二级', '三级', '四级'])[l.level]) ORDER BY l.number), '[]')
        FROM notice_case l JOIN region t ON t.place = l.region WHERE l.plan_region = n.plan_region AND l.notice_id = n.id) AS items
FROM notice n JOIN plan p ON p.id = n.plan_id JOIN region r ON r.place = n.region
WHERE n.plan_region = plan_region_of($1::bigint) AND n.id = $1::bigint;
