-- SPDX-License-Identifier: Apache-2.0
-- Figures of devices: the device-fitting rate, the people served, what indicators have reached, the use of the stock. Their rules are in
-- migration 0040 and docs/device-figures.md. A figure is folded totals plus what is not folded yet, in one snapshot.

-- part: asked
-- $1 plan, $2 region (NULL: the plan's, or as much of it as the caller sees). One row, or none when nothing of it is his.
WITH asked AS MATERIALIZED (
    SELECT p.id, p.code, p.region AS whole, p.begins_on, p.ends_on, r.place, r.high, r.code AS region, china_date(now()) AS today
    FROM plan p
    JOIN region top ON top.place = p.region
    JOIN region r ON r.place = CASE WHEN $2::text IS NOT NULL THEN (SELECT c.place FROM region_code c WHERE c.code = $2::text)
                                    WHEN p.region BETWEEN scope_low() AND scope_high() THEN p.region
                                    ELSE scope_low() END
    WHERE p.code = $1::text AND (r.place BETWEEN scope_low() AND scope_high()) IS TRUE
      AND (r.place BETWEEN top.place AND top.high) IS TRUE
)

-- part: sums
-- the rows whose sum is what x.measures have come to at place c within what is asked, from x.since (the first of a month; NULL: the
-- beginning) until x.until. Totals know months and days: so it is some months, at most 31 days, and what is not folded yet.
SELECT t.measure, t.n FROM device_total t WHERE t.plan_region = a.whole AND t.measure = ANY (x.measures) AND t.region = greatest(c.place, a.place)
    AND t.period >= CASE WHEN x.since IS NULL THEN 0 ELSE month_number(x.since) END AND t.period < month_number(x.until)
UNION ALL
SELECT t.measure, t.n FROM device_total t WHERE t.plan_region = a.whole AND t.measure = ANY (x.measures) AND t.region = greatest(c.place, a.place)
    AND t.period > month_number(x.until) * 100 AND t.period <= day_number(x.until)
UNION ALL
SELECT d.measure, d.n FROM device_delta d WHERE d.plan_region = a.whole AND d.measure = ANY (x.measures)
    AND d.region >= greatest(c.place, a.place) AND d.region <= least(c.high, a.high)
    AND d.day >= CASE WHEN x.since IS NULL THEN '-infinity' ELSE x.since END AND d.day <= x.until

-- part: rate
-- of place c within what is asked, on the day $3
CROSS JOIN LATERAL (SELECT '{needing,fitted,rented}'::text[] AS measures, NULL::date AS since,
                           CASE WHEN $3::date IS NULL THEN a.today ELSE $3::date END AS until) AS x
CROSS JOIN LATERAL (
    SELECT coalesce(sum(u.n) FILTER (WHERE u.measure = 'needing'), 0)::bigint AS needing, coalesce(sum(u.n) FILTER (WHERE u.measure = 'fitted'), 0)::bigint AS fitted,
           coalesce(sum(u.n) FILTER (WHERE u.measure = 'rented'), 0)::bigint AS rented
    FROM ({{sums}}) AS u) AS f
LEFT JOIN LATERAL (
    SELECT coalesce((SELECT s.value FROM target_split s WHERE s.plan_id = i.plan_id AND s.indicator = i.code AND s.county = c.place AND s.year = 0),
                    i.target)::float8 AS target, i.direction
    FROM indicator i WHERE i.plan_id = a.id AND i.counts = 'device_rate' ORDER BY i.code LIMIT 1) AS i ON true

-- part: rate_columns
f.needing, f.fitted, f.needing - f.fitted AS waiting, f.rented, round(100.0 * f.fitted / nullif(f.needing, 0), 2)::float8 AS rate, i.target, i.direction,
       CASE WHEN f.needing > 0 AND i.direction = 'more_than' THEN f.fitted * 100 > i.target * f.needing
            WHEN f.needing > 0 THEN f.fitted * 100 >= i.target * f.needing END AS met

-- name: device_rate :one
-- $3 on which day (NULL: today). Costs the same at any number of people.
{{asked}}
SELECT {{rate_columns}},
       x.until AS as_of, x.until BETWEEN a.begins_on AND a.ends_on AS in_period, true AS exact, a.code AS plan, a.region
FROM asked a CROSS JOIN LATERAL (SELECT a.place, a.high) AS c
{{rate}};

-- name: device_rate_by_county :many
-- $3 on which day (NULL: today)
{{asked}}
SELECT c.code AS region, c.name, {{rate_columns}}
FROM asked a
JOIN region c ON c.level = 'county' AND (c.place BETWEEN a.place AND a.high OR a.place BETWEEN c.place AND c.high)
{{rate}}
ORDER BY c.place;

-- part: person_columns
p.id, left(p.name, 1) || repeat('*', greatest(length(p.name) - 1, 1)) AS name, p.sex, h.number AS household_number, region_label(e.region) AS region,
       (SELECT coalesce(json_agg(q.item ORDER BY q.id), '[]') FROM need q WHERE q.plan_region = p.plan_region AND q.person_id = p.id
            AND q.kind = 'device' AND q.state <> 'dropped') AS needs
FROM (

-- part: person_joins
) AS e JOIN person p ON p.plan_region = e.plan_region AND p.id = e.person_id
JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
ORDER BY p.id;

-- part: counted_there
-- where somebody is counted, of the rows that say so
(array_agg(e.region ORDER BY e.day DESC, e.n DESC))[1] AS region

-- name: device_needing :many
-- Who has a device need on a day, or who of them waits: $3 needing or waiting, $4 day (NULL: today), $5 after, $6 limit
{{asked}}
SELECT {{person_columns}}
    SELECT e.* FROM asked a CROSS JOIN LATERAL (
        SELECT e.plan_region, e.person_id, {{counted_there}} FROM device_effect e
        WHERE e.plan_region = a.whole AND e.measure = 'needing' AND e.person_id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END
          AND (e.region >= a.place AND e.region <= a.high) IS TRUE AND (e.day <= CASE WHEN $4::date IS NULL THEN a.today ELSE $4::date END) IS TRUE
        GROUP BY e.plan_region, e.person_id
        HAVING sum(e.n) > 0 AND ($3::text = 'needing' OR coalesce((SELECT sum(o.n) FROM device_effect o
            WHERE o.plan_region = e.plan_region AND o.person_id = e.person_id AND o.measure = 'fitted' AND o.region >= a.place AND o.region <= a.high
              AND o.day <= CASE WHEN $4::date IS NULL THEN a.today ELSE $4::date END), 0) = 0)
        ORDER BY e.person_id LIMIT $6::int) AS e
{{person_joins}}

-- name: device_people :many
-- Who is fitted, or rents, on a day: $3 fitted or rented, $4 day (NULL: today), $5 after, $6 limit
{{asked}}
SELECT {{person_columns}}
    SELECT e.* FROM asked a CROSS JOIN LATERAL (
        SELECT e.plan_region, e.person_id, {{counted_there}} FROM device_effect e
        WHERE e.plan_region = a.whole AND e.measure = $3::text AND e.measure <> 'needing' AND e.person_id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END
          AND (e.region >= a.place AND e.region <= a.high) IS TRUE AND (e.day <= CASE WHEN $4::date IS NULL THEN a.today ELSE $4::date END) IS TRUE
        GROUP BY e.plan_region, e.person_id HAVING sum(e.n) > 0 ORDER BY e.person_id LIMIT $6::int) AS e
{{person_joins}}

-- part: of_year
-- $3 year (NULL: this one)
(SELECT y.year, make_date(y.year, 1, 1) AS since, make_date(y.year, 12, 31) AS until
 FROM (SELECT CASE WHEN $3::int IS NULL THEN extract(year FROM a.today)::int ELSE $3::int END AS year) AS y) AS y

-- name: device_services :many
-- People of a year by service, each once in each, and once in all.
{{asked}}
SELECT s.service, coalesce(sum(u.n), 0)::bigint AS people, y.year
FROM asked a CROSS JOIN LATERAL {{of_year}} CROSS JOIN LATERAL (SELECT a.place, a.high) AS c
CROSS JOIN LATERAL (SELECT '{served,served_assessment,served_fitting,served_repair,served_rental,served_loan}'::text[] AS measures, y.since, y.until) AS x
CROSS JOIN (VALUES (1, 'all', 'served'), (2, 'assessment', 'served_assessment'), (3, 'fitting', 'served_fitting'), (4, 'repair', 'served_repair'),
    (5, 'rental', 'served_rental'), (6, 'loan', 'served_loan')) AS s (n, service, measure)
LEFT JOIN LATERAL ({{sums}}) AS u ON u.measure = s.measure
GROUP BY s.n, s.service, y.year ORDER BY s.n;

-- name: device_served :many
-- Who they are: $4 service, $5 after, $6 limit
{{asked}}
SELECT {{person_columns}}
    SELECT e.* FROM asked a CROSS JOIN LATERAL {{of_year}} CROSS JOIN LATERAL (
        SELECT e.plan_region, e.person_id, {{counted_there}} FROM device_effect e
        WHERE e.plan_region = a.whole AND e.measure = CASE $4::text WHEN 'all' THEN 'served' ELSE 'served_' || $4::text END AND e.measure <> 'needing'
          AND e.person_id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END
          AND (e.region >= a.place AND e.region <= a.high) IS TRUE AND (e.day BETWEEN y.since AND y.until) IS TRUE
        GROUP BY e.plan_region, e.person_id HAVING sum(e.n) > 0 ORDER BY e.person_id LIMIT $6::int) AS e
{{person_joins}}

-- name: device_pieces :many
-- The devices of a kind ($4; NULL: all) that were fitted in a year ($3; NULL: in all of them), $5 after, $6 limit: as many as the figure says. The people whom
-- the figure counts are looked at one after the other; what they were given stands in their handovers.
{{asked}}, counted AS (
    SELECT e.plan_region, e.person_id, e.day, e.region FROM asked a CROSS JOIN LATERAL {{of_year}}
    JOIN device_effect e ON e.plan_region = a.whole AND e.measure = CASE WHEN $4::text IS NULL THEN 'devices' ELSE 'devices.' || $4::text END
        AND e.measure <> 'needing' AND (e.region >= a.place AND e.region <= a.high) IS TRUE
        AND ($3::int IS NULL OR (e.day BETWEEN y.since AND y.until) IS TRUE)
)
SELECT o.id, i.code AS item, i.model, m.measure, c.day AS fitted_on, region_label(c.region) AS region, p.id AS person,
       left(p.name, 1) || repeat('*', greatest(length(p.name) - 1, 1)) AS name
FROM counted c CROSS JOIN LATERAL unnest(device_same_people(c.plan_region, ARRAY[c.person_id])) AS w (id)
JOIN handover o ON o.plan_region = c.plan_region AND o.person_id = w.id AND o.kind = 'fitting' AND o.id > coalesce($5::bigint, 0)
JOIN device_item i ON i.plan_region = o.plan_region AND i.id = o.item_id
JOIN device_model m ON m.code = i.model AND ($4::text IS NULL OR m.measure = $4::text)
JOIN person p ON p.plan_region = o.plan_region AND p.id = c.person_id
WHERE fitting_day(o) = c.day AND NOT fitting_undone(o)
ORDER BY o.id LIMIT $6::int;

-- name: indicators_progress :many
-- Each indicator of the plan with what it has reached: $3 year (NULL: this one, and of what is due in the whole period, all of it).
{{asked}}
SELECT i.code, i.name_zh, i.name_ko, i.name_en, i.unit, i.per, i.counts, i.measure, i.direction, i.binding, t.target, r.reached,
       CASE i.counts WHEN 'device_rate' THEN r.reached ELSE round((100.0 * r.reached / nullif(t.target, 0))::numeric, 2)::float8 END AS percent,
       greatest(t.target - r.reached, 0) AS remaining,
       CASE i.direction WHEN 'more_than' THEN r.reached > t.target ELSE r.reached >= t.target END AS met, s.since, s.until, o.opening
FROM asked a
JOIN indicator i ON i.plan_id = a.id
CROSS JOIN LATERAL {{of_year}}
CROSS JOIN LATERAL (SELECT CASE i.per WHEN 'year' THEN y.since END AS since,
    CASE WHEN i.per = 'year' THEN y.until WHEN $3::int IS NULL THEN a.today ELSE least(y.until, a.today) END AS until) AS s
CROSS JOIN LATERAL (SELECT CASE WHEN a.place = a.whole OR i.unit = 'percent' THEN coalesce((SELECT v.value FROM target_split v WHERE v.plan_id = i.plan_id
        AND v.indicator = i.code AND v.year = CASE i.per WHEN 'year' THEN y.year ELSE 0 END AND v.county = CASE WHEN a.place = a.whole THEN 0 ELSE a.place END
        AND (v.county <> 0 OR v.year <> 0)), i.target)
    ELSE (SELECT v.value FROM target_split v WHERE v.plan_id = i.plan_id AND v.indicator = i.code AND v.county = a.place
        AND v.year IN (0, CASE i.per WHEN 'year' THEN y.year ELSE 0 END) ORDER BY v.year DESC LIMIT 1) END::float8 AS target) AS t
CROSS JOIN LATERAL (SELECT a.place, a.high) AS c
CROSS JOIN LATERAL (SELECT CASE i.counts WHEN 'device_rate' THEN '{needing,fitted}'::text[] ELSE ARRAY[i.counts || coalesce('.' || i.measure, '')] END AS measures,
    CASE WHEN i.counts <> 'device_rate' THEN s.since END AS since, CASE i.counts WHEN 'device_rate' THEN least(s.until, a.today) ELSE s.until END AS until) AS x
CROSS JOIN LATERAL (SELECT CASE
    WHEN i.counts = 'households' THEN (SELECT coalesce(sum(u.n), 0) FROM (
        SELECT x.n FROM total x WHERE x.plan_id = a.id AND x.region = a.place AND x.measure = 'counted' AND x.period BETWEEN 1 AND 9999
            AND x.period BETWEEN coalesce(extract(year FROM s.since), 1) AND CASE WHEN i.per = 'period' AND $3::int IS NULL THEN 9999 ELSE y.year END
        UNION ALL
        SELECT d.n FROM delta_effect d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high AND d.measure = 'counted'
            AND extract(year FROM d.day) BETWEEN coalesce(extract(year FROM s.since), 1) AND CASE WHEN i.per = 'period' AND $3::int IS NULL THEN 9999 ELSE y.year END
        ) AS u)
    WHEN i.counts = 'device_rate' THEN (SELECT round(100.0 * coalesce(sum(u.n) FILTER (WHERE u.measure = 'fitted'), 0)
        / nullif(sum(u.n) FILTER (WHERE u.measure = 'needing'), 0), 2) FROM ({{sums}}) AS u)
    WHEN i.counts IS NOT NULL THEN (SELECT coalesce(sum(u.n), 0) FROM ({{sums}}) AS u) END::float8 AS reached) AS r
CROSS JOIN LATERAL (SELECT CASE WHEN i.counts = 'households' THEN '/api/v1/cases?plan=' || a.code || '&counted=true&region=' || a.region
        || CASE WHEN s.since IS NULL AND $3::int IS NULL THEN '' ELSE coalesce('&accepted_from=' || s.since, '') || '&accepted_to=' || y.until END
    WHEN i.counts = 'device_rate' THEN '/api/v1/plans/' || a.code || '/device-rate/people?measure=fitted&region=' || a.region || '&as_of=' || least(s.until, a.today)
    WHEN i.counts = 'devices' THEN '/api/v1/plans/' || a.code || '/device-services/devices?region=' || a.region
        || CASE i.per WHEN 'year' THEN '&year=' || y.year ELSE '' END || coalesce('&measure=' || i.measure, '')
    WHEN i.counts IS NOT NULL THEN '/api/v1/plans/' || a.code || '/device-services/people?region=' || a.region || '&year=' || y.year || '&service='
        || CASE i.counts WHEN 'served' THEN 'all' ELSE substr(i.counts, 8) END END AS opening) AS o
ORDER BY i.code;

-- name: device_fold :one work
SELECT device_fold($1::int) AS folded;

-- part: places
-- $1 centre (NULL: all), $2 region (NULL: the scope; any code it ever had): the centres in the caller's scope
WITH asked AS MATERIALIZED (
    SELECT CASE WHEN $2::text IS NULL THEN 0 ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
           CASE WHEN $2::text IS NULL THEN 999999999 ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $2::text) END AS high
), places AS MATERIALIZED (
    SELECT c.id, c.code, c.name FROM asked a, centre c WHERE c.plan_region IS NOT NULL AND (c.region BETWEEN a.low AND a.high) IS TRUE
      AND ($1::text IS NULL OR c.code = $1::text)
      AND CASE (SELECT scope_role()) WHEN 'centre' THEN c.id = (SELECT scope_centre()) ELSE c.region BETWEEN scope_low() AND scope_high() END
)

