-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Priority: the order of the waiting list. The score of a case is the sum of named parts. What can be a part is a criterion; which
-- are, and for how many points, is a plan's rule. `per`: once, each (further member), month.
CREATE TABLE priority_criterion (
    code     text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    kind     text NOT NULL CHECK (kind IN ('severe_poor', 'level', 'several', 'trait', 'category', 'hardship', 'members', 'waiting')),
    value    text NOT NULL DEFAULT '', -- which level, trait, category, hardship
    per      text NOT NULL CHECK (per IN ('once', 'each', 'month')),
    name_zh  text NOT NULL,
    name_ko  text NOT NULL,
    name_en  text NOT NULL
);
INSERT INTO priority_criterion VALUES
    ('severe_poor', 1, 'severe_poor', '', 'once', '困难重度残疾人家庭', '생활이 어려운 중증장애인 가구', 'Severely disabled and in hardship'),
    ('level_1', 2, 'level', '1', 'once', '有一级残疾人', '1급 장애인이 있음', 'A member of level one'),
    ('level_2', 3, 'level', '2', 'once', '有二级残疾人', '2급 장애인이 있음', 'A member of level two, none of level one'),
    ('several_disabled', 4, 'several', '一户多残', 'once', '一户多残', '한 가구에 장애인 여럿', 'Several disabled members'),
    ('elder_disabled', 5, 'trait', '老残一体', 'once', '老残一体', '노인이면서 장애인', 'Elderly and disabled'),
    ('ill_disabled', 6, 'trait', '残病一体', 'once', '残病一体', '환자이면서 장애인', 'Ill and disabled'),
    ('elder_carer', 7, 'trait', '依老养残', 'once', '依老养残', '노부모가 장애인을 부양', 'A disabled person kept by elderly parents'),
    ('multiple', 8, 'category', '7', 'once', '多重残疾', '중복장애', 'Multiple disabilities'),
    ('hardship_extreme', 9, 'hardship', '特困', 'once', '特困', '특별빈곤', 'In extreme hardship'),
    ('hardship_allowance', 10, 'hardship', '低保', 'once', '低保', '최저생계보장', 'On the minimum living allowance'),
    ('hardship_edge', 11, 'hardship', '低保边缘', 'once', '低保边缘', '최저생계보장 경계', 'Just above the allowance'),
    ('hardship_watch', 12, 'hardship', '防返贫监测', 'once', '防返贫监测', '빈곤 재발 관찰', 'Watched against falling back into poverty'),
    ('more_members', 13, 'members', '', 'each', '每多一名残疾人', '추가 장애인 한 명마다', 'Each further disabled member'),
    ('waiting', 14, 'waiting', '', 'month', '登记等候（每月）', '등록 후 대기 (매월)', 'Waiting since registration, a month');

-- The rules that plans begin with: '' any plan, else the plan of that code. `most`: how often it counts at the most.
CREATE TABLE priority_default (
    plan_code text NOT NULL,
    code      text NOT NULL REFERENCES priority_criterion,
    points    int NOT NULL,
    most      int NOT NULL,
    PRIMARY KEY (plan_code, code)
);
INSERT INTO priority_default
SELECT '', v.* FROM (VALUES ('level_1', 200, 1), ('level_2', 120, 1), ('hardship_extreme', 100, 1), ('hardship_allowance', 80, 1),
    ('hardship_edge', 50, 1), ('hardship_watch', 50, 1), ('several_disabled', 60, 1), ('elder_disabled', 40, 1), ('ill_disabled', 40, 1),
    ('elder_carer', 40, 1), ('multiple', 40, 1), ('more_members', 10, 4), ('waiting', 1, 60)) AS v
