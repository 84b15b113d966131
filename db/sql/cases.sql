-- SPDX-License-Identifier: Apache-2.0
-- The retrofit case. The rules of its stages are in migration 0004.

-- part: list_columns
c.household_number, c.householder,
       (SELECT r.code FROM region r WHERE r.place = c.region) AS region, c.village, c.stage, c.stage_at, c.accepted_on,
       c.eligible, CASE WHEN c.contractor_id IS NOT NULL THEN (SELECT k.code FROM contractor k WHERE k.id = c.contractor_id) END AS contractor,
       c.version

-- part: after
-- (not coalesce: it would not become an index condition under row-level security)
CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END

-- part: list_filters
-- $3 region (any code it ever had), $4 contractor
  AND ($3::text IS NULL OR c.region BETWEEN (SELECT x.place FROM region_code x WHERE x.code = $3::text)
       AND (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $3::text))
  AND ($4::text IS NULL OR c.contractor_id = (SELECT k.id FROM contractor k WHERE k.code = $4::text))

-- part: case_columns
s.id, (SELECT p.code FROM plan p WHERE p.id = s.plan_id) AS plan, s.household_id, s.household_number, s.householder,
       (SELECT r.code FROM region r WHERE r.place = s.region) AS region, s.village, s.stage, s.stage_at, s.stage_note,
       s.resume_stage, s.accepted_on, s.eligible, s.eligibility_reasons, s.exception_note,
       CASE WHEN s.contractor_id IS NOT NULL THEN (SELECT k.code FROM contractor k WHERE k.id = s.contractor_id) END AS contractor,
       s.assessor_id AS assessor, s.created_at, s.version

-- name: cases_of_stage :many
-- $1 plan, $2 stage, $3 region, $4 contractor, $5 after, $6 limit; answered from case_by_stage alone
SELECT c.id, $1::text AS plan, {{list_columns}}
FROM retrofit_case c
WHERE c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text) AND c.stage = $2::stage AND c.id > {{after}}
{{list_filters}}
ORDER BY c.id LIMIT $6::int;

-- name: cases_of_plan :many
-- $1 plan, $2, $3 and $4 unused, $5 after, $6 limit; in the order of the primary key (IS TRUE keeps other indexes out)
SELECT c.id, $1::text AS plan, {{list_columns}}
FROM retrofit_case c
WHERE c.plan_region = (SELECT p.region FROM plan p WHERE p.code = $1::text)
  AND (c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text)) IS TRUE
  AND $2::text IS NULL AND $3::text IS NULL AND $4::text IS NULL AND c.id > {{after}}
ORDER BY c.id LIMIT $6::int;

-- name: cases_of_region :many
-- $1 plan (NULL: every plan), $2 stage, $3 region (NULL: the scope), $4 unused, $5 after, $6 limit. At most a page is read of each
-- place of a county, or of each stage of what is more than a county, so it costs the same at any number of cases.
WITH asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow FROM (SELECT
        CASE WHEN $3::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $3::text) END AS low,
        CASE WHEN $3::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
             WHERE x.code = $3::text) END AS high) AS a
), plans AS MATERIALIZED (
    SELECT p.id, p.region FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE ($1::text IS NULL OR p.code = $1::text) AND $4::text IS NULL AND (top.place <= a.high AND top.high >= a.low) IS TRUE
)
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, {{list_columns}}
FROM (
    SELECT c.* FROM asked a JOIN region r ON r.place BETWEEN a.low AND a.high CROSS JOIN plans p CROSS JOIN LATERAL (
        SELECT c.* FROM retrofit_case c WHERE c.plan_id = p.id AND c.region = r.place AND c.id > {{after}}
          AND ($2::stage IS NULL OR c.stage = $2::stage)
        ORDER BY c.id LIMIT $6::int) AS c WHERE a.is_narrow
    UNION ALL
    SELECT c.* FROM asked a CROSS JOIN plans p JOIN stage_name n ON $2::stage IS NULL OR n.stage = $2::stage CROSS JOIN LATERAL (
        SELECT c.* FROM retrofit_case c WHERE c.plan_id = p.id AND c.stage = n.stage AND c.id > {{after}}
          AND (c.region BETWEEN a.low AND a.high) IS TRUE
        ORDER BY c.id LIMIT $6::int) AS c WHERE NOT a.is_narrow
) AS c
ORDER BY c.id LIMIT $6::int;

