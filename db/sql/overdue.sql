-- SPDX-License-Identifier: Apache-2.0
-- Time limits in working days: holidays, the limits of a plan, what is past them, and how old cases are. See migration 0024.

-- name: load_holidays :one start
-- $1: the text of db/data/holidays.json. A year of which anything is there belongs to its administrators.
WITH given AS (
    SELECT g.* FROM json_to_recordset($1::json) AS g (year int, notice text, rest json, work json)
    WHERE NOT EXISTS (SELECT FROM holiday h WHERE h.day BETWEEN make_date(g.year, 1, 2) AND make_date(g.year, 12, 30))
), days AS (
    SELECT d::date AS day, false AS works, r.name, g.notice
    FROM given g, json_to_recordset(g.rest) AS r (name text, first date, last date), generate_series(r.first, r.last, interval '1 day') AS d
    UNION ALL
    SELECT w.day, true, w.name, g.notice FROM given g, json_to_recordset(g.work) AS w (name text, day date)
), added AS (
    INSERT INTO holiday (day, works, name, source) SELECT * FROM days ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) AS added FROM added;

-- name: holidays_list :many
-- $1 year, $2 after (the day as a number, 20260101), $3 limit
SELECT to_char(h.day, 'YYYYMMDD')::int AS id, h.day, h.works, h.name, h.source, h.version
FROM holiday h
WHERE ($1::int IS NULL OR h.day BETWEEN make_date($1::int, 1, 1) AND make_date($1::int, 12, 31))
  AND to_char(h.day, 'YYYYMMDD')::bigint > coalesce($2::bigint, 0)
ORDER BY h.day LIMIT $3::int;

-- name: holiday_put :write
-- $3 day, $4 works, $5 name, $6 source, $7 if-match
WITH judged AS (
    SELECT calendar_day($3::text) AS day, CASE
        WHEN calendar_day($3::text) IS NULL THEN 'not_found'
        WHEN scope_role() <> 'admin' THEN 'role_not_allowed'
        WHEN $7::int <> coalesce((SELECT h.version FROM holiday h WHERE h.day = calendar_day($3::text)), 0) THEN 'stale' END AS verdict
), put AS (
    INSERT INTO holiday AS h (day, works, name, source)
    SELECT j.day, $4::boolean, $5::text, coalesce($6::text, '') FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (day) DO UPDATE SET works = excluded.works, name = excluded.name, source = excluded.source, version = h.version + 1
        WHERE $7::int IS NULL OR h.version = $7::int
    RETURNING h.*
), answer AS (
    SELECT CASE WHEN j.verdict IS NULL AND p.day IS NULL THEN 'stale' ELSE j.verdict END AS _verdict,
           coalesce(p.day, h.day) AS day, coalesce(p.works, h.works) AS works, coalesce(p.name, h.name) AS name,
           coalesce(p.source, h.source) AS source, coalesce(p.version, h.version) AS version
    FROM judged j LEFT JOIN put p ON true LEFT JOIN holiday h ON h.day = j.day
)

-- name: holiday_remove :write
-- $3 day, $4 if-match: it is as the day of the week says
WITH removed AS (
    DELETE FROM holiday h WHERE h.day = calendar_day($3::text) AND ($4::int IS NULL OR h.version = $4::int) RETURNING h.*
), answer AS (
    SELECT CASE WHEN r.day IS NOT NULL THEN NULL WHEN h.day IS NULL OR scope_role() <> 'admin' THEN 'not_found' ELSE 'stale' END AS _verdict,
           h.day, h.works, h.name, h.source, h.version
    FROM (SELECT 1) AS one LEFT JOIN holiday h ON h.day = calendar_day($3::text) LEFT JOIN removed r ON true
)

-- part: rules
-- p: a plan
(SELECT json_agg(json_build_object('stage', l.stage, 'days', l.working_days) ORDER BY n.position)
        FROM plan_limit l JOIN stage_name n ON n.stage = l.stage WHERE l.plan_id = p.id) AS limits,
       (SELECT json_agg(json_build_object('to', s.told, 'after', s.after) ORDER BY s.step)
        FROM plan_step s WHERE s.plan_id = p.id AND s.step > 0) AS escalation,
       t.answer_hours, t.plan_id IS NOT NULL AS own, t.note, t.changed_by, t.changed_at

-- name: limits_get :one
-- $1 plan
SELECT p.code AS plan, {{rules}}, CASE WHEN t.plan_id IS NULL THEN 0 ELSE t.version END AS version
FROM plan p CROSS JOIN LATERAL (
    SELECT t.* FROM time_rule t WHERE t.plan_id = p.id OR t.plan_id IS NULL ORDER BY t.plan_id NULLS LAST LIMIT 1) AS t
WHERE p.code = $1::text;