-- part: times
-- $3 from, $4 until: days in China, and not longer than now
, times AS MATERIALIZED (
    SELECT (CASE WHEN $3::date IS NULL THEN date_trunc('year', china_date(now()))::date ELSE $3::date END)::timestamp AT TIME ZONE 'Asia/Shanghai' AS begins,
           least((CASE WHEN $4::date IS NULL THEN china_date(now()) ELSE $4::date END + 1)::timestamp AT TIME ZONE 'Asia/Shanghai', now()) AS ends
)

-- name: device_use :many
-- Item-days of a time, $5 by model, kind or centre: of which the centre had the item (not fitted, lost or recycled), of which it was lent.
-- $6 after, $7 limit
{{places}}{{times}}
SELECT u.code, CASE $5::text WHEN 'centre' THEN (SELECT p.name FROM places p WHERE p.code = u.code)
                             WHEN 'model' THEN (SELECT m.name_zh FROM device_model m WHERE m.code = u.code)
                             ELSE (SELECT m.name_zh FROM measure m WHERE m.code = u.code) END AS name,
       u.items, round(u.had::numeric, 2)::float8 AS days, round(u.lent::numeric, 2)::float8 AS days_lent, round(u.idle::numeric, 2)::float8 AS days_in_stock,
       round((100 * u.lent / nullif(u.had, 0))::numeric, 2)::float8 AS utilisation