-- name: cases_given_to :many
-- The orders of contractor $4, for who may see them; the rest are filters
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, {{list_columns}}
FROM retrofit_case c
WHERE c.contractor_id = (SELECT k.id FROM contractor k WHERE k.code = $4::text)
  AND ($1::text IS NULL OR c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
  AND ($2::stage IS NULL OR c.stage = $2::stage) AND c.id > {{after}}
  AND ($3::text IS NULL OR c.region BETWEEN (SELECT x.place FROM region_code x WHERE x.code = $3::text)
       AND (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $3::text))
ORDER BY c.id LIMIT $6::int;

-- name: cases_counted :many
-- The households a total is made of. $7 and $8: accepted from, to. What counts is accepted or closed.
SELECT c.id, $1::text AS plan, {{list_columns}}
FROM stage_name n CROSS JOIN LATERAL (
    SELECT c.* FROM retrofit_case c
    WHERE c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text) AND c.stage = n.stage AND c.id > {{after}}
      AND (c.accepted_on BETWEEN coalesce($7::date, '-infinity') AND coalesce($8::date, 'infinity')) IS TRUE
    {{list_filters}}
    ORDER BY c.id LIMIT $6::int) AS c
WHERE n.stage IN ('accepted', 'closed') AND ($2::stage IS NULL OR n.stage = $2::stage)
ORDER BY c.id LIMIT $6::int;

-- name: cases_of_contractor :many
-- The orders of the contractor who asks
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, {{list_columns}}
FROM retrofit_case c
WHERE c.contractor_id = (SELECT scope_contractor()) AND ($1::text IS NULL OR c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
  AND ($2::stage IS NULL OR c.stage = $2::stage) AND c.id > {{after}}
{{list_filters}}
ORDER BY c.id LIMIT $6::int;

-- name: cases_of_assessor :many
-- The cases of the assessor who asks
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, {{list_columns}}
FROM retrofit_case c
WHERE c.assessor_id = (SELECT scope_account()) AND ($1::text IS NULL OR c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
  AND ($2::stage IS NULL OR c.stage = $2::stage) AND c.id > {{after}}
{{list_filters}}
ORDER BY c.id LIMIT $6::int;

-- name: cases_search :many
-- $7: the beginning of a household number, a part of a village or address, or a whole name
SELECT c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id) AS plan, {{list_columns}}
FROM retrofit_case c
WHERE ($1::text IS NULL OR c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text)) AND ($2::stage IS NULL OR c.stage = $2::stage) AND c.id > {{after}}
{{list_filters}}
  AND (starts_with(c.household_number, $7::text) OR position($7::text IN c.village) > 0
    OR EXISTS (SELECT FROM household h WHERE h.plan_region = c.plan_region AND h.id = c.household_id AND position($7::text IN h.address) > 0)
    OR EXISTS (SELECT FROM person n WHERE n.plan_region = c.plan_region AND n.household_id = c.household_id AND n.name = $7::text))
ORDER BY c.id LIMIT $6::int;

-- name: case_get :one
-- merged_into: the case that goes on instead, when its household was registered twice.
SELECT {{case_columns}},
       CASE WHEN s.stage = 'withdrawn' THEN duplicate_goes_on(s.plan_region, s.household_id, s.plan_id) END AS merged_into
FROM retrofit_case s WHERE s.plan_region = plan_region_of($1::bigint) AND s.id = $1::bigint;

-- name: case_transition :write keeps key=3
-- $3 id, $4 to, $5 happened at, $6 note, $7 if-match, $8 contractor's code, $9 satisfaction, $10 evidence
SELECT * FROM case_move($1::text, $2::bytea, $3::bigint, $4::stage, $5::timestamptz, $6::text, $7::int, $8::text, $9::int, $10::json);

-- name: case_take_back :write key=3
-- $3 id, $4 note, $5 if-match: the last move, by who made it, until the next one acts
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint FOR UPDATE
), last AS (
    SELECT e.version, e.from_stage FROM found f, case_event e
    WHERE e.plan_region = plan_region_of($3::bigint) AND e.case_id = $3::bigint ORDER BY e.version DESC LIMIT 1
), gave AS ( -- the orders that the move opened: whom the case had before, and whether somebody else has acted since
    SELECT count(*) > 0 AS an_order, (array_agg(o.contractor_before ORDER BY o.number))[1] AS contractor_before,
        coalesce(bool_or(o.state = 'accepted' AND o.answered_by <> scope_account()), false) AS is_answered
    FROM last l, work_order o
    WHERE o.plan_region = plan_region_of($3::bigint) AND o.case_id = $3::bigint AND o.opened_version >= l.version
), judged AS (
    SELECT f.c, l.version AS taken, l.from_stage, g.an_order, g.contractor_before, CASE
        WHEN f.c IS NULL THEN 'not_found'
        WHEN $5::int <> (f.c).version THEN 'stale'
        WHEN l.from_stage IS NULL THEN 'nothing_to_take_back'
        WHEN g.is_answered THEN 'order_answered'
        ELSE (case_refusal(f.c, l.from_stage, now(), $4::text, l.version)).verdict END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true LEFT JOIN last l ON true CROSS JOIN gave g
), moved AS (
    UPDATE retrofit_case c SET stage = j.from_stage, stage_at = now(), stage_note = coalesce($4::text, ''), stage_evidence = NULL,
        takes_back = j.taken, contractor_id = CASE WHEN j.an_order THEN j.contractor_before ELSE c.contractor_id END
    FROM judged j
    WHERE j.verdict IS NULL AND c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint
    RETURNING c.*
), shown AS (
    SELECT * FROM moved UNION ALL SELECT (f.c).* FROM found f WHERE NOT EXISTS (SELECT FROM moved)
), answer AS (
    SELECT j.verdict AS _verdict,
       {{case_columns}}
    FROM judged j LEFT JOIN shown s ON true
)

