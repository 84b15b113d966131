-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Figures of devices: the device-fitting rate, the people served, the devices fitted; and how the stock is used.
-- Invariant: what device_effect says of a person is what his needs, handovers, home and merges say (device_settle makes it so, in the
-- transaction of whatever changed one of them), and device_total + device_delta is the sum of device_effect. See docs/device-figures.md.

-- What a need or a household was on another day, as far as its row does not tell. One row a day: the last word of that day.
CREATE TABLE need_standing (
    plan_region int NOT NULL,
    need_id     bigint NOT NULL,
    day         date NOT NULL,
    counts      boolean NOT NULL, -- from that day on; before the first row it counts from the day it was registered
    PRIMARY KEY (plan_region, need_id, day)
);
CREATE TABLE household_move (
    plan_region  int NOT NULL,
    household_id bigint NOT NULL,
    day          date NOT NULL,
    region_from  int NOT NULL,
    region       int NOT NULL,
    PRIMARY KEY (plan_region, household_id, day)
);
-- What each person does to which figure, on which day and where: +1 when he begins to count, -1 when he ceases to, both when he moves.
-- measure: needing, fitted, rented (people, who cease again); served and served_… (people a year: +1 on the first day of the year that
-- has it); devices and devices.KIND (pieces, on the day of the fitting). Who was merged counts as whom he turned out to be.
CREATE TABLE device_effect (
    plan_region int NOT NULL,
    person_id   bigint NOT NULL,
    measure     text NOT NULL,
    day         date NOT NULL,
    region      int NOT NULL,
    n           int NOT NULL,
    PRIMARY KEY (plan_region, person_id, measure, day, region) INCLUDE (n)
);
CREATE INDEX device_effect_by_measure ON device_effect (plan_region, measure, person_id, day, region) INCLUDE (n) WHERE measure <> 'needing';
-- What has not been folded yet.
CREATE TABLE device_delta (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_region int NOT NULL,
    measure     text NOT NULL,
    region      int NOT NULL,
    day         date NOT NULL,
    n           bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);
CREATE INDEX device_delta_by_measure ON device_delta (plan_region, measure, region);
-- region: every level from township to province. period: a month (202405) and a day (20240517), so that the sum until any day is
-- some months and at most 31 days.
CREATE TABLE device_total (
    plan_region int NOT NULL,
    measure     text NOT NULL,
    region      int NOT NULL,
    period      int NOT NULL,
    n           bigint NOT NULL,
    PRIMARY KEY (plan_region, measure, region, period) INCLUDE (n)
) WITH (fillfactor = 50);

CREATE FUNCTION month_number(day date) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT extract(year FROM day)::int * 100 + extract(month FROM day)::int $$;
CREATE FUNCTION day_number(day date) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT extract(year FROM day)::int * 10000 + extract(month FROM day)::int * 100 + extract(day FROM day)::int $$;

-- Everybody who turned out to be one with one of `people`, themselves included. (PL/pgSQL, which keeps its plans; mostly there is nobody.)
CREATE FUNCTION device_same_people(of_region int, people bigint[]) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM person p WHERE p.plan_region = of_region AND p.id = ANY (people) AND p.merged_into IS NOT NULL)
        AND NOT EXISTS (SELECT FROM person p WHERE p.plan_region = of_region AND p.merged_into = ANY (people) AND p.merged_into IS NOT NULL) THEN
        RETURN people;
    END IF;
    RETURN (
        WITH RECURSIVE up AS (
            SELECT p.id, p.merged_into FROM person p WHERE p.plan_region = of_region AND p.id = ANY (people)
            UNION SELECT p.id, p.merged_into FROM up u JOIN person p ON p.plan_region = of_region AND p.id = u.merged_into
        ), down AS (
            SELECT u.id FROM up u WHERE u.merged_into IS NULL
            UNION SELECT p.id FROM down d JOIN person p ON p.plan_region = of_region AND p.merged_into = d.id AND p.merged_into IS NOT NULL
        )
        SELECT array_agg(x.id ORDER BY x.id) FROM (SELECT id FROM up UNION SELECT id FROM down UNION SELECT unnest(people)) AS x (id));
END $$;