FROM (
    SELECT CASE $5::text WHEN 'centre' THEN p.code WHEN 'model' THEN m.code ELSE m.measure END AS code,
           count(*) FILTER (WHERE s.ended_at IS NULL AND s.state NOT IN ('fitted', 'lost', 'recycled')) AS items,
           coalesce(sum(s.days) FILTER (WHERE s.state NOT IN ('fitted', 'lost', 'recycled')), 0) AS had,
           coalesce(sum(s.days) FILTER (WHERE s.state = 'lent'), 0) AS lent,
           coalesce(sum(s.days) FILTER (WHERE s.state = 'in_stock'), 0) AS idle
    FROM times a CROSS JOIN places p CROSS JOIN LATERAL device_stays_of(p.id, a.begins, a.ends) AS s JOIN device_model m ON m.code = s.model
    GROUP BY 1) AS u
WHERE u.code > coalesce($6::text, '') ORDER BY u.code LIMIT $7::int;

-- name: device_states :many
-- State by state: how many items are in it and for how long, and how long those were that left it in a time. Days.
{{places}}{{times}}, now_in AS (
    SELECT s.state, count(*) AS items, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM now() - s.began_at)) AS median,
           avg(extract(epoch FROM now() - s.began_at)) AS mean, max(extract(epoch FROM now() - s.began_at)) AS longest
    FROM places p JOIN device_stay s ON s.centre_id = p.id AND s.ended_at IS NULL GROUP BY s.state
), ended AS (
    SELECT s.state, count(*) AS stays, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.ended_at - s.began_at)) AS median,
           avg(extract(epoch FROM s.ended_at - s.began_at)) AS mean
    FROM times a CROSS JOIN places p JOIN device_stay s ON s.centre_id = p.id AND s.ended_at IS NOT NULL AND s.ended_at >= a.begins AND s.ended_at < a.ends
    GROUP BY s.state
)
SELECT state, coalesce(n.items, 0) AS items, round((n.median / 86400)::numeric, 2)::float8 AS median_days, round((n.mean / 86400)::numeric, 2)::float8 AS mean_days,
       round((n.longest / 86400)::numeric, 2)::float8 AS longest_days, coalesce(e.stays, 0) AS "ended.stays",
       round((e.median / 86400)::numeric, 2)::float8 AS "ended.median_days", round((e.mean / 86400)::numeric, 2)::float8 AS "ended.mean_days"