-- name: case_change :write key=3
-- $3 id, $4 if-match, $5 contractor's code, $6 assessor's account name, $7 the household had an elder-friendly retrofit
-- (居家适老化改造), $8 the case of the plan by which it was done already (0: none): a case that is still registered is judged
-- again. A reason with no_ before it is one against.
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.c, k.id AS contractor_id, assessor_in_scope($6::text) AS assessor_id, CASE
        WHEN f.c IS NULL THEN 'not_found'
        WHEN $4::int <> (f.c).version THEN 'stale'
        WHEN $5::text IS NOT NULL AND k.id IS NULL THEN 'contractor_unknown'
        WHEN k.id <> (f.c).contractor_id AND order_holds(f.c) THEN 'order_given'
        WHEN $6::text IS NOT NULL AND assessor_in_scope($6::text) IS NULL THEN 'assessor_unknown'
        WHEN $8::bigint <> 0 AND NOT EXISTS (SELECT FROM retrofit_case o WHERE o.plan_region = (f.c).plan_region AND o.id = $8::bigint
            AND o.plan_id = (f.c).plan_id AND o.id <> (f.c).id AND o.accepted_on IS NOT NULL) THEN 'done_as_unknown' END AS verdict,
        CASE WHEN $7::boolean IS NULL OR (f.c).stage <> 'registered' THEN (f.c).eligibility_reasons
             WHEN $7::boolean THEN array_remove((f.c).eligibility_reasons, 'no_second_retrofit') || '{no_second_retrofit}'
             ELSE array_remove((f.c).eligibility_reasons, 'no_second_retrofit') END AS reasons
    FROM (SELECT 1) AS one LEFT JOIN found f ON true LEFT JOIN contractor k ON k.code = $5::text
), home AS (
    UPDATE household h SET elder_retrofit = $7::boolean, version = h.version + 1 FROM judged j
    WHERE j.verdict IS NULL AND $7::boolean IS NOT NULL AND h.plan_region = (j.c).plan_region AND h.id = (j.c).household_id
), done AS (
    INSERT INTO case_repeat (plan_region, household_id, plan_id, done_as, account_id)
    SELECT (j.c).plan_region, (j.c).household_id, (j.c).plan_id, $8::bigint, scope_account() FROM judged j
    WHERE j.verdict IS NULL AND $8::bigint <> 0
    ON CONFLICT (plan_region, household_id, plan_id) DO UPDATE SET done_as = excluded.done_as, account_id = excluded.account_id, at = now()
), undone AS (
    DELETE FROM case_repeat x USING judged j
    WHERE j.verdict IS NULL AND $8::bigint = 0 AND x.plan_region = (j.c).plan_region AND x.household_id = (j.c).household_id AND x.plan_id = (j.c).plan_id
), again AS (
    SELECT j.*, CASE WHEN $8::bigint IS NULL OR (j.c).stage <> 'registered' THEN j.reasons
                     WHEN $8::bigint <> 0 THEN array_remove(j.reasons, 'no_repeat_in_plan') || '{no_repeat_in_plan}'
                     ELSE array_remove(j.reasons, 'no_repeat_in_plan') END AS all_reasons
    FROM judged j
), changed AS (
    UPDATE retrofit_case c SET contractor_id = coalesce(j.contractor_id, c.contractor_id),
        assessor_id = coalesce(j.assessor_id, c.assessor_id), eligibility_reasons = j.all_reasons,
        eligible = CASE WHEN c.stage = 'registered' THEN NOT EXISTS (SELECT FROM unnest(j.all_reasons) AS r WHERE starts_with(r, 'no_'))
                        ELSE c.eligible END
    FROM again j
    WHERE j.verdict IS NULL AND c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint
    RETURNING c.*
), shown AS (
    SELECT * FROM changed UNION ALL SELECT (f.c).* FROM found f WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict,
       {{case_columns}}
    FROM judged j LEFT JOIN shown s ON true
)

