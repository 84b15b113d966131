-- SPDX-License-Identifier: Apache-2.0
-- Plans, indicators, the split of targets.

-- part: plan
SELECT p.code, p.name_zh, p.name_ko, p.name_en, r.code AS region, r.name AS region_name, p.begins_on, p.ends_on,
       p.who_counts, p.eligibility, p.notice_days, p.notice_before, p.subsidy_ceiling, p.looks_within::int AS looks_within,
       (SELECT i.target::int FROM indicator i WHERE i.plan_id = p.id AND i.code = 'households') AS target,
       (SELECT json_agg(json_build_object('code', i.code, 'name_zh', i.name_zh, 'name_ko', i.name_ko, 'name_en', i.name_en,
            'unit', i.unit, 'target', i.target::float8, 'direction', i.direction, 'per', i.per, 'binding', i.binding, 'counts', i.counts, 'measure', i.measure,
            'baseline', i.baseline::float8, 'baseline_period', i.baseline_period, 'version', i.version) ORDER BY i.code)
        FROM indicator i WHERE i.plan_id = p.id) AS indicators, p.version

-- name: plans_list :many stale
{{plan}}
FROM plan p JOIN region r ON r.place = p.region
WHERE p.code > coalesce($1::text, '') ORDER BY p.code LIMIT $2::int;

-- name: plan_get :one stale
{{plan}}
FROM plan p JOIN region r ON r.place = p.region WHERE p.code = $1::text;

-- name: plan_create :write
-- $3 code, $4-$6 names, $7 region, $8 begins, $9 ends, $10 who counts, $11 eligibility, $12 notice days, $13 ceiling, $14 notice before
WITH given AS (
    SELECT region_of($7::text) AS place, CASE
        WHEN $3::text !~ '^[a-z][a-z0-9_-]{1,31}$' THEN 'code_invalid'
        WHEN region_of($7::text) IS NULL THEN 'region_unknown'
        WHEN NOT coalesce(scope_manages(region_of($7::text)), false) THEN 'region_foreign'
        WHEN $8::date > $9::date THEN 'period_backwards'
        WHEN EXISTS (SELECT FROM plan WHERE code = $3::text) THEN 'plan_taken' END AS verdict
), made AS (
    INSERT INTO plan (code, name_zh, name_ko, name_en, region, begins_on, ends_on, who_counts, eligibility, notice_days, subsidy_ceiling, notice_before)
    SELECT $3::text, $4::text, coalesce($5::text, $4::text), coalesce($6::text, $4::text), place, $8::date, $9::date,
           $10::text, $11::text, coalesce($12::int, 0), $13::bigint, coalesce($14::text, 'surveyed')
    FROM given WHERE verdict IS NULL RETURNING *
), answer AS (
    SELECT g.verdict AS _verdict, m.code, m.name_zh, m.name_ko, m.name_en, region_label(m.region) AS region, m.begins_on,
           m.ends_on, m.who_counts, m.eligibility, m.notice_days, m.notice_before, m.subsidy_ceiling, m.version
    FROM given g LEFT JOIN made m ON true
)

-- name: plan_change :write
-- $3 code, $4 if-match, $5-$7 names, $8 begins, $9 ends, $10 who counts, $11 eligibility, $12 notice days, $13 ceiling, $14 notice before, $15 looks within
WITH found AS (
    SELECT * FROM plan WHERE code = $3::text
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN coalesce($8::date, f.begins_on) > coalesce($9::date, f.ends_on) THEN 'period_backwards' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE plan p SET version = p.version + 1, name_zh = coalesce($5::text, p.name_zh), name_ko = coalesce($6::text, p.name_ko),
        name_en = coalesce($7::text, p.name_en), begins_on = coalesce($8::date, p.begins_on), ends_on = coalesce($9::date, p.ends_on),
        who_counts = coalesce($10::text, p.who_counts), eligibility = coalesce($11::text, p.eligibility),
        notice_days = coalesce($12::int, p.notice_days), subsidy_ceiling = coalesce($13::bigint, p.subsidy_ceiling),
        notice_before = coalesce($14::text, p.notice_before),
        looks_within = coalesce($15::int, p.looks_within)
    FROM judged j WHERE j.verdict IS NULL AND p.id = j.id AND p.version = j.version RETURNING p.*
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM found WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN NOT EXISTS (SELECT FROM changed) THEN 'stale' END) AS _verdict, s.code, s.name_zh,
           s.name_ko, s.name_en, region_label(s.region) AS region, s.begins_on, s.ends_on, s.who_counts, s.eligibility,
           s.notice_days, s.notice_before, s.subsidy_ceiling, s.looks_within::int AS looks_within, s.version
    FROM judged j LEFT JOIN shown s ON true
)

