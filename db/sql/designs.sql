-- SPDX-License-Identifier: Apache-2.0
-- The design of a case (一户一方案): items, subsidies, change orders; where subsidies come from. The rules are in migration 0018.

-- name: case_design_get :one
SELECT d.* FROM retrofit_case c CROSS JOIN LATERAL design_show(c, NULL, NULL, NULL) AS d
WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint;

-- name: case_design_put :write key=3
-- $3 case, $4 if-match (of the design), $5 items, $6 sources, $7 dropped, $8 note
WITH answer AS (
    SELECT * FROM design_put($3::bigint, $4::int, $5::json, $6::json, $7::json, $8::text)
)

-- name: change_order_propose :write key=3
-- $3 case, $4 reason, $5 items, $6 sources, $7 dropped
WITH answer AS (
    SELECT * FROM change_order_propose($3::bigint, $4::text, $5::json, $6::json, $7::json)
)

-- name: change_order_decide :write
-- $3 change order, $4 if-match, $5 approve or reject, $6 note
WITH answer AS (
    SELECT * FROM change_order_decide($3::bigint, $4::int, $5::text, $6::text)
)

-- name: change_orders_of_case :many
SELECT s.* FROM change_order o CROSS JOIN LATERAL change_order_show(o, NULL, NULL, NULL) AS s
WHERE o.plan_region = plan_region_of($1::bigint) AND o.case_id = $1::bigint AND o.id > coalesce($2::bigint, 0)
ORDER BY o.id LIMIT $3::int;

-- name: change_orders_pending :many
-- Those that wait for somebody to decide
SELECT s.* FROM change_order o CROSS JOIN LATERAL change_order_show(o, NULL, NULL, NULL) AS s
WHERE o.state = 'pending' AND o.id > CASE WHEN $1::bigint IS NULL THEN 0 ELSE $1::bigint END
ORDER BY o.id LIMIT $2::int;

-- part: source_columns
s.code, s.name_zh, s.name_ko, s.name_en, s.ceiling, s.retired_at IS NOT NULL AS retired

-- part: budgets
(SELECT coalesce(json_agg(json_build_object('region', region_label(b.county), 'year', b.year, 'amount', b.amount) ORDER BY b.county, b.year), '[]')
        FROM subsidy_budget b WHERE b.plan_id = s.plan_id AND b.source = s.code) AS budgets

-- name: subsidy_sources_list :many
-- $1 plan, $2 after, $3 limit
SELECT {{source_columns}},
       {{budgets}}, s.version
FROM subsidy_source s WHERE s.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text) AND s.code > coalesce($2::text, '')
ORDER BY s.code LIMIT $3::int;

-- name: subsidy_source_create :write
-- $3 plan, $4 code, $5-$7 names, $8 ceiling
WITH given AS (
    SELECT p.id, CASE
        WHEN p.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(p.region), false) THEN 'region_foreign'
        WHEN $4::text !~ '^[a-z][a-z0-9_]{1,47}$' OR $4::text = 'household' THEN 'code_invalid'
        WHEN EXISTS (SELECT FROM subsidy_source s WHERE s.plan_id = p.id AND s.code = $4::text) THEN 'source_taken' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN plan p ON p.code = $3::text
), made AS (
    INSERT INTO subsidy_source (plan_id, code, name_zh, name_ko, name_en, ceiling)
    SELECT g.id, $4::text, $5::text, coalesce($6::text, $5::text), coalesce($7::text, $5::text), $8::bigint
    FROM given g WHERE g.verdict IS NULL RETURNING *
), answer AS (
    SELECT g.verdict AS _verdict, {{source_columns}}, s.version
    FROM given g LEFT JOIN made s ON true
)