-- name: case_relocate :write key=3
-- The household moved: $3 id, $4 if-match, $5 region, $6 village, $7 address. Its figures move with it, with all its cases.
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.c, r.place, CASE
        WHEN f.c IS NULL THEN 'not_found'
        WHEN $4::int <> (f.c).version THEN 'stale'
        WHEN r.place IS NULL THEN 'region_unknown'
        WHEN r.level NOT IN ('county', 'township') OR r.place NOT BETWEEN top.place AND top.high THEN 'region_not_within'
        WHEN r.place NOT BETWEEN scope_low() AND scope_high() THEN 'region_foreign' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true LEFT JOIN region r ON r.place = region_of($5::text)
    LEFT JOIN plan p ON p.id = (f.c).plan_id LEFT JOIN region top ON top.place = p.region
), home AS (
    UPDATE household h SET region = j.place, village = $6::text, address = $7::text, version = h.version + 1
    FROM judged j WHERE j.verdict IS NULL AND h.plan_region = (j.c).plan_region AND h.id = (j.c).household_id RETURNING h.id
), changed AS (
    UPDATE retrofit_case c SET region = j.place, village = $6::text
    FROM judged j
    WHERE j.verdict IS NULL AND c.plan_region = (j.c).plan_region AND c.household_id = (j.c).household_id
    RETURNING c.*
), shown AS (
    SELECT * FROM changed WHERE id = $3::bigint
    UNION ALL SELECT (f.c).* FROM found f WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict, '/region' AS _field,
       {{case_columns}}
    FROM judged j LEFT JOIN shown s ON true
)

-- name: case_events :many
SELECT e.version AS id, e.kind, e.from_stage AS from, e.to_stage AS to, region_label(e.region) AS region,
       region_label(e.region_from) AS region_from, e.happened_at, e.recorded_at, e.account_id AS account, e.note, e.evidence
FROM case_event e
WHERE e.plan_region = plan_region_of($1::bigint) AND e.case_id = $1::bigint AND e.version > coalesce($2::bigint, 0)
ORDER BY e.version LIMIT $3::int;

-- name: case_persons :many write
-- Personal data: that it was read is recorded in the same transaction.
WITH home AS (
    SELECT c.plan_region, c.household_id, c.region FROM retrofit_case c
    WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'persons of a case', $1::bigint, home.region FROM home
)
SELECT n.id, n.name, n.sex, n.relation, n.citizen_id, n.certificate, n.category::int, n.level::int, n.phone, n.registered_on,
       h.address, h.hardship, h.traits,
       ARRAY(SELECT d.item FROM need d WHERE d.plan_region = n.plan_region AND d.person_id = n.id AND d.kind = 'retrofit' ORDER BY d.id) AS retrofit_needs,
       ARRAY(SELECT d.item FROM need d WHERE d.plan_region = n.plan_region AND d.person_id = n.id AND d.kind = 'device' AND d.state <> 'dropped'
             ORDER BY d.id) AS device_needs
FROM home JOIN household h ON h.plan_region = home.plan_region AND h.id = home.household_id
JOIN person n ON n.plan_region = h.plan_region AND n.household_id = h.id
WHERE n.id > coalesce($2::bigint, 0) ORDER BY n.id LIMIT $3::int;

-- name: person_find :many write
-- $1: the keyed hash of a citizen ID
WITH hit AS (
    SELECT n.*, h.number, h.region, h.village FROM person n
    JOIN household h ON h.plan_region = n.plan_region AND h.id = n.household_id WHERE n.citizen_id_index = $1::bytea
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'person by citizen id', id, region FROM hit
)
SELECT n.id, n.name, n.citizen_id, n.certificate, n.category::int, n.level::int, n.merged_into, regexp_replace(n.number, '~' || n.id || '$', '') AS household_number,
       region_label(n.region) AS region, n.village,
       ARRAY(SELECT c.id::text FROM retrofit_case c WHERE c.plan_region = n.plan_region AND c.household_id = n.household_id
             ORDER BY c.id) AS cases
FROM hit n ORDER BY n.id LIMIT 20;

-- name: transition_rules :many public stale
SELECT r.from_stage AS from, r.to_stage AS to, r.kind, r.roles, r.needs_note
FROM transition_rule r JOIN stage_name f ON f.stage = r.from_stage JOIN stage_name t ON t.stage = r.to_stage
ORDER BY f.position, t.position;