-- name: indicator_put :write
-- $3 plan, $4 indicator, $5-$7 names, $8 unit, $9 target, $10 direction, $11 per, $12 binding, $13 if-match,
-- $14 what it counts (NULL: as it is, or as its code means), $15 of which kind of device
WITH found AS (
    SELECT p.id, p.region, i.version, i.unit, i.per FROM plan p
    LEFT JOIN indicator i ON i.plan_id = p.id AND i.code = $4::text WHERE p.code = $3::text
), judged AS (
    SELECT f.id, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $4::text !~ '^[a-z][a-z0-9_]{1,47}$' THEN 'code_invalid'
        WHEN $13::int <> f.version THEN 'stale'
        WHEN $8::text <> f.unit OR $11::text <> f.per THEN 'indicator_fixed'
        WHEN $14::text LIKE 'served%' AND $11::text <> 'year' THEN 'counts_by_year'
        WHEN $15::text IS NOT NULL AND $14::text IS DISTINCT FROM 'devices' THEN 'counts_no_kind'
        WHEN $15::text IS NOT NULL AND NOT EXISTS (SELECT FROM measure m WHERE m.code = $15::text AND m.kind = 'device') THEN 'measure_unknown'
        WHEN (SELECT max(s.total) FROM (SELECT sum(value) FILTER (WHERE year = 0) AS total FROM target_split
                  WHERE plan_id = f.id AND indicator = $4::text
              UNION ALL SELECT sum(value) FILTER (WHERE county = 0) FROM target_split
                  WHERE plan_id = f.id AND indicator = $4::text) AS s) > $9::float8 THEN 'split_exceeds_target' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), put AS (
    INSERT INTO indicator AS i (plan_id, code, name_zh, name_ko, name_en, unit, target, direction, per, binding, counts, measure)
    SELECT id, $4::text, $5::text, coalesce($6::text, $5::text), coalesce($7::text, $5::text), $8::text, $9::float8::numeric,
           $10::text, $11::text, coalesce($12::boolean, false), $14::text, $15::text
    FROM judged WHERE verdict IS NULL
    ON CONFLICT (plan_id, code) DO UPDATE SET name_zh = excluded.name_zh, name_ko = excluded.name_ko, name_en = excluded.name_en,
        target = excluded.target, direction = excluded.direction, binding = excluded.binding, version = i.version + 1,
        counts = CASE WHEN $14::text IS NULL THEN i.counts ELSE $14::text END, measure = CASE WHEN $14::text IS NULL THEN i.measure ELSE $15::text END
    RETURNING i.*
), answer AS (
    SELECT j.verdict AS _verdict, CASE j.verdict WHEN 'measure_unknown' THEN '/measure' END AS _field, p.code, p.name_zh, p.name_ko, p.name_en, p.unit, p.target::float8 AS target, p.direction,
           p.per, p.binding, p.counts, p.measure, p.version
    FROM judged j LEFT JOIN put p ON true
)

-- part: years
-- An indicator that is due every year is due as often as its plan has years.
CASE i.per WHEN 'year' THEN (extract(year FROM p.ends_on) - extract(year FROM p.begins_on) + 1)::int ELSE 1 END

-- name: targets_get :many stale
-- One row an indicator: its target, how much of it is split by county and by year, what remains, the split itself.
SELECT i.code AS indicator, i.target::float8 AS target,
       coalesce(sum(s.value) FILTER (WHERE s.year = 0), 0)::int AS "by_county.split",
       i.target::float8 - coalesce(sum(s.value) FILTER (WHERE s.year = 0), 0)::int AS "by_county.remainder",
       coalesce(sum(s.value) FILTER (WHERE s.county = 0), 0)::int AS "by_year.split",
       i.target::float8 * {{years}} - coalesce(sum(s.value) FILTER (WHERE s.county = 0), 0)::int AS "by_year.remainder",
       coalesce(json_agg(json_strip_nulls(json_build_object('region', region_label(nullif(s.county, 0)),
            'year', nullif(s.year, 0), 'value', s.value)) ORDER BY s.county, s.year) FILTER (WHERE s.value IS NOT NULL), '[]') AS split,
       i.version
FROM plan p JOIN indicator i ON i.plan_id = p.id
LEFT JOIN target_split s ON s.plan_id = i.plan_id AND s.indicator = i.code
WHERE p.code = $1::text GROUP BY p.id, i.plan_id, i.code ORDER BY i.code;