-- What device_effect has to say of `people` (with whom was merged into them), out of what it is made of.
CREATE FUNCTION device_facts(of_region int, people bigint[])
RETURNS TABLE (person_id bigint, measure text, day date, region int, n int) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE who AS (
        SELECT p.id AS root, p.id, p.household_id AS home FROM person p
        WHERE p.plan_region = of_region AND p.id = ANY (people) AND p.merged_into IS NULL
        UNION ALL
        SELECT w.root, p.id, NULL FROM who w JOIN person p ON p.plan_region = of_region AND p.merged_into = w.id AND p.merged_into IS NOT NULL
    ), place AS ( -- where they were, from a day to another: of the household that they belong to now
        SELECT w.root, m.day AS begins, lead(m.day, 1, 'infinity') OVER (PARTITION BY w.root ORDER BY m.day) AS ends, m.region
        FROM who w CROSS JOIN LATERAL (
            SELECT '-infinity'::date AS day, coalesce((SELECT v.region_from FROM household_move v WHERE v.plan_region = of_region
                AND v.household_id = w.home ORDER BY v.day LIMIT 1), h.region) AS region
            FROM household h WHERE h.plan_region = of_region AND h.id = w.home
            UNION ALL
            SELECT v.day, v.region FROM household_move v WHERE v.plan_region = of_region AND v.household_id = w.home) AS m
        WHERE w.home IS NOT NULL
    ), turn AS ( -- of two words about a day the later one
        SELECT DISTINCT ON (q.id, t.day) w.root, q.id, t.day, t.counts FROM who w
        JOIN need q ON q.plan_region = of_region AND q.person_id = w.id AND q.kind = 'device'
        CROSS JOIN LATERAL (
            SELECT china_date(q.created_at) AS day, true AS counts, 0 AS word
            UNION ALL SELECT s.day, s.counts, 1 FROM need_standing s WHERE s.plan_region = of_region AND s.need_id = q.id) AS t
        ORDER BY q.id, t.day, t.word DESC
    ), needed AS (
        SELECT t.root, t.id, t.day AS begins, lead(t.day, 1, 'infinity') OVER (PARTITION BY t.id ORDER BY t.day) AS ends, t.counts FROM turn t
    ), given AS MATERIALIZED (
        SELECT w.root, o.id, o.kind, o.item_id, o.request_id, CASE WHEN o.kind = 'fitting' THEN fitting_day(o) ELSE china_date(o.happened_at) END AS day,
               CASE WHEN o.ended_at IS NOT NULL THEN china_date(o.ended_at) ELSE 'infinity' END AS ends
        FROM who w JOIN handover o ON o.plan_region = of_region AND o.person_id = w.id AND o.person_id IS NOT NULL
        WHERE o.kind <> 'trial' AND NOT fitting_undone(o)
    ), span AS (
        SELECT k.root, 'needing' AS measure, k.begins, k.ends FROM needed k WHERE k.counts
        UNION ALL
        SELECT g.root, 'fitted', greatest(g.day, k.begins), k.ends FROM given g
        JOIN device_request r ON r.plan_region = of_region AND r.id = g.request_id
        JOIN needed k ON k.id = r.need_id AND k.root = g.root AND k.counts
        WHERE g.kind = 'fitting' AND g.day < k.ends
        UNION ALL
        SELECT g.root, 'rented', g.day, g.ends FROM given g WHERE g.kind = 'rental' AND g.day < g.ends
    ), ahead AS (
        SELECT s.*, max(s.ends) OVER (PARTITION BY s.root, s.measure ORDER BY s.begins, s.ends
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM span s
    ), numbered AS (
        SELECT a.*, count(*) FILTER (WHERE a.before IS NULL OR a.begins > a.before)
               OVER (PARTITION BY a.root, a.measure ORDER BY a.begins, a.ends) AS part FROM ahead a
    ), whole AS ( -- without gaps
        SELECT u.root, u.measure, min(u.begins) AS begins, max(u.ends) AS ends FROM numbered u GROUP BY u.root, u.measure, u.part
    ), service AS (
        SELECT g.root, CASE g.kind WHEN 'fitting' THEN 'served_fitting' WHEN 'rental' THEN 'served_rental' ELSE 'served_loan' END AS measure, g.day
        FROM given g
        UNION ALL
        SELECT w.root, 'served_assessment', china_date(a.happened_at) FROM who w
        JOIN device_request r ON r.plan_region = of_region AND r.person_id = w.id
        JOIN device_assessment a ON a.plan_region = of_region AND a.request_id = r.id AND a.taken_back_at IS NULL
        UNION ALL
        SELECT g.root, 'served_repair', china_date(f.ended_at) FROM given g
        JOIN device_repair f ON f.plan_region = of_region AND f.item_id = g.item_id AND f.handover_id = g.id AND f.outcome = 'mended'
    ), first AS (
        SELECT s.root, x.measure, min(s.day) AS day FROM service s CROSS JOIN LATERAL (VALUES (s.measure), ('served')) AS x (measure)
        GROUP BY s.root, x.measure, extract(year FROM s.day)
    ), piece AS (
        SELECT g.root, x.measure, g.day FROM given g JOIN device_item i ON i.plan_region = of_region AND i.id = g.item_id
        JOIN device_model m ON m.code = i.model CROSS JOIN LATERAL (VALUES ('devices'), ('devices.' || m.measure)) AS x (measure)
        WHERE g.kind = 'fitting'
    ), effect AS (
        SELECT w.root, w.measure, e.day, p.region, e.n FROM whole w
        JOIN place p ON p.root = w.root AND p.begins < w.ends AND p.ends > w.begins
        CROSS JOIN LATERAL (VALUES (greatest(w.begins, p.begins), 1), (least(w.ends, p.ends), -1)) AS e (day, n)
        WHERE e.day < 'infinity'
        UNION ALL
        SELECT s.root, s.measure, s.day, p.region, 1 FROM (SELECT * FROM first UNION ALL SELECT * FROM piece) AS s
        JOIN place p ON p.root = s.root AND s.day >= p.begins AND s.day < p.ends
    )
    SELECT e.root, e.measure, e.day, e.region, sum(e.n)::int FROM effect e GROUP BY 1, 2, 3, 4 HAVING sum(e.n) <> 0 $$;

-- Makes device_effect say of `people` what is so now, and writes the difference down for the totals. Their rows are locked first: of two
-- transactions that change what one person counts, the later one counts what both have done.
CREATE FUNCTION device_settle(of_region int, people bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    locked bigint[] := device_same_people(of_region, array_remove(coalesce(people, '{}'), NULL));
    whole bigint[];
BEGIN
    LOOP
        PERFORM FROM person p WHERE p.plan_region = of_region AND p.id = ANY (locked) ORDER BY p.id FOR NO KEY UPDATE;
        whole := device_same_people(of_region, locked);
        EXIT WHEN whole <@ locked;
        locked := whole;
    END LOOP;
    WITH differs AS (
        SELECT u.person_id, u.measure, u.day, u.region, sum(u.n)::int AS n FROM (
            SELECT f.* FROM device_facts(of_region, whole) AS f
            UNION ALL
            SELECT e.person_id, e.measure, e.day, e.region, -e.n FROM device_effect e
            WHERE e.plan_region = of_region AND e.person_id = ANY (whole)) AS u
        GROUP BY 1, 2, 3, 4 HAVING sum(u.n) <> 0
    ), written AS (
        INSERT INTO device_effect AS e (plan_region, person_id, measure, day, region, n)
        SELECT of_region, d.* FROM differs d
        ON CONFLICT (plan_region, person_id, measure, day, region) DO UPDATE SET n = e.n + excluded.n
    )
    INSERT INTO device_delta (plan_region, measure, region, day, n)
    SELECT of_region, d.measure, d.region, d.day, sum(d.n) FROM differs d GROUP BY 2, 3, 4 HAVING sum(d.n) <> 0;
    DELETE FROM device_effect e WHERE e.plan_region = of_region AND e.person_id = ANY (whole) AND e.n = 0;
END $$;

-- Needs that are new. Of people who came in this very transaction (an import) there is nothing else yet to be asked; nobody else sees them, so
-- it is their household, if that was there before, that must not move away under them.
CREATE FUNCTION device_needs_come() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_nestloop = on SET enable_seqscan = on AS $$
DECLARE
    others boolean;
    old_homes bigint[];
    other record;
BEGIN
    IF NOT EXISTS (SELECT FROM fresh f WHERE f.kind = 'device') THEN
        RETURN NULL;
    END IF;
    INSERT INTO need_standing (plan_region, need_id, day, counts)
    SELECT f.plan_region, f.id, china_date(f.created_at), false FROM fresh f WHERE f.kind = 'device' AND f.state = 'dropped';
    SELECT bool_or(p.created_at <> now() OR f.created_at <> now() OR p.merged_into IS NOT NULL),
           array_agg(DISTINCT h.id) FILTER (WHERE p.created_at = now() AND h.created_at <> now())
    INTO others, old_homes FROM fresh f JOIN person p ON p.plan_region = f.plan_region AND p.id = f.person_id
    JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id WHERE f.kind = 'device';
    IF old_homes IS NOT NULL THEN
        PERFORM FROM household h WHERE (h.plan_region, h.id) IN (SELECT plan_region_of(x), x FROM unnest(old_homes) AS x) ORDER BY h.plan_region, h.id FOR SHARE;
    END IF;
    WITH plain AS (
        INSERT INTO device_effect (plan_region, person_id, measure, day, region, n)
        SELECT p.plan_region, p.id, 'needing', china_date(now()), h.region, 1
        FROM (SELECT DISTINCT f.plan_region, f.person_id FROM fresh f WHERE f.kind = 'device' AND f.state <> 'dropped' AND f.created_at = now()) AS f
        JOIN person p ON p.plan_region = f.plan_region AND p.id = f.person_id AND p.created_at = now() AND p.merged_into IS NULL
        JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
        ON CONFLICT DO NOTHING RETURNING plan_region, region, day
    )
    INSERT INTO device_delta (plan_region, measure, region, day, n)
    SELECT p.plan_region, 'needing', p.region, p.day, count(*) FROM plain p GROUP BY 1, 3, 4;
    IF others THEN
        FOR other IN SELECT f.plan_region, array_agg(DISTINCT f.person_id) AS people FROM fresh f
                JOIN person p ON p.plan_region = f.plan_region AND p.id = f.person_id
                WHERE f.kind = 'device' AND (p.created_at <> now() OR f.created_at <> now() OR p.merged_into IS NOT NULL) GROUP BY 1 LOOP
            PERFORM device_settle(other.plan_region, other.people);
        END LOOP;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER figures_come AFTER INSERT ON need REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION device_needs_come();

CREATE FUNCTION device_needs_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed record;
BEGIN
    INSERT INTO need_standing AS s (plan_region, need_id, day, counts)
    SELECT b.plan_region, b.id, china_date(now()), b.state <> 'dropped' FROM becomes b
    JOIN was w ON w.plan_region = b.plan_region AND w.id = b.id
    WHERE b.kind = 'device' AND (w.state = 'dropped') <> (b.state = 'dropped')
    ON CONFLICT (plan_region, need_id, day) DO UPDATE SET counts = excluded.counts;
    FOR changed IN SELECT x.plan_region, array_agg(DISTINCT x.person_id) AS people FROM (
            SELECT b.plan_region, unnest(ARRAY[w.person_id, b.person_id]) AS person_id FROM becomes b
            JOIN was w ON w.plan_region = b.plan_region AND w.id = b.id
            WHERE b.kind = 'device' AND ((w.state = 'dropped') <> (b.state = 'dropped') OR w.person_id <> b.person_id OR w.created_at <> b.created_at)
        ) AS x GROUP BY 1 LOOP
        PERFORM device_settle(changed.plan_region, changed.people);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER figures_change AFTER UPDATE ON need REFERENCING OLD TABLE AS was NEW TABLE AS becomes
    FOR EACH STATEMENT EXECUTE FUNCTION device_needs_change();

CREATE FUNCTION device_needs_go() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone record;
BEGIN
    FOR gone IN SELECT w.plan_region, array_agg(DISTINCT w.person_id) AS people FROM was w WHERE w.kind = 'device' GROUP BY 1 LOOP
        PERFORM device_settle(gone.plan_region, gone.people);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER figures_go AFTER DELETE ON need REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION device_needs_go();

-- A household that moves takes its people along, on the day it is told.
CREATE FUNCTION device_home_moves() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO household_move AS m (plan_region, household_id, day, region_from, region)
    VALUES (NEW.plan_region, NEW.id, china_date(now()), OLD.region, NEW.region)
    ON CONFLICT (plan_region, household_id, day) DO UPDATE SET region = excluded.region;
    PERFORM device_settle(NEW.plan_region, ARRAY(SELECT p.id FROM person p WHERE p.plan_region = NEW.plan_region AND p.household_id = NEW.id));
    RETURN NULL;
END $$;
CREATE TRIGGER figures_move AFTER UPDATE OF region ON household FOR EACH ROW WHEN (NEW.region <> OLD.region) EXECUTE FUNCTION device_home_moves();

CREATE FUNCTION device_person_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM device_settle(NEW.plan_region, array_remove(ARRAY[NEW.id, OLD.merged_into, NEW.merged_into], NULL));
    RETURN NULL;
END $$;
CREATE TRIGGER figures_merge AFTER UPDATE OF merged_into, household_id ON person FOR EACH ROW
    WHEN ((NEW.merged_into, NEW.household_id) IS DISTINCT FROM (OLD.merged_into, OLD.household_id)) EXECUTE FUNCTION device_person_changes();

-- (After `came` and `changed`, which write the events that tell the day of a fitting.)
CREATE FUNCTION device_handover_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.person_id IS NOT NULL AND NEW.kind <> 'trial' AND (TG_OP = 'INSERT'
            OR (NEW.kind, NEW.ended, NEW.ended_at, NEW.happened_at, NEW.person_id)
               IS DISTINCT FROM (OLD.kind, OLD.ended, OLD.ended_at, OLD.happened_at, OLD.person_id)) THEN
        PERFORM device_settle(NEW.plan_region, CASE WHEN TG_OP = 'INSERT' THEN ARRAY[NEW.person_id] ELSE ARRAY[NEW.person_id, OLD.person_id] END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER figures AFTER INSERT OR UPDATE ON handover FOR EACH ROW EXECUTE FUNCTION device_handover_counts();

CREATE FUNCTION device_repair_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    served bigint;
BEGIN
    SELECT o.person_id INTO served FROM handover o WHERE o.plan_region = NEW.plan_region AND o.id = NEW.handover_id;
    IF served IS NOT NULL THEN
        PERFORM device_settle(NEW.plan_region, ARRAY[served]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER figures AFTER INSERT OR UPDATE ON device_repair FOR EACH ROW WHEN (NEW.handover_id IS NOT NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION device_repair_counts();

CREATE FUNCTION device_assessment_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM device_settle(NEW.plan_region, ARRAY[(SELECT r.person_id FROM device_request r WHERE r.plan_region = NEW.plan_region AND r.id = NEW.request_id)]);
    RETURN NULL;
END $$;
CREATE TRIGGER figures AFTER INSERT OR UPDATE OF taken_back_at, happened_at ON device_assessment FOR EACH ROW EXECUTE FUNCTION device_assessment_counts();
-- A request that goes over to who somebody turned out to be takes its assessments and handovers along.
CREATE FUNCTION device_request_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM device_settle(NEW.plan_region, ARRAY[OLD.person_id, NEW.person_id]);
    RETURN NULL;
END $$;
CREATE TRIGGER figures AFTER UPDATE OF person_id ON device_request FOR EACH ROW WHEN (NEW.person_id <> OLD.person_id) EXECUTE FUNCTION device_request_counts();

-- Moves up to `most` deltas into the totals; answers how many.
CREATE FUNCTION device_fold(most int) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (
        DELETE FROM device_delta WHERE id IN (SELECT id FROM device_delta ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED) RETURNING *
    ), folded AS (
        INSERT INTO device_total AS t (plan_region, measure, region, period, n)
        SELECT d.plan_region, d.measure, up.region, p.period, sum(d.n) FROM taken d
        CROSS JOIN LATERAL ledger_levels(d.region) AS up (region)
        CROSS JOIN LATERAL (VALUES (month_number(d.day)), (day_number(d.day))) AS p (period)
        GROUP BY 1, 2, 3, 4 HAVING sum(d.n) <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT (plan_region, measure, region, period) DO UPDATE SET n = t.n + excluded.n
    )
    SELECT count(*) FROM taken $$;
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES ('totals', 'device_fold', 'device_fold', 'every 2 seconds', 1000000);

-- What an indicator counts, so that a new plan says 'wheelchairs a year' without code. NULL: nothing that the service knows of.
-- measure: the kind of device, with counts = devices; NULL: all kinds.
ALTER TABLE indicator ADD COLUMN counts text CHECK (counts IN ('households', 'device_rate', 'served', 'served_assessment', 'served_fitting',
        'served_repair', 'served_rental', 'served_loan', 'devices')),
    ADD COLUMN measure text, ADD CHECK (measure IS NULL OR counts IS NOT DISTINCT FROM 'devices'),
    ADD CHECK (counts NOT LIKE 'served%' OR per = 'year'); -- who is served in two years is two people served a year
CREATE TABLE indicator_meaning ( -- of indicators that say nothing themselves
    code    text PRIMARY KEY,
    counts  text NOT NULL,
    measure text
);
INSERT INTO indicator_meaning VALUES ('households', 'households', NULL), ('device_fitting_rate', 'device_rate', NULL),
    ('device_service_people', 'served', NULL), ('hearing_aids', 'devices', 'hearing_aid');
CREATE FUNCTION indicator_means() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.counts IS NULL THEN
        SELECT m.counts, m.measure INTO NEW.counts, NEW.measure FROM indicator_meaning m
        WHERE m.code = NEW.code AND (m.counts NOT LIKE 'served%' OR NEW.per = 'year');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER means BEFORE INSERT ON indicator FOR EACH ROW EXECUTE FUNCTION indicator_means();
UPDATE indicator i SET counts = m.counts, measure = m.measure FROM indicator_meaning m
WHERE m.code = i.code AND (m.counts NOT LIKE 'served%' OR i.per = 'year');
-- As in 0030, but of several plans of a region the one that promises something of devices.
CREATE OR REPLACE FUNCTION device_plan_of(of_region int, day date) RETURNS smallint LANGUAGE sql STABLE AS $$
    SELECT p.id FROM plan p WHERE p.region = of_region
    ORDER BY EXISTS (SELECT FROM indicator i WHERE i.plan_id = p.id AND i.counts <> 'households') DESC,
        (day BETWEEN p.begins_on AND p.ends_on) DESC, p.begins_on DESC, p.id LIMIT 1 $$;

GRANT SELECT ON indicator_meaning TO tantu_app;
GRANT UPDATE (counts, measure) ON indicator TO tantu_app;

-- How long each item was in which state, at which centre: one row a stay, made by the item's events. The times do not go backwards, even
-- where an event was told late; a return that was taken back has not been.
CREATE TABLE device_stay (
    plan_region int NOT NULL,
    item_id     bigint NOT NULL,
    version     int NOT NULL, -- of the event with which it began
    centre_id   bigint NOT NULL,
    model       text NOT NULL,
    state       text NOT NULL,
    began_at    timestamptz NOT NULL,
    ended_at    timestamptz, -- NULL: it is there now
    PRIMARY KEY (plan_region, item_id, version)
) WITH (fillfactor = 80);
CREATE INDEX device_stay_now ON device_stay (centre_id, state, began_at, item_id) INCLUDE (model) WHERE ended_at IS NULL;
CREATE INDEX device_stay_over ON device_stay (centre_id, ended_at) INCLUDE (state, began_at, model, item_id) WHERE ended_at IS NOT NULL;

CREATE FUNCTION device_stays(e device_event) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    open device_stay;
BEGIN
    IF e.from_state = e.to_state AND e.action <> 'receive' THEN
        RETURN;
    END IF;
    SELECT * INTO open FROM device_stay s WHERE s.plan_region = e.plan_region AND s.item_id = e.item_id AND s.ended_at IS NULL;
    IF e.action = 'unreturn' THEN
        DELETE FROM device_stay s WHERE s.plan_region = e.plan_region AND s.item_id = e.item_id AND s.version = open.version;
        UPDATE device_stay s SET ended_at = NULL WHERE s.plan_region = e.plan_region AND s.item_id = e.item_id AND s.version = (
            SELECT max(o.version) FROM device_stay o WHERE o.plan_region = e.plan_region AND o.item_id = e.item_id);
        RETURN;
    END IF;
    UPDATE device_stay s SET ended_at = greatest(e.happened_at, open.began_at)
    WHERE s.plan_region = e.plan_region AND s.item_id = e.item_id AND s.version = open.version;
    INSERT INTO device_stay (plan_region, item_id, version, centre_id, model, state, began_at)
    SELECT e.plan_region, e.item_id, e.version, e.centre_id, i.model, e.to_state, greatest(e.happened_at, open.began_at)
    FROM device_item i WHERE i.plan_region = e.plan_region AND i.id = e.item_id;
END $$;
CREATE FUNCTION device_event_stays() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM device_stays(NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER stays AFTER INSERT ON device_event FOR EACH ROW EXECUTE FUNCTION device_event_stays();

-- Which stays of `place` a period has, and how much of each lies in it, in days.
CREATE FUNCTION device_stays_of(place bigint, low timestamptz, high timestamptz)
RETURNS TABLE (plan_region int, item_id bigint, model text, state text, began_at timestamptz, ended_at timestamptz, days double precision)
LANGUAGE sql STABLE AS $$
    SELECT s.plan_region, s.item_id, s.model, s.state, s.began_at, s.ended_at,
           extract(epoch FROM least(s.ended_at, high) - greatest(s.began_at, low))::float8 / 86400
    FROM device_stay s WHERE s.centre_id = place AND s.ended_at IS NOT NULL AND s.ended_at > low AND s.began_at < high
    UNION ALL
    SELECT s.plan_region, s.item_id, s.model, s.state, s.began_at, NULL, extract(epoch FROM high - greatest(s.began_at, low))::float8 / 86400
    FROM device_stay s WHERE s.centre_id = place AND s.ended_at IS NULL AND s.began_at < high $$;

ALTER TABLE need_standing ENABLE ROW LEVEL SECURITY;
ALTER TABLE household_move ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_effect ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_delta ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_total ENABLE ROW LEVEL SECURITY;
ALTER TABLE indicator_meaning ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_stay ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON need_standing FOR SELECT USING ((SELECT scope_role()) = 'system');
CREATE POLICY scope ON household_move FOR SELECT USING ((SELECT scope_role()) = 'system');
CREATE POLICY scope ON device_effect FOR SELECT USING (
    (SELECT scope_sees_region()) AND (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE);
CREATE POLICY scope ON device_delta FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON device_total FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY reading ON indicator_meaning FOR SELECT USING (true);
CREATE POLICY scope ON device_stay FOR SELECT USING (CASE (SELECT scope_whose())
    WHEN '' THEN centre_id IN (SELECT c.id FROM centre c WHERE c.region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()))
    WHEN 'k' || centre_id THEN true ELSE false END);
GRANT SELECT ON need_standing, household_move, device_effect, device_delta, device_total, device_stay TO tantu_app;
REVOKE EXECUTE ON FUNCTION device_settle, device_fold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION device_fold TO tantu_app;

-- What there is already. (When a need was dropped before today nobody wrote down: it never counted. A household's moves stand in the
-- events of its cases, but for those that a merge made.)
INSERT INTO need_standing SELECT q.plan_region, q.id, china_date(q.created_at), false FROM need q WHERE q.kind = 'device' AND q.state = 'dropped';
INSERT INTO household_move (plan_region, household_id, day, region_from, region)
SELECT m.* FROM (
    SELECT c.plan_region, c.household_id, china_date(e.happened_at), (array_agg(e.region_from ORDER BY e.recorded_at, e.case_id))[1],
           (array_agg(e.region ORDER BY e.recorded_at DESC, e.case_id))[1]
    FROM case_event e JOIN retrofit_case c ON c.plan_region = e.plan_region AND c.id = e.case_id
    WHERE e.kind = 'relocate' AND NOT EXISTS (SELECT FROM duplicate_merge d WHERE d.plan_region = e.plan_region
        AND e.recorded_at IN (d.merged_at, d.undone_at)) GROUP BY 1, 2, 3) AS m;
DO $$
DECLARE
    chunk record;
BEGIN
    FOR chunk IN SELECT x.plan_region, array_agg(x.id) AS people FROM (
            SELECT o.plan_region, o.id, row_number() OVER (PARTITION BY o.plan_region ORDER BY o.id) / 10000 AS part FROM (
                SELECT q.plan_region, coalesce(p.merged_into, p.id) AS id FROM need q
                JOIN person p ON p.plan_region = q.plan_region AND p.id = q.person_id WHERE q.kind = 'device'
                UNION SELECT h.plan_region, h.person_id FROM handover h WHERE h.person_id IS NOT NULL) AS o) AS x
        GROUP BY x.plan_region, x.part LOOP
        PERFORM device_settle(chunk.plan_region, chunk.people);
    END LOOP;
    PERFORM device_stays(e) FROM (SELECT * FROM device_event ORDER BY plan_region, item_id, version) AS e;
    PERFORM device_fold(2000000000);
END $$;