FROM now_in n FULL JOIN ended e USING (state) ORDER BY state;

-- name: device_waits :many
-- Items in a state ($3; NULL: where somebody is to do something) for at least $4 days, never handed out ($5), of a kind ($6): the longest
-- first. $7 after, $8 limit. At most a page is read of each centre and state.
{{places}}, after AS MATERIALIZED (
    SELECT CASE WHEN $7::text IS NULL THEN '-infinity' ELSE 'epoch'::timestamptz + split_part($7::text, '.', 1)::bigint * interval '1 microsecond' END AS began_at,
           CASE WHEN $7::text IS NULL THEN 0 ELSE split_part($7::text, '.', 2)::bigint END AS item_id
)
SELECT i.id, i.code, i.model, m.name_zh AS model_name, m.measure, s.centre, i.state, i.shelf, s.began_at AS since,
       floor(extract(epoch FROM now() - s.began_at) / 86400)::int AS days, i.recall_id IS NOT NULL AS recalled, i.transfer_id IS NOT NULL AS on_its_way,
       (extract(epoch FROM s.began_at) * 1000000)::bigint || '.' || s.item_id AS _cursor
FROM (
    SELECT s.*, p.code AS centre FROM places p
    CROSS JOIN unnest(CASE WHEN $3::text IS NULL THEN '{returned,disinfecting,inspecting,repairing,recalled}'::text[] ELSE ARRAY[$3::text] END) AS w (state)
    CROSS JOIN after a CROSS JOIN LATERAL (
        SELECT s.* FROM device_stay s WHERE s.centre_id = p.id AND s.state = w.state AND s.ended_at IS NULL
          AND (s.began_at, s.item_id) > (a.began_at, a.item_id) AND s.began_at <= now() - coalesce($4::int, 0) * interval '1 day'
          AND ($5::boolean IS NOT TRUE OR NOT EXISTS (SELECT FROM device_stay o WHERE o.plan_region = s.plan_region AND o.item_id = s.item_id
              AND o.state IN ('lent', 'fitted')))
          AND ($6::text IS NULL OR s.model IN (SELECT x.code FROM device_model x WHERE x.measure = $6::text))
        ORDER BY s.began_at, s.item_id LIMIT $8::int) AS s
    ORDER BY s.began_at, s.item_id LIMIT $8::int) AS s