-- name: targets_put :write
-- $3 plan, $4 indicator, $5 if-match (of the indicator), $6 [{region?, year?, value}]: replaces the whole split
WITH found AS (
    SELECT p.id, p.region, r.high, i.version, i.target, {{years}} AS years
    FROM plan p JOIN region r ON r.place = p.region JOIN indicator i ON i.plan_id = p.id
    WHERE p.code = $3::text AND i.code = $4::text
), given AS (
    SELECT coalesce(region_of(g.region), CASE WHEN g.region IS NULL THEN 0 ELSE -1 END) AS county, coalesce(g.year, 0) AS year, g.value
    FROM json_to_recordset($6::json) AS g (region text, year smallint, value int)
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $5::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM given g WHERE g.county = -1) THEN 'region_unknown'
        WHEN EXISTS (SELECT FROM given g WHERE g.county <> 0 AND (g.county % 1000 <> 0 OR g.county NOT BETWEEN f.region AND f.high))
            THEN 'region_not_within'
        WHEN EXISTS (SELECT FROM given g WHERE g.county = 0 AND g.year = 0) THEN 'split_without_key'
        WHEN (SELECT count(*) <> count(DISTINCT (g.county, g.year)) FROM given g) THEN 'split_twice'
        WHEN (SELECT coalesce(sum(g.value) FILTER (WHERE g.year = 0), 0) > f.target
                  OR coalesce(max(g.value), 0) > f.target
                  OR coalesce(sum(g.value) FILTER (WHERE g.county = 0), 0) > f.target * f.years
                  OR coalesce(sum(g.value) FILTER (WHERE g.county <> 0 AND g.year <> 0), 0) > f.target * f.years FROM given g) THEN 'split_exceeds_target'
        WHEN EXISTS (SELECT FROM given a JOIN given b ON b.county = a.county AND b.year <> 0
                     WHERE a.county <> 0 AND a.year = 0 GROUP BY a.county, a.value HAVING sum(b.value) > a.value * f.years)
            OR EXISTS (SELECT FROM given a JOIN given b ON b.year = a.year AND b.county <> 0
                     WHERE a.county = 0 AND a.year <> 0 GROUP BY a.year, a.value HAVING sum(b.value) > a.value)
            THEN 'split_exceeds_target' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), removed AS (
    DELETE FROM target_split s USING judged j WHERE j.verdict IS NULL AND s.plan_id = j.id AND s.indicator = $4::text
        AND NOT EXISTS (SELECT FROM given g WHERE g.county = s.county AND g.year = s.year)
), put AS (
    INSERT INTO target_split AS s (plan_id, indicator, county, year, value)
    SELECT j.id, $4::text, g.county, g.year, g.value FROM judged j, given g WHERE j.verdict IS NULL
    ON CONFLICT (plan_id, indicator, county, year) DO UPDATE SET value = excluded.value
    RETURNING s.county, s.year, s.value
), raised AS (
    UPDATE indicator i SET version = i.version + 1 FROM judged j
    WHERE j.verdict IS NULL AND i.plan_id = j.id AND i.code = $4::text RETURNING i.version, i.target
), answer AS (
    SELECT j.verdict AS _verdict, $4::text AS indicator, coalesce(r.target, j.target)::float8 AS target,
           coalesce((SELECT sum(value) FILTER (WHERE year = 0) FROM put), 0)::int AS "by_county.split",
           (r.target - coalesce((SELECT sum(value) FILTER (WHERE year = 0) FROM put), 0))::float8 AS "by_county.remainder",
           coalesce((SELECT sum(value) FILTER (WHERE county = 0) FROM put), 0)::int AS "by_year.split",
           (r.target * j.years - coalesce((SELECT sum(value) FILTER (WHERE county = 0) FROM put), 0))::float8 AS "by_year.remainder",
           coalesce(r.version, j.version) AS version
    FROM judged j LEFT JOIN raised r ON true
)

-- name: plan_gates :many
-- $1 plan: every gate, whether it is closed for the plan, and who changed that last and why
SELECT g.code, g.stages, g.code = ANY (p.gates) AS closed, e.at AS changed_at, e.account_id AS changed_by, e.note
FROM plan p CROSS JOIN case_gate g LEFT JOIN LATERAL (
    SELECT e.* FROM plan_gate_event e WHERE e.plan_id = p.id AND e.gate = g.code ORDER BY e.id DESC LIMIT 1) AS e ON true
WHERE p.code = $1::text ORDER BY g.position;

-- name: plan_gate_put :write
-- $3 plan, $4 gate, $5 closed, $6 note
WITH judged AS (
    SELECT p.id, g.code, CASE WHEN p.id IS NULL OR g.code IS NULL OR NOT coalesce(scope_manages(p.region), false) THEN 'not_found' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN plan p ON p.code = $3::text LEFT JOIN case_gate g ON g.code = $4::text
), changed AS (
    UPDATE plan p SET version = p.version + 1,
        gates = CASE WHEN $5::boolean THEN array_remove(p.gates, j.code) || j.code ELSE array_remove(p.gates, j.code) END
    FROM judged j WHERE j.verdict IS NULL AND p.id = j.id RETURNING p.id
), noted AS (
    INSERT INTO plan_gate_event (plan_id, gate, closed, note, account_id)
    SELECT c.id, j.code, $5::boolean, $6::text, scope_account() FROM changed c CROSS JOIN judged j
    RETURNING at, account_id
), answer AS (
    SELECT j.verdict AS _verdict, g.code, g.stages, $5::boolean AS closed, n.at AS changed_at, n.account_id AS changed_by, $6::text AS note
    FROM judged j LEFT JOIN case_gate g ON g.code = j.code LEFT JOIN noted n ON true
)
