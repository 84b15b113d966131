-- SPDX-License-Identifier: Apache-2.0
-- Eligibility with its reasons, exceptions, and the waiting list. The rules are in migrations 0016 and 0027.

-- part: criteria
(SELECT json_agg(json_build_object('code', k.code, 'name_zh', k.name_zh, 'name_ko', k.name_ko, 'name_en', k.name_en, 'per', k.per) ORDER BY k.position)
        FROM priority_criterion k) AS criteria

-- name: priority_get :one
-- $1 plan. settled: every score is of this rule
SELECT p.code AS plan, (SELECT coalesce(json_agg(json_build_object('code', k.code, 'name_zh', k.name_zh, 'name_ko', k.name_ko, 'name_en', k.name_en,
            'per', k.per, 'points', t.points, 'most', t.most) ORDER BY k.position), '[]')
        FROM priority_part t JOIN priority_criterion k ON k.code = t.code WHERE t.plan_id = p.id) AS parts,
       {{criteria}},
       NOT EXISTS (SELECT FROM case_priority w WHERE w.plan_id = p.id AND w.rule_version < r.version) AS settled,
       r.changed_at, r.changed_by, r.version
FROM plan p JOIN priority_rule r ON r.plan_id = p.id WHERE p.code = $1::text;

-- name: priority_put :write
-- $3 plan, $4 if-match, $5 [{code, points, most?}]: replaces the whole rule; a job scores the waiting cases again
WITH found AS (
    SELECT p.id, p.region, r.version FROM plan p JOIN priority_rule r ON r.plan_id = p.id WHERE p.code = $3::text
), given AS (
    SELECT g.code, g.points, g.most AS asked, k.per, coalesce(g.most, CASE k.per WHEN 'month' THEN 60 WHEN 'each' THEN 5 ELSE 1 END) AS most,
           k.name_zh, k.name_ko, k.name_en, k.position
    FROM json_to_recordset($5::json) AS g (code text, points int, most int) LEFT JOIN priority_criterion k ON k.code = g.code
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM given g WHERE g.per IS NULL) THEN 'priority_unknown'
        WHEN (SELECT count(*) <> count(DISTINCT g.code) FROM given g) THEN 'priority_twice'
        WHEN EXISTS (SELECT FROM given g WHERE g.per = 'once' AND g.most > 1) THEN 'priority_once'
        WHEN (SELECT sum(g.points * g.most) FROM given g) > 9000 THEN 'priority_too_heavy' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), raised AS (
    UPDATE priority_rule r SET version = r.version + 1, changed_at = now(), changed_by = scope_account()
    FROM judged j WHERE j.verdict IS NULL AND r.plan_id = j.id AND r.version = j.version RETURNING r.*
), removed AS (
    DELETE FROM priority_part t USING raised r WHERE t.plan_id = r.plan_id AND NOT EXISTS (SELECT FROM given g WHERE g.code = t.code)
), put AS (
    INSERT INTO priority_part AS t (plan_id, code, points, most) SELECT r.plan_id, g.code, g.points, g.most FROM raised r, given g
    ON CONFLICT (plan_id, code) DO UPDATE SET points = excluded.points, most = excluded.most
), queued AS (
    INSERT INTO job (queue, kind, unique_key, region) SELECT 'upkeep', 'priority_settle', 'priority_settle:' || j.id || ':' || r.version, j.region
    FROM judged j JOIN raised r ON r.plan_id = j.id ON CONFLICT DO NOTHING
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN r.plan_id IS NULL THEN 'stale' END) AS _verdict, $3::text AS plan,
           (SELECT coalesce(json_agg(json_build_object('code', g.code, 'name_zh', g.name_zh, 'name_ko', g.name_ko, 'name_en', g.name_en,
                'per', g.per, 'points', g.points, 'most', g.most) ORDER BY g.position), '[]') FROM given g) AS parts,
           r.changed_at, r.changed_by, coalesce(r.version, j.version) AS version
    FROM judged j LEFT JOIN raised r ON true
)