JOIN device_item i ON i.plan_region = s.plan_region AND i.id = s.item_id JOIN device_model m ON m.code = i.model
ORDER BY s.began_at, s.item_id;

-- name: verify_device_figures :many work
-- In one snapshot: each person's row against his needs, handovers, home and merges; the totals (folded and not yet folded) against the
-- persons' rows; the stays of each item against its events. No rows: all is well.
WITH somebody AS (
    SELECT q.plan_region, q.person_id AS id FROM need q WHERE q.kind = 'device'
    UNION SELECT h.plan_region, h.person_id FROM handover h WHERE h.person_id IS NOT NULL
    UNION SELECT e.plan_region, e.person_id FROM device_effect e
    UNION SELECT p.plan_region, p.merged_into FROM person p WHERE p.merged_into IS NOT NULL
), chunk AS (
    SELECT x.plan_region, array_agg(x.id) AS people
    FROM (SELECT s.*, row_number() OVER (PARTITION BY s.plan_region ORDER BY s.id) / 1000 AS part FROM somebody s) AS x GROUP BY x.plan_region, x.part
), facts AS (
    SELECT s.plan_region, f.* FROM chunk s CROSS JOIN LATERAL device_facts(s.plan_region, s.people) AS f
), sums AS (
    SELECT 'pending' AS source, d.plan_region, d.measure, d.region, d.day, sum(d.n) AS n FROM device_delta d GROUP BY 2, 3, 4, 5
    UNION ALL SELECT 'recount', e.plan_region, e.measure, e.region, e.day, sum(e.n) FROM device_effect e GROUP BY 2, 3, 4, 5
), state AS (
    SELECT e.plan_region, e.item_id, e.version, e.centre_id, e.to_state FROM device_event e
    WHERE (e.from_state <> e.to_state OR e.action = 'receive') AND e.action <> 'unreturn' AND NOT EXISTS (
        SELECT FROM device_event b WHERE b.plan_region = e.plan_region AND b.item_id = e.item_id AND b.version = e.version + 1 AND b.action = 'unreturn')
), figures AS (
    SELECT 'person' AS figure, e.plan_region, e.person_id::text AS part, concat_ws('/', e.measure, e.day, e.region) AS measure, e.n AS kept, 0 AS recounted
    FROM device_effect e
    UNION ALL SELECT 'person', f.plan_region, f.person_id::text, concat_ws('/', f.measure, f.day, f.region), 0, f.n FROM facts f
    UNION ALL SELECT 'total', t.plan_region, concat_ws('/', t.region, t.period), t.measure, t.n, 0 FROM device_total t
    UNION ALL SELECT 'total', s.plan_region, concat_ws('/', up.region, p.period), s.measure, CASE s.source WHEN 'pending' THEN s.n ELSE 0 END,
            CASE s.source WHEN 'recount' THEN s.n ELSE 0 END
        FROM sums s CROSS JOIN LATERAL ledger_levels(s.region) AS up (region)
        CROSS JOIN LATERAL (VALUES (month_number(s.day)), (day_number(s.day))) AS p (period)
    UNION ALL SELECT 'stay', s.plan_region, s.item_id::text, concat_ws('/', s.version, s.centre_id, s.state), 1, 0 FROM device_stay s
    UNION ALL SELECT 'stay', s.plan_region, s.item_id::text, concat_ws('/', s.version, s.centre_id, s.to_state), 0, 1 FROM state s
    UNION ALL SELECT 'open stay', i.plan_region, i.id::text, i.state, 0, 1 FROM device_item i
    UNION ALL SELECT 'open stay', s.plan_region, s.item_id::text, s.state, 1, 0 FROM device_stay s WHERE s.ended_at IS NULL
)
SELECT f.figure, coalesce(region_label(f.plan_region), f.plan_region::text) AS region, f.part, f.measure, sum(f.kept)::bigint AS kept,
       sum(f.recounted)::bigint AS recounted
FROM figures f GROUP BY 1, 2, 3, 4 HAVING sum(f.kept) <> sum(f.recounted) ORDER BY 1, 2, 3, 4;