UNION ALL -- 困难重度残疾人家庭优先；一户多残、老残一体优先
SELECT 'daqing', v.* FROM (VALUES ('severe_poor', 1000, 1), ('several_disabled', 200, 1), ('elder_disabled', 200, 1), ('level_1', 60, 1),
    ('level_2', 40, 1), ('hardship_extreme', 40, 1), ('hardship_allowance', 30, 1), ('hardship_edge', 20, 1), ('hardship_watch', 20, 1),
    ('waiting', 1, 60)) AS v
UNION ALL -- 同等条件下重度、多重、老残一体、残病一体优先
SELECT 'yanbian', v.* FROM (VALUES ('level_1', 200, 1), ('level_2', 200, 1), ('multiple', 150, 1), ('elder_disabled', 100, 1),
    ('ill_disabled', 100, 1), ('waiting', 1, 60)) AS v;

CREATE TABLE priority_rule (
    plan_id    smallint PRIMARY KEY REFERENCES plan,
    version    int NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by bigint -- NULL: as the plan began
);
CREATE TABLE priority_part (
    plan_id smallint NOT NULL REFERENCES priority_rule,
    code    text NOT NULL REFERENCES priority_criterion,
    points  int NOT NULL CHECK (points BETWEEN 1 AND 5000),
    most    int NOT NULL CHECK (most BETWEEN 1 AND 120),
    PRIMARY KEY (plan_id, code)
);

-- The cases that wait: those in registered and approved, and of the suspended ones those that return there (a pause changes
-- nothing here). Only the triggers below write it.
CREATE TABLE case_priority (
    plan_region   int NOT NULL,
    case_id       bigint NOT NULL,
    plan_id       smallint NOT NULL,
    stage         stage NOT NULL,
    region        int NOT NULL,
    county        int NOT NULL,
    score         int NOT NULL,
    registered_on date NOT NULL,
    turn          bigint NOT NULL, -- priority_turn
    rule_version  int NOT NULL,    -- of the rule that it was scored by
    PRIMARY KEY (plan_region, case_id)
);
CREATE INDEX case_priority_list ON case_priority (plan_id, stage, county, turn) INCLUDE (region, case_id, plan_region);
CREATE INDEX case_priority_by_rule ON case_priority (plan_id, rule_version);