-- name: waiting_list :many
-- $1 plan, $2 region (any code it ever had), $3 stage, $4 after (a turn), $5 limit. At most a page is read of each county, along the
-- index, so it costs the same at any number of cases. Whoever paused is left out.
WITH asked AS MATERIALIZED (
    SELECT p.id AS plan_id, greatest(scope_low(), p.region, r.place) AS low, least(scope_high(), top.high, coalesce(r.high, top.high)) AS high
    FROM plan p JOIN region top ON top.place = p.region LEFT JOIN region r ON r.place = region_of($2::text)
    WHERE p.code = $1::text AND ($2::text IS NULL OR r.place IS NOT NULL)
)
SELECT c.id, $1::text AS plan, c.household_number, c.householder, (SELECT r.code FROM region r WHERE r.place = l.region) AS region, c.village, c.stage,
       c.eligible, l.score, l.registered_on,
       (SELECT json_agg(json_build_object('code', x.code, 'points', x.points, 'fact', x.fact) ORDER BY x.position)
        FROM priority_point x WHERE x.plan_region = l.plan_region AND x.case_id = l.case_id AND x.points > 0) AS parts,
       l.turn::text AS turn
FROM (
    SELECT w.* FROM asked a JOIN region n ON n.level = 'county' AND n.place BETWEEN county_of(a.low) AND a.high
    CROSS JOIN LATERAL (
        SELECT w.plan_region, w.case_id, w.region, w.score, w.registered_on, w.turn FROM case_priority w
        WHERE w.plan_id = a.plan_id AND w.stage = $3::stage AND w.county = n.place AND w.turn > CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4::bigint END
          AND (w.region BETWEEN a.low AND a.high) IS TRUE
          AND EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = w.plan_region AND c.id = w.case_id AND c.stage = $3::stage)
        ORDER BY w.turn LIMIT $5::int) AS w
    ORDER BY w.turn LIMIT $5::int) AS l
JOIN retrofit_case c ON c.plan_region = l.plan_region AND c.id = l.case_id
ORDER BY l.turn;

-- name: priority_of_case :one
-- $1 case: its score and what it is made of
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, c.stage, s.score, s.registered_on,
       (SELECT coalesce(json_agg(json_build_object('code', x.code, 'name_zh', x.name_zh, 'name_ko', x.name_ko, 'name_en', x.name_en,
            'points', x.points, 'times', x.times, 'points_each', x.points_each, 'fact', x.fact) ORDER BY x.position), '[]')
        FROM priority_point x WHERE x.plan_region = c.plan_region AND x.case_id = c.id AND x.points > 0) AS parts
FROM retrofit_case c JOIN priority_score s ON s.plan_region = c.plan_region AND s.case_id = c.id
WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint;

-- name: priority_compared :one
-- $1 case, $2 another of the plan: which comes first, and because of what
WITH one AS (
    SELECT c.id, c.plan_id, c.plan_region, s.score, s.registered_on, priority_turn(s.score, s.registered_on, c.id) AS turn
    FROM retrofit_case c JOIN priority_score s ON s.plan_region = c.plan_region AND s.case_id = c.id
    WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
), other AS (
    SELECT c.id, c.plan_id, c.plan_region, s.score, s.registered_on, priority_turn(s.score, s.registered_on, c.id) AS turn
    FROM retrofit_case c JOIN priority_score s ON s.plan_region = c.plan_region AND s.case_id = c.id
    WHERE c.plan_region = plan_region_of($2::bigint) AND c.id = $2::bigint
)
SELECT CASE WHEN b.id IS NULL THEN 'not_found' WHEN a.plan_id <> b.plan_id THEN 'priority_other_plan' END AS _verdict,
       a.id, b.id AS other, a.score, b.score AS other_score, a.registered_on, b.registered_on AS other_registered_on,
       CASE WHEN a.turn < b.turn THEN a.id ELSE b.id END AS first,
       CASE WHEN a.score <> b.score THEN 'score' WHEN a.registered_on <> b.registered_on THEN 'registered_on' ELSE 'number' END AS because,
       (SELECT coalesce(json_agg(json_build_object('code', x.code, 'name_zh', x.name_zh, 'name_ko', x.name_ko, 'name_en', x.name_en,
            'points', x.points, 'other_points', y.points, 'difference', x.points - y.points, 'fact', CASE WHEN x.points > 0 THEN x.fact END,
            'other_fact', CASE WHEN y.points > 0 THEN y.fact END) ORDER BY x.position), '[]')
        FROM priority_point x JOIN priority_point y ON y.code = x.code
        WHERE x.plan_region = a.plan_region AND x.case_id = a.id AND y.plan_region = b.plan_region AND y.case_id = b.id
          AND (x.points > 0 OR y.points > 0)) AS parts
FROM one a LEFT JOIN other b ON true;

