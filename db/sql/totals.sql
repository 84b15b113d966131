-- SPDX-License-Identifier: Apache-2.0
-- Figures: folded totals plus what is not folded yet, in one snapshot. See migration 0005.

-- part: asked
-- $1 plan, $2 region (NULL: the plan's, or as much of it as the caller sees). One row, or none when nothing of it is his.
-- (The ranges are asked IS TRUE so that the planner does not begin at every region within them.)
WITH asked AS MATERIALIZED (
    SELECT p.id, p.code, p.region AS whole, p.begins_on, p.ends_on, r.place, r.high, r.code AS region
    FROM plan p
    JOIN region top ON top.place = p.region
    JOIN region r ON r.place = CASE WHEN $2::text IS NOT NULL THEN (SELECT c.place FROM region_code c WHERE c.code = $2::text)
                                    WHEN p.region BETWEEN scope_low() AND scope_high() THEN p.region
                                    ELSE scope_low() END
    WHERE p.code = $1::text AND (r.place BETWEEN scope_low() AND scope_high()) IS TRUE
      AND (r.place BETWEEN top.place AND top.high) IS TRUE
)

-- part: target
CASE WHEN a.place = a.whole THEN (SELECT i.target::bigint FROM indicator i WHERE i.plan_id = a.id AND i.code = 'households')
            ELSE (SELECT t.value::bigint FROM target_split t WHERE t.plan_id = a.id AND t.indicator = 'households'
                  AND t.county = a.place AND t.year = 0) END AS target

-- part: sums
coalesce(sum(u.n) FILTER (WHERE u.measure = 'counted'), 0)::bigint AS accepted,
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'registered'), 0)::bigint AS "by_stage.registered",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'approved'), 0)::bigint AS "by_stage.approved",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'surveyed'), 0)::bigint AS "by_stage.surveyed",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'designed'), 0)::bigint AS "by_stage.designed",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'assigned'), 0)::bigint AS "by_stage.assigned",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'building'), 0)::bigint AS "by_stage.building",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'built'), 0)::bigint AS "by_stage.built",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'accepted'), 0)::bigint AS "by_stage.accepted",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'closed'), 0)::bigint AS "by_stage.closed",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'rejected'), 0)::bigint AS "by_stage.rejected",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'withdrawn'), 0)::bigint AS "by_stage.withdrawn",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'suspended'), 0)::bigint AS "by_stage.suspended",
       coalesce(sum(u.n) FILTER (WHERE u.measure = 'rework'), 0)::bigint AS "by_stage.rework"

-- part: figures
s.accepted, s."by_stage.registered", s."by_stage.approved", s."by_stage.surveyed", s."by_stage.designed", s."by_stage.assigned",
       s."by_stage.building", s."by_stage.built", s."by_stage.accepted", s."by_stage.closed", s."by_stage.rejected", s."by_stage.withdrawn",
       s."by_stage.suspended", s."by_stage.rework"

-- name: progress :one
-- Costs the same at any number of cases.
{{asked}}
SELECT {{target}},
       {{figures}},
       china_date(now()) AS as_of, true AS exact, NULL::date AS known_at, a.code AS plan, a.region
FROM asked a
CROSS JOIN LATERAL (
    SELECT {{sums}}
    FROM (SELECT t.measure, t.n FROM total t WHERE t.plan_id = a.id AND t.region = a.place AND t.period = 0
          UNION ALL
          SELECT d.measure, d.n FROM delta_effect d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high) AS u
) AS s;

-- name: progress_as_of :one stale
-- $3 on which day, $4 by what was known on which day (NULL: now)
{{asked}}
SELECT {{target}},
       {{figures}},
       coalesce($3::date, $4::date) AS as_of, NOT pg_is_in_recovery() AS exact, $4::date AS known_at, a.code AS plan, a.region
FROM asked a
CROSS JOIN LATERAL (
    SELECT {{sums}}
    FROM (SELECT h.measure, h.n FROM total_history h WHERE h.plan_id = a.id AND h.region BETWEEN a.place AND a.high
              AND h.day <= coalesce($3::date, $4::date) AND h.recorded_on <= coalesce($4::date, 'infinity')
          UNION ALL
          SELECT d.measure, d.n FROM delta_effect d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high
              AND d.day <= coalesce($3::date, $4::date) AND d.recorded_on <= coalesce($4::date, 'infinity')) AS u
) AS s;

