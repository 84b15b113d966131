-- SPDX-License-Identifier: Apache-2.0
-- Totals (SPEC §7): folded by a worker, exact at every instant as folded + not yet folded.

-- What each delta, or each event, does to which figure. measure: a stage, or 'counted'.
CREATE VIEW delta_effect WITH (security_invoker = true) AS
SELECT d.plan_id, e.region, e.measure, e.day, d.recorded_on, d.n * e.sign AS n
FROM total_delta d CROSS JOIN LATERAL (VALUES
    (d.region, d.to_stage, d.moved_on, 1),
    (coalesce(d.region_from, d.region), d.from_stage, d.moved_on, -1),
    (d.region, 'counted', d.counted_on, CASE WHEN d.region_from IS NULL THEN d.counted ELSE 1 END),
    (d.region_from, 'counted', d.counted_on, -1)) AS e (region, measure, day, sign)
WHERE e.measure IS NOT NULL AND e.day IS NOT NULL AND e.region IS NOT NULL AND e.sign <> 0;

CREATE VIEW event_effect WITH (security_invoker = true) AS
SELECT d.plan_id, d.plan_region, d.case_id, e.region, e.measure, e.day, china_date(d.recorded_at) AS recorded_on, e.sign AS n
FROM case_event d CROSS JOIN LATERAL (VALUES
    (d.region, d.to_stage, d.moved_on, 1),
    (coalesce(d.region_from, d.region), d.from_stage, d.moved_on, -1),
    (d.region, 'counted', d.counted_on, CASE WHEN d.region_from IS NULL THEN d.counted ELSE 1 END),
    (d.region_from, 'counted', d.counted_on, -1)) AS e (region, measure, day, sign)
WHERE e.measure IS NOT NULL AND e.day IS NOT NULL AND e.region IS NOT NULL AND e.sign <> 0;

-- As of now. region: every level from township to province. period: 0 (all), a year (2024), a month (202405);
-- years and months hold only 'counted', by acceptance date.
CREATE TABLE total (
    plan_id smallint NOT NULL,
    region  int NOT NULL,
    period  int NOT NULL,
    measure text NOT NULL,
    n       bigint NOT NULL,
    PRIMARY KEY (plan_id, region, period, measure)
) WITH (fillfactor = 50);
-- By the day it happened and the day it became known; the region as recorded (mostly a township).
CREATE TABLE total_history (
    plan_id     smallint NOT NULL,
    region      int NOT NULL,
    measure     text NOT NULL,
    day         date NOT NULL,
    recorded_on date NOT NULL,
    n           bigint NOT NULL,
    PRIMARY KEY (plan_id, measure, region, day, recorded_on)
);

-- Moves up to `most` deltas into the totals; answers how many. Two at once do not meet (SKIP LOCKED).
CREATE FUNCTION totals_fold(most int) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (
        DELETE FROM total_delta WHERE id IN (
            SELECT id FROM total_delta ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING *
    ), effect AS (
        SELECT d.plan_id, e.region, e.measure, e.day, d.recorded_on, sum(d.n * e.sign) AS n
        FROM taken d CROSS JOIN LATERAL (VALUES
            (d.region, d.to_stage, d.moved_on, 1),
            (coalesce(d.region_from, d.region), d.from_stage, d.moved_on, -1),
            (d.region, 'counted', d.counted_on, CASE WHEN d.region_from IS NULL THEN d.counted ELSE 1 END),
            (d.region_from, 'counted', d.counted_on, -1)) AS e (region, measure, day, sign)
        WHERE e.measure IS NOT NULL AND e.day IS NOT NULL AND e.region IS NOT NULL AND e.sign <> 0
        GROUP BY 1, 2, 3, 4, 5
    ), history AS (
        INSERT INTO total_history AS h (plan_id, region, measure, day, recorded_on, n)
        SELECT plan_id, region, measure, day, recorded_on, n FROM effect WHERE n <> 0 ORDER BY 1, 3, 2, 4, 5
        ON CONFLICT (plan_id, measure, region, day, recorded_on) DO UPDATE SET n = h.n + excluded.n
    ), now_total AS (
        INSERT INTO total AS t (plan_id, region, period, measure, n)
        SELECT e.plan_id, up.region, p.period, e.measure, sum(e.n)
        FROM effect e
        CROSS JOIN LATERAL (SELECT DISTINCT region FROM (VALUES (e.region), (e.region / 1000 * 1000),
            (e.region / 100000 * 100000), (e.region / 10000000 * 10000000)) AS v (region)) AS up
        CROSS JOIN LATERAL (SELECT 0 AS period
            UNION ALL SELECT extract(year FROM e.day)::int WHERE e.measure = 'counted'
            UNION ALL SELECT extract(year FROM e.day)::int * 100 + extract(month FROM e.day)::int
                WHERE e.measure = 'counted') AS p
        GROUP BY 1, 2, 3, 4 HAVING sum(e.n) <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT (plan_id, region, period, measure) DO UPDATE SET n = t.n + excluded.n
    )
    SELECT count(*) FROM taken
$$;

ALTER TABLE total ENABLE ROW LEVEL SECURITY;
ALTER TABLE total_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON total FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON total_history FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
GRANT SELECT ON delta_effect, event_effect, total, total_history TO tantu_app;
REVOKE EXECUTE ON FUNCTION totals_fold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION totals_fold TO tantu_app;