-- name: case_eligibility :one
-- $1 case: each criterion of its plan's rule, whether it is fulfilled, and by what fact. `eligible` is as the case was judged last,
-- `eligible_now` as it would be today.
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, c.stage, e.code AS rule, c.eligible, s.eligible AS eligible_now,
       (SELECT json_agg(json_build_object('code', k.code, 'name_zh', k.name_zh, 'name_ko', k.name_ko, 'name_en', k.name_en,
            'fulfilled', NOT 'no_' || k.code = ANY (s.reasons), 'fact', CASE k.code
                WHEN 'retrofit_need' THEN (SELECT string_agg(DISTINCT d.item, '、' ORDER BY d.item) FROM need d WHERE d.plan_region = c.plan_region
                    AND d.household_id = c.household_id AND d.kind = 'retrofit' AND d.state <> 'dropped')
                WHEN 'severe_member' THEN (SELECT (ARRAY['一级', '二级', '三级', '四级'])[min(q.level)] FROM person q
                    WHERE q.plan_region = c.plan_region AND q.household_id = c.household_id)
                WHEN 'hardship' THEN h.hardship
                WHEN 'second_retrofit' THEN CASE WHEN h.elder_retrofit THEN '居家适老化改造' END
                WHEN 'repeat_in_plan' THEN (SELECT x.done_as::text FROM case_repeat x WHERE x.plan_region = c.plan_region
                    AND x.household_id = c.household_id AND x.plan_id = c.plan_id)
                ELSE (SELECT string_agg(o.id || ' ' || china_date(o.received_at), '、' ORDER BY o.id) FROM objection o
                    WHERE o.plan_region = c.plan_region AND o.household_id = c.household_id AND o.plan_id = c.plan_id AND o.state = 'upheld') END)
            ORDER BY k.position)
        FROM eligibility_criterion k WHERE (k.code <> 'severe_member' OR e.needs_severe) AND (k.code <> 'hardship' OR e.needs_hardship)) AS criteria,
       (SELECT json_build_object('id', x.id, 'at', x.at, 'account', x.account_id, 'note', x.note, 'reasons', x.reasons) FROM case_exception x
        WHERE x.plan_region = c.plan_region AND x.case_id = c.id AND x.taken_back_at IS NULL ORDER BY x.id DESC LIMIT 1) AS exception
FROM retrofit_case c JOIN plan l ON l.id = c.plan_id JOIN eligibility_rule e ON e.code = l.eligibility
JOIN household h ON h.plan_region = c.plan_region AND h.id = c.household_id
JOIN household_standing s ON s.plan_region = c.plan_region AND s.household_id = c.household_id AND s.plan_id = c.plan_id
WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint;

-- name: exceptions_list :many
-- $1 plan, $2 after, $3 limit: by whom, when, why, and what was against it
SELECT x.id, (SELECT p.code FROM plan p WHERE p.id = x.plan_id) AS plan, x.case_id AS case, c.household_number, c.householder,
       region_label(c.region) AS region, c.stage, x.reasons, x.note, x.account_id AS account, x.at, x.taken_back_at
FROM case_exception x JOIN retrofit_case c ON c.plan_region = x.plan_region AND c.id = x.case_id
WHERE ($1::text IS NULL OR x.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text)) AND x.id > CASE WHEN $2::bigint IS NULL THEN 0 ELSE $2::bigint END
ORDER BY x.id LIMIT $3::int;

-- name: priority_settle :one work
-- $1: so many cases at a time; the next job goes on
WITH settled AS MATERIALIZED (
    SELECT priority_settle($1::int) AS n
), more AS (
    INSERT INTO job (queue, kind, unique_key) SELECT 'upkeep', 'priority_settle', 'priority_settle:x' || pg_current_xact_id()
    FROM settled WHERE n >= $1::int ON CONFLICT DO NOTHING
)
SELECT n AS settled FROM settled;

-- name: priority_fill :one work
-- $1: lists the waiting cases after this one; the next job goes on
WITH filled AS MATERIALIZED (
    SELECT priority_fill($1::bigint, 2000) AS last
), more AS (
    INSERT INTO job (queue, kind, unique_key, payload) SELECT 'upkeep', 'priority_fill', 'priority_fill:' || last, json_build_object('after', last)
    FROM filled WHERE last IS NOT NULL ON CONFLICT DO NOTHING
)
SELECT last FROM filled;