-- name: totals_by_county :many
{{asked}}
SELECT c.code AS region, c.name, (SELECT t.value::bigint FROM target_split t WHERE t.plan_id = a.id
           AND t.indicator = 'households' AND t.county = c.place AND t.year = 0) AS target,
       {{figures}}
FROM asked a
JOIN region c ON c.level = 'county' AND (c.place BETWEEN a.place AND a.high OR a.place BETWEEN c.place AND c.high)
CROSS JOIN LATERAL (
    SELECT {{sums}}
    FROM (SELECT t.measure, t.n FROM total t WHERE t.plan_id = a.id AND t.region = greatest(c.place, a.place) AND t.period = 0
          UNION ALL
          SELECT d.measure, d.n FROM delta_effect d WHERE d.plan_id = a.id
              AND d.region BETWEEN greatest(c.place, a.place) AND least(c.high, a.high)) AS u
) AS s
ORDER BY c.place;

-- name: totals_by_year :many
{{asked}}
SELECT y.year, (SELECT t.value::bigint FROM target_split t WHERE t.plan_id = a.id AND t.indicator = 'households'
           AND t.county = CASE WHEN a.place = a.whole THEN 0 ELSE a.place END AND t.year = y.year) AS target,
       coalesce(sum(u.n), 0)::bigint AS accepted
FROM asked a
CROSS JOIN LATERAL (
    SELECT generate_series(extract(year FROM a.begins_on)::int, extract(year FROM a.ends_on)::int) AS year
    UNION SELECT t.period FROM total t WHERE t.plan_id = a.id AND t.region = a.place AND t.period BETWEEN 1 AND 9999 AND t.n <> 0
    UNION SELECT extract(year FROM d.day)::int FROM delta_effect d WHERE d.plan_id = a.id AND d.measure = 'counted'
              AND d.region BETWEEN a.place AND a.high) AS y
LEFT JOIN LATERAL (
    SELECT t.n FROM total t WHERE t.plan_id = a.id AND t.region = a.place AND t.period = y.year AND t.measure = 'counted'
    UNION ALL
    SELECT d.n FROM delta_effect d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high AND d.measure = 'counted'
        AND extract(year FROM d.day)::int = y.year) AS u ON true
GROUP BY a.id, a.whole, a.place, y.year ORDER BY y.year;

-- name: totals_by_month :many
{{asked}}
SELECT u.month / 100 AS year, u.month % 100 AS month, sum(u.n)::bigint AS accepted
FROM asked a
CROSS JOIN LATERAL (
    SELECT t.period AS month, t.n FROM total t WHERE t.plan_id = a.id AND t.region = a.place AND t.period > 9999
        AND t.measure = 'counted'
    UNION ALL
    SELECT extract(year FROM d.day)::int * 100 + extract(month FROM d.day)::int, d.n FROM delta_effect d
    WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high AND d.measure = 'counted') AS u
GROUP BY u.month HAVING sum(u.n) <> 0 ORDER BY u.month;

-- name: totals_by_stage :many
{{asked}}
SELECT g.stage, coalesce(sum(u.n), 0)::bigint AS cases
FROM asked a
CROSS JOIN stage_name g
LEFT JOIN LATERAL (
    SELECT t.n FROM total t WHERE t.plan_id = a.id AND t.region = a.place AND t.period = 0 AND t.measure = g.stage
    UNION ALL
    SELECT d.n FROM delta_effect d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high
        AND d.measure = g.stage) AS u ON true
GROUP BY g.stage, g.position ORDER BY g.position;

-- name: progress_cases :many stale
-- The households that a figure of progress is made of, on any day as known on any day.
-- $3 'counted', or a stage with 'in_' before it, $4 day, $5 known on, $6 after, $7 limit
{{asked}}
SELECT e.case_id AS id, c.household_number, c.householder, region_label(c.region) AS region, c.village, c.stage, c.accepted_on
FROM asked a
JOIN event_effect e ON e.plan_id = a.id AND e.region BETWEEN a.place AND a.high
    AND e.measure = CASE WHEN $3::text = 'counted' THEN 'counted' ELSE substr($3::text, 4) END
    AND e.day <= coalesce($4::date, $5::date, 'infinity') AND e.recorded_on <= coalesce($5::date, 'infinity')