-- name: limits_put :write
-- $3 plan, $4 if-match (0: it has no rule of its own), $5 [{stage, days}], $6 [{to, after}], $7 answer hours, $8 note. The whole rule.
WITH found AS (
    SELECT p.id, p.code, p.region, coalesce(t.version, 0) AS version FROM plan p LEFT JOIN time_rule t ON t.plan_id = p.id WHERE p.code = $3::text
), limits AS (
    SELECT g.stage, g.days FROM json_to_recordset($5::json) AS g (stage text, days int)
), steps AS (
    SELECT row_number() OVER (ORDER BY g.after) AS step, g."to" AS told, g.after FROM json_to_recordset($6::json) AS g ("to" text, after int)
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM limits GROUP BY stage HAVING count(*) > 1) THEN 'limit_twice'
        WHEN EXISTS (SELECT FROM steps GROUP BY after HAVING count(*) > 1) THEN 'step_twice' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), put AS ( -- whoever else makes the same version loses here
    INSERT INTO time_rule AS t (plan_id, answer_hours, note, changed_by)
    SELECT j.id, $7::int, $8::text, scope_account() FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (plan_id) DO UPDATE SET answer_hours = excluded.answer_hours, note = excluded.note, changed_by = excluded.changed_by,
        changed_at = now(), version = t.version + 1
        WHERE $4::int IS NULL OR t.version = $4::int
    RETURNING t.*
), no_limit AS (
    DELETE FROM stage_limit l USING put p WHERE l.plan_id = p.plan_id AND NOT EXISTS (SELECT FROM limits g WHERE g.stage = l.stage)
), limited AS (
    INSERT INTO stage_limit AS l (plan_id, stage, days, working_days)
    SELECT p.plan_id, g.stage, ceil(g.days * 7 / 5.0), g.days FROM put p, limits g
    ON CONFLICT (plan_id, stage) DO UPDATE SET days = excluded.days, working_days = excluded.working_days
), no_step AS (
    DELETE FROM limit_step s USING put p WHERE s.plan_id = p.plan_id AND s.step > (SELECT count(*) FROM steps)
), stepped AS (
    INSERT INTO limit_step AS s (plan_id, step, told, after)
    SELECT p.plan_id, g.step, g.told, g.after FROM put p, (SELECT 0 AS step, 'handler' AS told, 0 AS after UNION ALL SELECT * FROM steps) AS g
    ON CONFLICT (plan_id, step) DO UPDATE SET told = excluded.told, after = excluded.after
), answer AS (
    SELECT CASE WHEN j.verdict IS NULL AND t.plan_id IS NULL THEN 'stale' ELSE j.verdict END AS _verdict,
           j.code AS plan, (SELECT json_agg(json_build_object('stage', g.stage, 'days', g.days) ORDER BY n.position)
                            FROM limits g JOIN stage_name n ON n.stage = g.stage) AS limits,
           (SELECT json_agg(json_build_object('to', g.told, 'after', g.after) ORDER BY g.step) FROM steps g) AS escalation,
           t.answer_hours, t.plan_id IS NOT NULL AS own, t.note, t.changed_by, t.changed_at, coalesce(t.version, j.version) AS version
    FROM judged j LEFT JOIN put t ON true
)

-- name: overdue_scan :one work
-- A job for every step that a case has reached by staying in its stage, and that nobody was told of.
WITH due AS MATERIALIZED (
    SELECT l.plan_id, l.stage, s.step, aged_before(china_date(now()), l.working_days + s.after) AS before
    FROM plan_limit l JOIN plan_step s ON s.plan_id = l.plan_id
), overdue AS (
    SELECT c.id, c.region, d.step
    FROM due d JOIN retrofit_case c ON c.plan_id = d.plan_id AND c.stage = d.stage AND c.stage_at < d.before
    WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.case_id = c.id AND o.stay = c.stage_at AND o.step = d.step)
), queued AS (
    INSERT INTO job (queue, kind, unique_key, payload, region)
    SELECT 'reminders', 'stage_overdue', 'stage_overdue:' || id || ':' || step, json_build_object('case', id, 'step', step), region
    FROM overdue ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) AS queued FROM queued;

-- name: stage_overdue :one work
-- Says it, unless the case has moved on meanwhile, was given more time, or it was said. $1 case, $2 step
WITH said AS (
    INSERT INTO outbox (kind, region, case_id, case_version, stay, step, content)
    SELECT CASE s.step WHEN 0 THEN 'stage_overdue' ELSE 'stage_escalated' END, c.region, c.id, c.version, c.stage_at, s.step,
        json_build_object('case', c.id, 'plan', (SELECT p.code FROM plan p WHERE p.id = c.plan_id), 'stage', c.stage, 'since', c.stage_at,
            'to', s.told, 'days_over', working_days_between(china_date(c.stage_at), china_date(now())) - l.working_days)
    FROM retrofit_case c JOIN plan_limit l ON l.plan_id = c.plan_id AND l.stage = c.stage
    JOIN plan_step s ON s.plan_id = c.plan_id AND s.step = $2::int
    WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
      AND c.stage_at < aged_before(china_date(now()), l.working_days + s.after)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) AS said FROM said;