-- The order as one number: higher scores first, then who registered earlier, then the lower id. 9000 is the most a rule may give.
CREATE FUNCTION priority_turn(score int, registered_on date, case_id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (9000 - score) * 1000000000000000 + greatest(0, least(99999, registered_on - date '1900-01-01')) * 10000000000 + case_id % 10000000000 $$;

-- How often a criterion applies. Months count to the plan's last day, the same for all: between two cases the difference is that
-- of their waiting on every day, so no score changes by the mere passing of time.
CREATE FUNCTION priority_times(kind text, value text, level int, multiple boolean, members int, hardship text, poor boolean, traits text[],
                               registered_on date, until date) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE kind
        WHEN 'severe_poor' THEN (level <= 2 AND poor)::int
        WHEN 'level' THEN (level::text = value)::int
        WHEN 'several' THEN (members > 1 OR value = ANY (traits))::int
        WHEN 'trait' THEN (value = ANY (traits))::int
        WHEN 'category' THEN multiple::int
        WHEN 'hardship' THEN (hardship = value)::int
        WHEN 'members' THEN greatest(members - 1, 0)
        WHEN 'waiting' THEN greatest(0, (extract(year FROM until) - extract(year FROM registered_on))::int * 12
            + (extract(month FROM until) - extract(month FROM registered_on))::int
            - (extract(day FROM until) < extract(day FROM registered_on))::int) END $$;

-- What of a case its priority is about. (OFFSET 0: looked up case by case, whatever the planner believes of tables that grew.)
CREATE VIEW priority_fact WITH (security_invoker = true) AS
SELECT c.plan_region, c.id AS case_id, c.plan_id, w.registered_on, h.hardship, h.traits, m.level, m.multiple, m.members,
       coalesce((SELECT d.poor FROM hardship d WHERE d.name = h.hardship), false) AS poor, l.ends_on AS until, r.version AS rule_version
FROM retrofit_case c
JOIN priority_rule r ON r.plan_id = c.plan_id
JOIN plan l ON l.id = c.plan_id
CROSS JOIN LATERAL (SELECT h.hardship, h.traits FROM household h WHERE h.plan_region = c.plan_region AND h.id = c.household_id OFFSET 0) AS h
CROSS JOIN LATERAL (SELECT e.moved_on AS registered_on FROM case_event e
                    WHERE e.plan_region = c.plan_region AND e.case_id = c.id AND e.version = 1 OFFSET 0) AS w
CROSS JOIN LATERAL (SELECT min(q.level)::int AS level, coalesce(bool_or(q.category = 7), false) AS multiple, count(*)::int AS members
                    FROM person q WHERE q.plan_region = c.plan_region AND q.household_id = c.household_id) AS m;

-- Every part of the score of every case, in this moment's facts and rule; who wants one case asks for it. `fact` is what it comes from.
CREATE VIEW priority_point WITH (security_invoker = true) AS
SELECT f.plan_region, f.case_id, k.code, k.position, k.name_zh, k.name_ko, k.name_en, t.times, p.points AS points_each,
       coalesce(t.times * p.points, 0) AS points,
       CASE k.kind WHEN 'level' THEN (ARRAY['一级', '二级', '三级', '四级'])[f.level] WHEN 'severe_poor' THEN (ARRAY['一级', '二级'])[f.level] || ' ' || f.hardship
           WHEN 'hardship' THEN f.hardship WHEN 'category' THEN '多重' WHEN 'waiting' THEN f.registered_on::text
           WHEN 'trait' THEN k.value ELSE f.members::text END AS fact
FROM priority_fact f
JOIN priority_part p ON p.plan_id = f.plan_id
JOIN priority_criterion k ON k.code = p.code
CROSS JOIN LATERAL (SELECT least(p.most, priority_times(k.kind, k.value, f.level, f.multiple, f.members, f.hardship, f.poor, f.traits,
                                                        f.registered_on, f.until)) AS times) AS t;

-- The score of every case.
CREATE VIEW priority_score WITH (security_invoker = true) AS
SELECT f.plan_region, f.case_id, f.registered_on, f.rule_version,
       coalesce((SELECT sum(p.points * least(p.most, priority_times(k.kind, k.value, f.level, f.multiple, f.members, f.hardship, f.poor,
                                                                    f.traits, f.registered_on, f.until)))
                 FROM priority_part p JOIN priority_criterion k ON k.code = p.code WHERE p.plan_id = f.plan_id), 0)::int AS score
FROM priority_fact f;
GRANT SELECT ON priority_criterion, priority_default, case_priority, priority_fact, priority_point, priority_score TO tantu_app;
GRANT SELECT, UPDATE ON priority_rule TO tantu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON priority_part TO tantu_app;

-- Lists cases that began to wait.
CREATE FUNCTION priority_enter(place int, wanted bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = on SET enable_seqscan = off AS $$
    INSERT INTO case_priority (plan_region, case_id, plan_id, stage, region, county, score, registered_on, turn, rule_version)
    SELECT c.plan_region, c.id, c.plan_id, c.stage, c.region, county_of(c.region), s.score, s.registered_on,
           priority_turn(s.score, s.registered_on, c.id), s.rule_version
    FROM priority_score s JOIN retrofit_case c ON c.plan_region = s.plan_region AND c.id = s.case_id
    WHERE s.plan_region = place AND s.case_id = ANY (wanted)
    ON CONFLICT DO NOTHING $$;
-- Scores cases again whose facts or rule changed: locked first, then read, so that the last of two writers has seen both.
CREATE FUNCTION priority_again(place int, wanted bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = on SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM case_priority w WHERE w.plan_region = place AND w.case_id = ANY (wanted) ORDER BY w.case_id FOR UPDATE;
    UPDATE case_priority w SET score = s.score, turn = priority_turn(s.score, w.registered_on, w.case_id), rule_version = s.rule_version
    FROM priority_score s
    WHERE s.plan_region = place AND s.case_id = ANY (wanted) AND w.plan_region = s.plan_region AND w.case_id = s.case_id
      AND (w.score, w.rule_version) IS DISTINCT FROM (s.score, s.rule_version);
END $$;
REVOKE EXECUTE ON FUNCTION priority_enter, priority_again FROM PUBLIC;

-- What a move changes of the waiting: who waits for what, and whether it was by an exception.
CREATE OR REPLACE FUNCTION case_waits(was retrofit_case, becomes retrofit_case) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    waiting stage := CASE becomes.stage WHEN 'suspended' THEN becomes.resume_stage ELSE becomes.stage END;
BEGIN
    IF waiting NOT IN ('registered', 'approved') THEN
        DELETE FROM case_priority w WHERE w.plan_region = was.plan_region AND w.case_id = was.id;
        RETURN;
    END IF;
    UPDATE case_priority w SET stage = waiting WHERE w.plan_region = was.plan_region AND w.case_id = was.id;
    IF NOT FOUND THEN
        PERFORM priority_enter(was.plan_region, ARRAY[was.id]);
        UPDATE case_priority w SET stage = waiting WHERE w.plan_region = was.plan_region AND w.case_id = was.id;
    END IF;
    IF was.stage = 'registered' AND becomes.stage = 'approved' AND NOT becomes.eligible THEN
        INSERT INTO case_exception (plan_region, id, plan_id, case_id, case_version, reasons, note, account_id)
        VALUES (was.plan_region, id_in(was.plan_region, 'exception_number'), was.plan_id, was.id, becomes.version,
                becomes.eligibility_reasons, becomes.stage_note, scope_account());
    ELSIF was.stage = 'approved' AND becomes.stage = 'registered' THEN -- taken back
        UPDATE case_exception x SET taken_back_at = now()
        WHERE x.plan_region = was.plan_region AND x.case_id = was.id AND x.case_version = becomes.takes_back;
    END IF;
END $$;

-- The household moved: it waits where it lives.
CREATE FUNCTION priority_relocates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE case_priority w SET region = NEW.region, county = county_of(NEW.region)
    WHERE w.plan_region = NEW.plan_region AND w.case_id = NEW.id AND w.region <> NEW.region;
    RETURN NULL;
END $$;
CREATE TRIGGER priority_relocates AFTER UPDATE OF region ON retrofit_case FOR EACH ROW EXECUTE FUNCTION priority_relocates();

-- Whoever opens a case or changes a fact, the scores follow. A few cases at once; those of a large import are listed at the end of
-- their list (score 0, rule 0) until a job, seconds later, has scored them: it would cost the import half as much again.
-- (Named to fire after cases_open, whose event says when a case was registered.)
CREATE FUNCTION priority_opened() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part record;
BEGIN
    IF (SELECT count(*) <= 500 FROM opened) THEN
        FOR part IN SELECT o.plan_region, array_agg(o.id) AS ids FROM opened o GROUP BY o.plan_region LOOP
            PERFORM priority_enter(part.plan_region, part.ids);
        END LOOP;
        RETURN NULL;
    END IF;
    INSERT INTO case_priority (plan_region, case_id, plan_id, stage, region, county, score, registered_on, turn, rule_version)
    SELECT o.plan_region, o.id, o.plan_id, o.stage, o.region, county_of(o.region), 0, o.stage_on, priority_turn(0, o.stage_on, o.id), 0
    FROM opened o;
    INSERT INTO job (queue, kind, unique_key) VALUES ('upkeep', 'priority_settle', 'priority_settle:o' || pg_current_xact_id())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER priority_opened AFTER INSERT ON retrofit_case REFERENCING NEW TABLE AS opened
    FOR EACH STATEMENT EXECUTE FUNCTION priority_opened();

CREATE FUNCTION priority_of_people() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = on AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT w.plan_region, array_agg(w.case_id) AS ids FROM (SELECT DISTINCT plan_region, household_id FROM changed) AS h
        JOIN retrofit_case c ON c.plan_region = h.plan_region AND c.household_id = h.household_id
        JOIN case_priority w ON w.plan_region = c.plan_region AND w.case_id = c.id GROUP BY w.plan_region LOOP
        PERFORM priority_again(part.plan_region, part.ids);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER priority_added AFTER INSERT ON person REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION priority_of_people();
CREATE TRIGGER priority_gone AFTER DELETE ON person REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION priority_of_people();
CREATE TRIGGER priority_left AFTER UPDATE ON person REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION priority_of_people();
CREATE TRIGGER priority_came AFTER UPDATE ON person REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION priority_of_people();

CREATE FUNCTION priority_of_homes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = on AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT w.plan_region, array_agg(w.case_id) AS ids FROM changed n
        JOIN was o ON o.plan_region = n.plan_region AND o.id = n.id AND (o.hardship, o.traits) IS DISTINCT FROM (n.hardship, n.traits)
        JOIN retrofit_case c ON c.plan_region = n.plan_region AND c.household_id = n.id
        JOIN case_priority w ON w.plan_region = c.plan_region AND w.case_id = c.id GROUP BY w.plan_region LOOP
        PERFORM priority_again(part.plan_region, part.ids);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER priority_home AFTER UPDATE ON household REFERENCING OLD TABLE AS was NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION priority_of_homes();

-- A plan begins with the rule of its code, or the general one; a changed rule, or another last day, makes all scores old.
CREATE FUNCTION priority_begin(wanted smallint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH rule AS (INSERT INTO priority_rule (plan_id) VALUES (wanted) RETURNING plan_id)
    INSERT INTO priority_part SELECT r.plan_id, d.code, d.points, d.most FROM rule r JOIN plan p ON p.id = wanted
    JOIN priority_default d ON d.plan_code = CASE WHEN EXISTS (SELECT FROM priority_default o WHERE o.plan_code = p.code) THEN p.code ELSE '' END $$;
REVOKE EXECUTE ON FUNCTION priority_begin FROM PUBLIC;
CREATE FUNCTION priority_of_plans() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM priority_begin(NEW.id);
    ELSIF NEW.ends_on <> OLD.ends_on THEN
        UPDATE priority_rule SET version = version + 1 WHERE plan_id = NEW.id;
        INSERT INTO job (queue, kind, unique_key, region) VALUES ('upkeep', 'priority_settle', 'priority_settle:p' || pg_current_xact_id(), NEW.region)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER priority_begins AFTER INSERT ON plan FOR EACH ROW EXECUTE FUNCTION priority_of_plans();
CREATE TRIGGER priority_ends AFTER UPDATE OF ends_on ON plan FOR EACH ROW EXECUTE FUNCTION priority_of_plans();

-- Scores up to `most` cases of old rules again; how many it were. Nobody is waited for, and what comes to nothing now comes again.
CREATE FUNCTION priority_settle(most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part record;
    settled int := 0;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'scores are settled by the service itself' USING ERRCODE = '42501';
    END IF;
    FOR part IN SELECT f.plan_region, array_agg(f.case_id) AS ids FROM (
            SELECT w.plan_region, w.case_id FROM priority_rule r CROSS JOIN LATERAL (
                SELECT w.plan_region, w.case_id FROM case_priority w WHERE w.plan_id = r.plan_id AND w.rule_version < r.version
                LIMIT most FOR UPDATE SKIP LOCKED) AS w LIMIT most) AS f GROUP BY f.plan_region LOOP
        PERFORM priority_again(part.plan_region, part.ids);
        settled := settled + cardinality(part.ids);
    END LOOP;
    RETURN settled;
END $$;

-- Every stored score and place in the list of a plan (NULL: of all) that is not what it should be.
CREATE FUNCTION priority_differences(plan_code text DEFAULT NULL) RETURNS TABLE (case_id bigint, stored int, right_score int, what text)
LANGUAGE sql STABLE AS $$
    WITH wanted AS MATERIALIZED (
        SELECT id FROM plan WHERE plan_code IS NULL OR code = plan_code
    ), waiting AS MATERIALIZED (
        SELECT c.*, coalesce(c.resume_stage, c.stage) AS waits FROM retrofit_case c
        WHERE c.plan_id IN (SELECT id FROM wanted) AND coalesce(c.resume_stage, c.stage) IN ('registered', 'approved')
    )
    SELECT coalesce(w.case_id, c.id), w.score, s.score, CASE WHEN w.case_id IS NULL THEN 'not listed' WHEN c.id IS NULL THEN 'does not wait'
        WHEN w.score <> s.score THEN 'score' ELSE 'place' END
    FROM (SELECT * FROM case_priority WHERE plan_id IN (SELECT id FROM wanted)) AS w
    FULL JOIN waiting c ON c.plan_region = w.plan_region AND c.id = w.case_id
    LEFT JOIN priority_score s ON s.plan_region = c.plan_region AND s.case_id = c.id
    WHERE w.case_id IS NULL OR c.id IS NULL OR w.score <> s.score OR w.registered_on <> s.registered_on OR w.region <> c.region
       OR w.county <> county_of(c.region) OR w.stage <> c.waits OR w.plan_id <> c.plan_id
       OR w.turn <> priority_turn(s.score, s.registered_on, w.case_id) $$;

ALTER TABLE priority_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE priority_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_priority ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON priority_rule FOR SELECT USING (true);
CREATE POLICY changing ON priority_rule FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY reading ON priority_part FOR SELECT USING (true);
CREATE POLICY adding ON priority_part FOR INSERT WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON priority_part FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY removing ON priority_part FOR DELETE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY scope ON case_priority FOR SELECT USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE AND (SELECT scope_sees_region()));

-- Lists up to `most` waiting cases after this one that are not listed yet; the last one looked at, NULL when there are no more.
CREATE FUNCTION priority_fill(after bigint, most int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    seen record;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'the list is filled by the service itself' USING ERRCODE = '42501';
    END IF;
    SELECT max(n.plan_region) AS place, max(n.id) AS last, array_agg(n.id) AS ids INTO seen FROM (
        SELECT c.plan_region, c.id FROM retrofit_case c
        WHERE c.plan_region = (SELECT f.plan_region FROM retrofit_case f WHERE (f.plan_region, f.id) > (plan_region_of(after), after)
                               ORDER BY f.plan_region, f.id LIMIT 1) AND c.id > after
        ORDER BY c.id LIMIT most) AS n;
    PERFORM priority_enter(seen.place, ARRAY(SELECT c.id FROM retrofit_case c WHERE c.plan_region = seen.place AND c.id = ANY (seen.ids)
        AND CASE c.stage WHEN 'suspended' THEN c.resume_stage ELSE c.stage END IN ('registered', 'approved')));
    UPDATE case_priority w SET stage = c.resume_stage FROM retrofit_case c
    WHERE w.plan_region = seen.place AND w.case_id = ANY (seen.ids) AND w.stage = 'suspended'
      AND c.plan_region = w.plan_region AND c.id = w.case_id;
    RETURN seen.last;
END $$;

-- What there was before: plans at once, their cases by jobs. (A case that moves meanwhile is listed by its move.)
SELECT priority_begin(id) FROM plan ORDER BY id;
INSERT INTO job (queue, kind, unique_key, payload) SELECT 'upkeep', 'priority_fill', 'priority_fill:0', '{"after": 0}'
WHERE EXISTS (SELECT FROM retrofit_case);
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts)
VALUES ('upkeep', 'priority_settle', 'priority_settle', 'every 20 seconds', 1000000);