-- name: subsidy_source_change :write
-- $3 plan, $4 source, $5 if-match, $6-$8 names, $9 ceiling, $10 retired
WITH found AS (
    SELECT s.*, p.region FROM plan p JOIN subsidy_source s ON s.plan_id = p.id AND s.code = $4::text WHERE p.code = $3::text
), judged AS (
    SELECT f.plan_id, CASE
        WHEN f.code IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $5::int <> f.version THEN 'stale' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE subsidy_source s SET version = s.version + 1, name_zh = coalesce($6::text, s.name_zh), name_ko = coalesce($7::text, s.name_ko),
        name_en = coalesce($8::text, s.name_en), ceiling = coalesce($9::bigint, s.ceiling),
        retired_at = CASE WHEN $10::boolean IS NULL THEN s.retired_at WHEN $10::boolean THEN coalesce(s.retired_at, now()) END
    FROM judged j WHERE j.verdict IS NULL AND s.plan_id = j.plan_id AND s.code = $4::text AND ($5::int IS NULL OR s.version = $5::int)
    RETURNING s.plan_id, s.code, s.name_zh, s.name_ko, s.name_en, s.ceiling, s.retired_at, s.version
), shown AS (
    SELECT * FROM changed UNION ALL
    SELECT f.plan_id, f.code, f.name_zh, f.name_ko, f.name_en, f.ceiling, f.retired_at, f.version FROM found f WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN NOT EXISTS (SELECT FROM changed) THEN 'stale' END) AS _verdict, {{source_columns}}, s.version
    FROM judged j LEFT JOIN shown s ON true
)

-- name: subsidy_budgets_put :write
-- $3 plan, $4 source, $5 if-match (of the source), $6 [{region, year, amount}]: replaces them all
WITH found AS (
    SELECT s.plan_id, s.code, s.version, p.region, top.high FROM plan p JOIN region top ON top.place = p.region
    JOIN subsidy_source s ON s.plan_id = p.id AND s.code = $4::text WHERE p.code = $3::text
), given AS (
    SELECT region_of(g.region) AS county, g.year, g.amount FROM json_to_recordset($6::json) AS g (region text, year smallint, amount bigint)
), judged AS (
    SELECT f.*, CASE
        WHEN f.code IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $5::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM given g WHERE g.county IS NULL) THEN 'region_unknown'
        WHEN EXISTS (SELECT FROM given g WHERE g.county % 1000 <> 0 OR g.county NOT BETWEEN f.region AND f.high) THEN 'region_not_within'
        WHEN (SELECT count(*) <> count(DISTINCT (g.county, g.year)) FROM given g) THEN 'budget_twice' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), removed AS (
    DELETE FROM subsidy_budget b USING judged j WHERE j.verdict IS NULL AND b.plan_id = j.plan_id AND b.source = j.code
        AND NOT EXISTS (SELECT FROM given g WHERE g.county = b.county AND g.year = b.year)
), put AS (
    INSERT INTO subsidy_budget AS b (plan_id, source, county, year, amount)
    SELECT j.plan_id, j.code, g.county, g.year, g.amount FROM judged j, given g WHERE j.verdict IS NULL
    ON CONFLICT (plan_id, source, county, year) DO UPDATE SET amount = excluded.amount RETURNING 1
), raised AS (
    UPDATE subsidy_source s SET version = s.version + 1 FROM judged j
    WHERE j.verdict IS NULL AND s.plan_id = j.plan_id AND s.code = j.code RETURNING s.version
), answer AS (
    SELECT j.verdict AS _verdict, '/items' AS _field, j.code, (SELECT count(*)::int FROM put) AS budgets, coalesce(r.version, j.version) AS version
    FROM judged j LEFT JOIN raised r ON true
)

-- part: home
-- $1 case. Names and address in clear, for paper: that they were read is recorded in the same transaction.
WITH home AS (
    SELECT c AS whole, c.*, h.address, h.hardship FROM retrofit_case c
    JOIN household h ON h.plan_region = c.plan_region AND h.id = c.household_id
    WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
)