JOIN retrofit_case c ON c.plan_region = e.plan_region AND c.id = e.case_id
WHERE e.case_id > coalesce($6::bigint, 0)
GROUP BY e.case_id, c.household_number, c.householder, c.region, c.village, c.stage, c.accepted_on
HAVING sum(e.n) > 0 ORDER BY e.case_id LIMIT $7::int;

-- name: totals_fold :one work
SELECT totals_fold($1::int) AS folded;

-- name: verify_totals :many work
-- Recounts every figure from the events, in one snapshot, and answers where a total (folded + not yet folded),
-- a history or the cases themselves differ. No rows: all is well.
WITH recount AS (
    SELECT e.plan_id, e.region, e.measure, e.day, e.recorded_on, sum(e.n) AS n FROM event_effect e GROUP BY 1, 2, 3, 4, 5
), pending AS (
    SELECT d.plan_id, d.region, d.measure, d.day, d.recorded_on, sum(d.n) AS n FROM delta_effect d GROUP BY 1, 2, 3, 4, 5
), levels AS (
    SELECT s.source, s.plan_id, up.region, p.period, s.measure, sum(s.n) AS n
    FROM (SELECT 'recount' AS source, * FROM recount UNION ALL SELECT 'pending', * FROM pending) AS s
    CROSS JOIN LATERAL (SELECT DISTINCT region FROM (VALUES (s.region), (s.region / 1000 * 1000),
        (s.region / 100000 * 100000), (s.region / 10000000 * 10000000)) AS v (region)) AS up
    CROSS JOIN LATERAL (SELECT 0 AS period
        UNION ALL SELECT extract(year FROM s.day)::int WHERE s.measure = 'counted'
        UNION ALL SELECT extract(year FROM s.day)::int * 100 + extract(month FROM s.day)::int WHERE s.measure = 'counted') AS p
    GROUP BY 1, 2, 3, 4, 5
), figures AS (
    SELECT 'total' AS figure, plan_id, region, period::text AS part, measure, n AS kept, 0 AS recounted FROM total
    UNION ALL
    SELECT 'total', plan_id, region, period::text, measure, CASE source WHEN 'pending' THEN n ELSE 0 END,
           CASE source WHEN 'recount' THEN n ELSE 0 END FROM levels
    UNION ALL
    SELECT 'history', plan_id, region, day || '/' || recorded_on, measure, n, 0 FROM total_history
    UNION ALL
    SELECT 'history', plan_id, region, day || '/' || recorded_on, measure, n, 0 FROM pending
    UNION ALL
    SELECT 'history', plan_id, region, day || '/' || recorded_on, measure, 0, n FROM recount
    UNION ALL
    SELECT 'cases', plan_id, region, 'now', stage, count(*), 0 FROM retrofit_case GROUP BY 2, 3, 5
    UNION ALL
    SELECT 'cases', plan_id, region, 'now', 'counted', count(*), 0 FROM retrofit_case WHERE accepted_on IS NOT NULL GROUP BY 2, 3
    UNION ALL
    SELECT 'cases', plan_id, region, 'now', measure, 0, sum(n) FROM recount GROUP BY 2, 3, 5
)
SELECT f.figure, p.code AS plan, coalesce((SELECT r.code FROM region r WHERE r.place = f.region), f.region::text) AS region,
       f.part, f.measure, sum(f.kept)::bigint AS kept, sum(f.recounted)::bigint AS recounted
FROM figures f JOIN plan p ON p.id = f.plan_id
GROUP BY 1, 2, 3, 4, 5 HAVING sum(f.kept) <> sum(f.recounted) ORDER BY 1, 2, 3, 4, 5;

-- name: verify_counts :one work
SELECT (SELECT count(*) FROM retrofit_case) AS cases, (SELECT count(*) FROM case_event) AS events,
       (SELECT count(*) FROM total_delta) AS deltas, (SELECT count(*) FROM total) AS totals;