-- part: asked
-- $1 plan, $2 region
asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow FROM (SELECT
        CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
             WHERE x.code = $2::text) END AS high) AS a
), due AS MATERIALIZED (
    SELECT l.plan_id, l.stage, l.working_days, p.code, n.position,
        aged_before(china_date(now()), l.working_days) AS over, aged_before(china_date(now()), l.working_days + 5) AS over_5,
        aged_before(china_date(now()), l.working_days + 15) AS over_15
    FROM asked a JOIN plan p ON $1::text IS NULL OR p.code = $1::text JOIN region top ON top.place = p.region
    JOIN plan_limit l ON l.plan_id = p.id JOIN stage_name n ON n.stage = l.stage
    WHERE (top.place <= a.high AND top.high >= a.low) IS TRUE
)

-- name: cases_overdue :many
-- $1 plan, $2 region, $3 stage, $4 a column of cases_ageing (NULL: all that are over), $5 after, $6 limit. As cases_of_region.
WITH {{asked}}, wanted AS MATERIALIZED (
    SELECT d.*, CASE $4::text WHEN 'within' THEN d.over WHEN 'over_1_5' THEN d.over_5 WHEN 'over_6_15' THEN d.over_15
                     ELSE '-infinity' END AS since,
        CASE $4::text WHEN 'within' THEN 'infinity' WHEN 'over_6_15' THEN d.over_5 WHEN 'over_16' THEN d.over_15 ELSE d.over END AS before
    FROM due d WHERE $3::stage IS NULL OR d.stage = $3::stage
)
SELECT c.id, c.code AS plan, c.household_number, c.householder, (SELECT r.code FROM region r WHERE r.place = c.region) AS region,
       c.village, c.stage, c.stage_at, c.working_days AS days_allowed,
       working_days_between(china_date(c.stage_at), china_date(now())) AS days,
       working_days_between(china_date(c.stage_at), china_date(now())) - c.working_days AS days_over,
       (SELECT k.code FROM contractor k WHERE k.id = c.contractor_id) AS contractor, c.assessor_id AS assessor, c.version
FROM (
    SELECT c.* FROM asked a JOIN region r ON r.place BETWEEN a.low AND a.high
    CROSS JOIN (SELECT DISTINCT w.plan_id FROM wanted w) AS p CROSS JOIN LATERAL (
        SELECT c.*, w.code, w.working_days FROM retrofit_case c JOIN wanted w ON w.plan_id = c.plan_id AND w.stage = c.stage
        WHERE c.plan_id = p.plan_id AND c.region = r.place AND c.id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END
          AND c.stage_at >= w.since AND c.stage_at < w.before
        ORDER BY c.id LIMIT $6::int) AS c WHERE a.is_narrow
    UNION ALL
    SELECT c.* FROM asked a CROSS JOIN wanted w CROSS JOIN LATERAL (
        SELECT c.*, w.code, w.working_days FROM retrofit_case c
        WHERE c.plan_id = w.plan_id AND c.stage = w.stage AND c.id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END
          AND (c.region BETWEEN a.low AND a.high) IS TRUE AND c.stage_at >= w.since AND c.stage_at < w.before
        ORDER BY c.id LIMIT $6::int) AS c WHERE NOT a.is_narrow
) AS c
ORDER BY c.id LIMIT $6::int;

-- name: cases_ageing :one
-- $1 plan, $2 region: of each stage that has a limit, how many cases are how many working days past it
WITH {{asked}}, counted AS MATERIALIZED ( -- a stage at a time, from case_by_stage alone
    SELECT d.stage, c.* FROM asked a CROSS JOIN due d CROSS JOIN LATERAL (
        SELECT count(*) AS n, count(*) FILTER (WHERE c.stage_at < d.over) AS over,
            count(*) FILTER (WHERE c.stage_at < d.over_5) AS over_5, count(*) FILTER (WHERE c.stage_at < d.over_15) AS over_15
        FROM retrofit_case c
        WHERE c.plan_id = d.plan_id AND c.stage = d.stage AND (c.region BETWEEN a.low AND a.high) IS TRUE) AS c
)
SELECT p.code AS plan, (SELECT r.code FROM region r WHERE r.place = a.low AND r.high = a.high) AS region, china_date(now()) AS "on", calendar_until() AS calendar_until,
    (SELECT json_agg(json_build_object('stage', d.stage, 'days_allowed', d.working_days, 'total', c.n, 'within', c.n - c.over,
        'over_1_5', c.over - c.over_5, 'over_6_15', c.over_5 - c.over_15, 'over_16', c.over_15) ORDER BY d.position)
     FROM due d JOIN counted c ON c.stage = d.stage) AS stages
FROM plan p CROSS JOIN asked a JOIN region top ON top.place = p.region
WHERE p.code = $1::text AND scope_sees_region() AND a.low >= scope_low() AND a.high <= scope_high()
  AND (top.place <= a.high AND top.high >= a.low) IS TRUE;