-- part: head
c.household_number, p.name_zh AS plan_name, r.name AS region_name, c.village, c.address, c.hardship, sheet_persons(c.whole) AS persons,
       (SELECT k.name FROM contractor k WHERE k.id = c.contractor_id) AS contractor_name, to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS printed_on

-- name: case_plan_sheet :one write
-- (A contractor sees no survey: its sheet says nothing of problems.)
{{home}}, noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'plan sheet of a case', $1::bigint, c.region FROM home c
)
SELECT {{head}},
       ledger_account(coalesce(c.resume_stage, c.stage)) IS NULL AS draft, d.total, d.subsidy, d.self_paid, d.note, d.version,
       sheet_account(d.account_id) AS designed_by, to_char(d.updated_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS designed_on,
       (SELECT coalesce(json_agg(json_build_object('number', i.number, 'room', m.name_zh, 'problem', b.name_zh, 'name', i.name, 'unit', i.unit,
            'quantity', trim_scale(i.quantity), 'price', i.price, 'amount', design_amount(i.quantity, i.price)) ORDER BY m.position, i.number), '[]')
        FROM case_item i LEFT JOIN room m ON m.code = i.room
        LEFT JOIN survey_finding f ON f.plan_region = i.plan_region AND f.case_id = i.case_id AND f.number = i.finding
        LEFT JOIN problem b ON b.code = f.problem
        WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL) AS items,
       design_sources_now(c.whole) AS sources,
       (SELECT coalesce(json_agg(json_build_object('room', m.name_zh, 'problem', b.name_zh, 'reason', x.reason) ORDER BY x.finding), '[]')
        FROM case_dropped x JOIN survey_finding f ON f.plan_region = x.plan_region AND f.case_id = x.case_id AND f.number = x.finding
        JOIN room m ON m.code = f.room JOIN problem b ON b.code = f.problem
        WHERE x.plan_region = c.plan_region AND x.case_id = c.id) AS dropped
FROM home c JOIN plan p ON p.id = c.plan_id JOIN region r ON r.place = c.region
LEFT JOIN case_design d ON d.plan_region = c.plan_region AND d.case_id = c.id;

-- name: case_acceptance_sheet :one write
-- The last inspection; before there is one, the form to be filled in on the spot.
{{home}}, noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'acceptance sheet of a case', $1::bigint, c.region FROM home c
), last AS (
    SELECT i.* FROM inspection i WHERE i.plan_region = plan_region_of($1::bigint) AND i.case_id = $1::bigint ORDER BY i.number DESC LIMIT 1
)
SELECT {{head}},
       l.number AS inspection, l.result = 'pass' AS passed, l.result = 'rework' AS rework, to_char(l.deadline, 'YYYY-MM-DD') AS deadline,
       l.satisfaction, l.note, sheet_account(l.account_id) AS inspected_by,
       to_char(l.inspected_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI') AS inspected_at,
       (SELECT '/api/v1/photos/' || u.id FROM case_photo u WHERE u.plan_region = l.plan_region AND u.id = l.signature AND u.removed_at IS NULL
            AND scope_contractor() IS NULL) AS signature,
       (SELECT coalesce(json_agg(json_build_object('number', i.number, 'room', m.name_zh, 'name', i.name, 'unit', i.unit,
            'quantity', trim_scale(i.quantity), 'measured', trim_scale(n.measured) || ' ' || i.unit, 'fault', n.fault) ORDER BY m.position, i.number), '[]')
        FROM case_item i LEFT JOIN room m ON m.code = i.room
        LEFT JOIN inspection_item n ON n.plan_region = i.plan_region AND n.case_id = i.case_id AND n.inspection = l.number AND n.item = i.number
        WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL) AS items,
       sheet_photos(c.whole) AS photos
FROM home c JOIN plan p ON p.id = c.plan_id JOIN region r ON r.place = c.region LEFT JOIN last l ON true;
