-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Possible duplicates: people of one plan region who may be one, found by a job, judged by a person. See docs/duplicates.md.

-- The day of birth as the citizen ID has it (eight digits; '' when it cannot be read, NULL until it has been). It is kept beside the
-- name, under the same row-level security; the number itself stays sealed.
ALTER TABLE person ADD COLUMN born text;
ALTER TABLE person ADD COLUMN merged_into bigint; -- whom this person turned out to be
ALTER TABLE household ADD COLUMN merged_into bigint;
ALTER TABLE import_row ADD COLUMN born text;
CREATE INDEX person_by_name_and_birth ON person (plan_region, name, born, id) WHERE born <> '';
CREATE INDEX person_by_phone ON person (plan_region, phone, id) WHERE phone <> '';
CREATE INDEX person_unborn ON person (plan_region, id) WHERE born IS NULL;

-- Who is still to be compared with all others: whoever is new, and whose day of birth was learned later.
CREATE TABLE person_uncompared (
    plan_region int NOT NULL,
    person_id   bigint NOT NULL,
    PRIMARY KEY (plan_region, person_id)
);
CREATE FUNCTION person_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO person_uncompared SELECT plan_region, id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER person_added AFTER INSERT ON person REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION person_added();
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts)
VALUES ('upkeep', 'duplicates_scan', 'duplicates_scan', 'every 15 seconds', 1000000);

CREATE SEQUENCE duplicate_number;
-- A pair of people, the lower id first: once it is judged it is never asked again.
CREATE TABLE duplicate (
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'duplicate_number')
    low         bigint NOT NULL,
    high        bigint NOT NULL,
    low_region  int NOT NULL, -- where they live, so that a county's list costs what is in it
    high_region int NOT NULL,
    score       int NOT NULL,
    parts       json NOT NULL, -- [{"part": "name", "points": 25}, …]
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'not_duplicate', 'merged', 'moot')), -- moot: settled by another merge
    found_at    timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolved_by bigint,
    note        text NOT NULL DEFAULT '',
    version     int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, low, high),
    CHECK (low < high)
);
CREATE INDEX duplicate_by_state ON duplicate (plan_region, state, id);
CREATE INDEX duplicate_by_high ON duplicate (plan_region, high);
-- What a merge moved and from where, so that it can be put back.
CREATE TABLE duplicate_merge (
    plan_region    int NOT NULL,
    duplicate_id   bigint NOT NULL,
    number         int NOT NULL,
    kept_person    bigint NOT NULL,
    gone_person    bigint, -- NULL: two people of one household
    kept_household bigint NOT NULL,
    gone_household bigint, -- NULL: both households stay
    shelter        bigint, -- a household made for who is gone, while his own lives on
    record         jsonb NOT NULL,
    note           text NOT NULL,
    merged_by      bigint NOT NULL,
    merged_at      timestamptz NOT NULL DEFAULT now(),
    undone_by      bigint,
    undone_at      timestamptz,
    undo_note      text,
    PRIMARY KEY (plan_region, duplicate_id, number),
    FOREIGN KEY (plan_region, duplicate_id) REFERENCES duplicate
);

CREATE FUNCTION household_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE duplicate d SET low_region = NEW.region FROM person p
    WHERE p.plan_region = NEW.plan_region AND p.household_id = NEW.id AND d.plan_region = p.plan_region AND d.low = p.id;
    UPDATE duplicate d SET high_region = NEW.region FROM person p
    WHERE p.plan_region = NEW.plan_region AND p.household_id = NEW.id AND d.plan_region = p.plan_region AND d.high = p.id;
    RETURN NULL;
END $$;
CREATE TRIGGER household_moved AFTER UPDATE OF region ON household FOR EACH ROW
    WHEN (NEW.region <> OLD.region) EXECUTE FUNCTION household_moved();

-- Where a household that was merged away is today.
CREATE FUNCTION household_now(of_region int, wanted bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE way AS (
        SELECT h.id, h.merged_into FROM household h WHERE h.plan_region = of_region AND h.id = wanted
        UNION ALL
        SELECT h.id, h.merged_into FROM way w JOIN household h ON h.plan_region = of_region AND h.id = w.merged_into)
    SELECT id FROM way WHERE merged_into IS NULL $$;

-- Compares up to `most` people who have not been; answers how many. Never with all others: with those of the same name and birth,
-- and those of the same phone, unless more than five households have it (an office's). Plans by index whatever the statistics say.
CREATE FUNCTION duplicates_scan(most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    compared int;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'duplicates are looked for by the service itself' USING ERRCODE = '42501';
    END IF;
    WITH taken AS (
        DELETE FROM person_uncompared u USING (
            SELECT plan_region, person_id FROM person_uncompared ORDER BY plan_region, person_id LIMIT most FOR UPDATE SKIP LOCKED) AS q
        WHERE u.plan_region = q.plan_region AND u.person_id = q.person_id RETURNING u.plan_region, u.person_id
    ), fresh AS MATERIALIZED (
        SELECT p.plan_region, p.id, p.name, p.born, p.phone FROM taken t
        JOIN person p ON p.plan_region = t.plan_region AND p.id = t.person_id WHERE p.merged_into IS NULL
    ), phones AS MATERIALIZED (
        SELECT f.plan_region, f.phone, s.id, s.name, s.household_id,
               min(s.id) OVER (PARTITION BY f.plan_region, f.phone, s.household_id) AS first_here,
               max(s.nth) OVER (PARTITION BY f.plan_region, f.phone) AS households
        FROM (SELECT DISTINCT plan_region, phone FROM fresh WHERE phone <> '') AS f
        CROSS JOIN LATERAL (SELECT o.id, o.name, o.household_id, dense_rank() OVER (ORDER BY o.household_id) AS nth FROM (
            SELECT o.id, o.name, o.household_id FROM person o WHERE o.plan_region = f.plan_region AND o.phone = f.phone AND o.phone <> ''
                AND o.merged_into IS NULL ORDER BY o.id LIMIT 40) AS o) AS s
    ), pair AS MATERIALIZED (
        SELECT f.plan_region, least(f.id, o.id) AS low, greatest(f.id, o.id) AS high FROM fresh f
        CROSS JOIN LATERAL (SELECT o.id FROM person o WHERE o.plan_region = f.plan_region AND o.name = f.name AND o.born = f.born
            AND o.born <> '' AND o.id <> f.id AND o.merged_into IS NULL ORDER BY o.id LIMIT 50) AS o
        UNION -- of two households one pair is enough, unless two of them have the same name
        SELECT a.plan_region, a.id, b.id FROM phones a
        JOIN phones b ON b.plan_region = a.plan_region AND b.phone = a.phone AND b.household_id <> a.household_id AND b.id > a.id
        WHERE a.households BETWEEN 2 AND 5 AND (a.name = b.name OR (a.id = a.first_here AND b.id = b.first_here))
    ), scored AS (
        SELECT p.*, g.region AS low_region, h.region AS high_region, v.score, v.parts FROM pair p
        JOIN person a ON a.plan_region = p.plan_region AND a.id = p.low
        JOIN person b ON b.plan_region = p.plan_region AND b.id = p.high
        JOIN household g ON g.plan_region = p.plan_region AND g.id = a.household_id
        JOIN household h ON h.plan_region = p.plan_region AND h.id = b.household_id
        CROSS JOIN LATERAL (SELECT max(s.households) AS households FROM phones s
                            WHERE a.phone = b.phone AND s.plan_region = p.plan_region AND s.phone = a.phone AND g.id <> h.id) AS s
        CROSS JOIN LATERAL (
            SELECT sum(points)::int AS score, json_agg(json_build_object('part', part, 'points', points) ORDER BY n) AS parts
            FROM (VALUES (1, 'name', CASE WHEN a.name = b.name THEN 25 END),
                         (2, 'birth', CASE WHEN a.born = b.born AND a.born <> '' THEN 25 END),
                         (3, 'village', CASE WHEN county_of(g.region) = county_of(h.region) AND g.village = h.village AND g.village <> '' THEN 20 END),
                         (4, 'address', CASE WHEN county_of(g.region) = county_of(h.region) AND g.address = h.address AND g.address <> '' THEN 15 END),
                         (5, 'phone', CASE WHEN s.households BETWEEN 2 AND 5 THEN 120 / s.households END)) AS x (n, part, points)
            WHERE points IS NOT NULL) AS v
        WHERE v.score >= 60
    ), found AS (
        INSERT INTO duplicate (plan_region, id, low, high, low_region, high_region, score, parts)
        SELECT plan_region, id_in(plan_region, 'duplicate_number'), low, high, low_region, high_region, score, parts FROM scored s
        WHERE NOT EXISTS (SELECT FROM duplicate d WHERE d.plan_region = s.plan_region AND d.low = s.low AND d.high = s.high)
        ON CONFLICT (plan_region, low, high) DO NOTHING)
    SELECT count(*) INTO compared FROM taken;
    RETURN compared;
END $$;

-- Whoever resolves a pair sees both its sides.
CREATE FUNCTION duplicate_is_mine(d duplicate) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(scope_role() IN ('county', 'manager'), false) AND count(*) = 2
        AND coalesce(bool_and(h.region BETWEEN scope_low() AND scope_high()), false)
    FROM person p JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
    WHERE p.plan_region = d.plan_region AND p.id IN (d.low, d.high) $$;

-- A case that is still registered is judged again by what its household is now: as at the end of an import.
CREATE FUNCTION duplicate_judges(of_region int, homes bigint[]) RETURNS void LANGUAGE sql AS $$
    UPDATE retrofit_case c SET eligible = s.eligible, eligibility_reasons = s.reasons
    FROM household_standing s
    WHERE s.plan_region = of_region AND s.household_id = ANY (homes) AND s.plan_id = c.plan_id
      AND c.plan_region = of_region AND c.household_id = s.household_id AND c.stage = 'registered'
      AND (c.eligible, c.eligibility_reasons) IS DISTINCT FROM (s.eligible, s.reasons) $$;

-- The needs of `gone` become those of `keep`; one that both have stays behind with him. Answers what was where.
CREATE FUNCTION duplicate_moves_person(of_region int, keep person, gone person, shelter bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moved jsonb;
BEGIN
    WITH was AS MATERIALIZED (
        SELECT n.*, EXISTS (SELECT FROM need k WHERE k.plan_region = of_region AND k.person_id = keep.id AND k.kind = n.kind AND k.item = n.item) AS both
        FROM need n WHERE n.plan_region = of_region AND n.person_id = gone.id
    ), moves AS (
        UPDATE need n SET person_id = CASE WHEN w.both THEN gone.id ELSE keep.id END,
            household_id = CASE WHEN w.both THEN shelter ELSE keep.household_id END
        FROM was w WHERE n.plan_region = of_region AND n.id = w.id RETURNING n.*)
    SELECT jsonb_agg(jsonb_build_object('id', w.id, 'person', w.person_id, 'household', w.household_id, 'to_person', m.person_id,
                                        'to_household', m.household_id, 'state', w.state))
    INTO moved FROM was w JOIN moves m ON m.id = w.id;
    UPDATE person p SET household_id = shelter, merged_into = keep.id WHERE p.plan_region = of_region AND p.id = gone.id;
    RETURN jsonb_build_object('needs', coalesce(moved, '[]'), 'persons', jsonb_build_array(
        jsonb_build_object('id', gone.id, 'household', gone.household_id, 'to_household', shelter, 'to_person', keep.id)));
END $$;

-- Everybody of household `gone` belongs to `keep`. Of two cases of one plan, that of `gone` is withdrawn and names the other; an
-- only one goes along, with its figures.
CREATE FUNCTION duplicate_moves_household(of_region int, keep household, gone household, said text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    people jsonb;
    items jsonb;
    withdrawn jsonb := '[]';
    moved jsonb := '[]';
    c retrofit_case;
    first bigint;
    after int;
BEGIN
    WITH moves AS (UPDATE person p SET household_id = keep.id
                   WHERE p.plan_region = of_region AND p.household_id = gone.id AND p.merged_into IS NULL RETURNING p.id)
    SELECT jsonb_agg(jsonb_build_object('id', id, 'household', gone.id, 'to_household', keep.id)) INTO people FROM moves;
    WITH moves AS (UPDATE need n SET household_id = keep.id
                   WHERE n.plan_region = of_region AND n.household_id = gone.id
                     AND n.person_id IN (SELECT (p->>'id')::bigint FROM jsonb_array_elements(people) AS p) RETURNING n.*)
    SELECT jsonb_agg(jsonb_build_object('id', id, 'person', person_id, 'household', gone.id, 'to_person', person_id, 'to_household', keep.id,
                                        'state', state)) INTO items FROM moves;
    UPDATE household h SET merged_into = keep.id, version = h.version + 1 WHERE h.plan_region = of_region AND h.id = gone.id;
    UPDATE household h SET elder_retrofit = true, version = h.version + 1
    WHERE h.plan_region = of_region AND h.id = keep.id AND gone.elder_retrofit AND NOT h.elder_retrofit;
    FOR c IN SELECT * FROM retrofit_case s WHERE s.plan_region = of_region AND s.household_id = gone.id ORDER BY s.id LOOP
        SELECT k.id INTO first FROM retrofit_case k WHERE k.plan_region = of_region AND k.household_id = keep.id AND k.plan_id = c.plan_id;
        IF first IS NULL THEN
            UPDATE retrofit_case s SET household_id = keep.id, household_number = keep.number, region = keep.region, village = keep.village
            WHERE s.plan_region = of_region AND s.id = c.id;
            PERFORM priority_again(of_region, ARRAY[c.id]);
            moved := moved || jsonb_build_object('id', c.id);
        ELSIF c.stage NOT IN ('rejected', 'withdrawn') THEN
            UPDATE retrofit_case s SET stage = 'withdrawn', stage_at = now(), stage_evidence = NULL, takes_back = NULL,
                stage_note = '重复登记，并入 ' || first || '：' || said
            WHERE s.plan_region = of_region AND s.id = c.id RETURNING s.version INTO after;
            withdrawn := withdrawn || jsonb_build_object('id', c.id, 'version', after);
        END IF;
    END LOOP;
    RETURN jsonb_build_object('persons', coalesce(people, '[]'), 'needs', coalesce(items, '[]'), 'withdrawn', withdrawn, 'moved', moved,
                              'elder', gone.elder_retrofit AND NOT keep.elder_retrofit);
END $$;

-- What bars two households from becoming one; NULL: nothing. Locks the cases, in the order of their ids.
CREATE FUNCTION duplicate_barred(of_region int, keep bigint, gone bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    verdict text;
    counted text[];
    over text[];
    objected text[];
BEGIN
    PERFORM FROM retrofit_case c WHERE c.plan_region = of_region AND c.household_id IN (keep, gone) ORDER BY c.id FOR UPDATE;
    SELECT array_agg(g.id::text ORDER BY g.id) FILTER (WHERE g.accepted_on IS NOT NULL),
           array_agg(k.id::text ORDER BY k.id) FILTER (WHERE k.stage IN ('rejected', 'withdrawn') AND g.stage NOT IN ('rejected', 'withdrawn'))
    INTO counted, over
    FROM retrofit_case g JOIN retrofit_case k ON k.plan_region = g.plan_region AND k.plan_id = g.plan_id AND k.household_id = keep
    WHERE g.plan_region = of_region AND g.household_id = gone;
    SELECT array_agg(o.id::text ORDER BY o.id) INTO objected FROM objection o
    WHERE o.plan_region = of_region AND o.household_id = gone AND o.state IN ('open', 'upheld');
    verdict := CASE
        WHEN counted IS NOT NULL THEN 'duplicate_counted'
        WHEN over IS NOT NULL THEN 'duplicate_keep_other'
        WHEN objected IS NOT NULL THEN 'duplicate_objected' END;
    RETURN CASE WHEN verdict IS NOT NULL THEN verdict || coalesce(counted, over, objected) END;
END $$;

-- Merges as told: 'person' (the two are one), 'household' (two people of one household), 'both'. A household in which nobody would
-- be left goes along.
CREATE FUNCTION duplicate_merges(d duplicate, as_what text, keep bigint, said text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    k person;
    g person;
    kept_home household;
    gone_home household;
    homes boolean;
    refuge bigint;
    barred text[];
    told jsonb := '{}';
    part jsonb := '{}';
    mooted jsonb;
BEGIN
    SELECT * INTO k FROM person p WHERE p.plan_region = d.plan_region AND p.id = keep;
    SELECT * INTO g FROM person p WHERE p.plan_region = d.plan_region AND p.id = d.low + d.high - keep;
    PERFORM FROM household h WHERE h.plan_region = d.plan_region AND h.id IN (k.household_id, g.household_id) ORDER BY h.id FOR UPDATE;
    SELECT * INTO kept_home FROM household h WHERE h.plan_region = d.plan_region AND h.id = k.household_id;
    SELECT * INTO gone_home FROM household h WHERE h.plan_region = d.plan_region AND h.id = g.household_id;
    homes := kept_home.id <> gone_home.id AND (as_what <> 'person' OR NOT EXISTS (SELECT FROM person p
        WHERE p.plan_region = d.plan_region AND p.household_id = gone_home.id AND p.merged_into IS NULL AND p.id <> g.id));
    IF homes THEN
        barred := duplicate_barred(d.plan_region, kept_home.id, gone_home.id);
        IF barred IS NOT NULL THEN
            RETURN barred;
        END IF;
    END IF;
    IF as_what <> 'household' AND homes THEN
        part := duplicate_moves_person(d.plan_region, k, g, gone_home.id);
    ELSIF as_what <> 'household' THEN
        INSERT INTO household (plan_region, id, number, region, village, address, hardship, merged_into)
        VALUES (d.plan_region, id_in(d.plan_region, 'household_number'), gone_home.number || '~' || g.id, gone_home.region,
                gone_home.village, '', '', kept_home.id) RETURNING id INTO refuge;
        part := duplicate_moves_person(d.plan_region, k, g, refuge);
    END IF;
    IF homes THEN
        told := duplicate_moves_household(d.plan_region, kept_home, gone_home, said);
    END IF;
    WITH moot AS (
        UPDATE duplicate o SET state = 'moot', resolved_at = now(), resolved_by = scope_account(), version = o.version + 1
        WHERE o.plan_region = d.plan_region AND o.state = 'open' AND o.id <> d.id AND ((as_what <> 'household' AND g.id IN (o.low, o.high))
            OR (homes AND EXISTS (SELECT FROM person a JOIN person b ON b.plan_region = a.plan_region AND b.household_id = a.household_id
                WHERE a.plan_region = d.plan_region AND a.id = o.low AND b.id = o.high AND a.household_id = kept_home.id AND a.name <> b.name)))
        RETURNING o.id)
    SELECT coalesce(jsonb_agg(id), '[]') INTO mooted FROM moot;
    PERFORM duplicate_judges(d.plan_region, ARRAY[kept_home.id, gone_home.id]);
    INSERT INTO duplicate_merge (plan_region, duplicate_id, number, kept_person, gone_person, kept_household, gone_household, shelter, record,
        note, merged_by)
    SELECT d.plan_region, d.id, coalesce(max(m.number), 0) + 1, k.id, CASE WHEN as_what <> 'household' THEN g.id END, kept_home.id,
        CASE WHEN homes THEN gone_home.id END, refuge, '{"withdrawn": [], "moved": [], "elder": false}' || told || jsonb_build_object(
            'persons', coalesce(told->'persons', '[]') || coalesce(part->'persons', '[]'),
            'needs', coalesce(told->'needs', '[]') || coalesce(part->'needs', '[]'), 'moot', mooted), said, scope_account()
    FROM duplicate_merge m WHERE m.plan_region = d.plan_region AND m.duplicate_id = d.id;
    RETURN NULL;
END $$;

-- As the owner, whom row-level security does not stop: so it asks for the scope itself, before anything else.
CREATE FUNCTION duplicate_resolve(wanted_id bigint, if_match int, as_what text, keep bigint, said text,
                                  OUT verdict text, OUT lacking text[], OUT made duplicate)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7303, plan_region_of(wanted_id)); -- one after the other: two pairs may share a household
    SELECT * INTO made FROM duplicate d WHERE d.plan_region = plan_region_of(wanted_id) AND d.id = wanted_id FOR UPDATE;
    IF made.id IS NULL OR NOT duplicate_is_mine(made) THEN
        made := NULL;
    END IF;
    verdict := CASE
        WHEN made.id IS NULL THEN 'not_found'
        WHEN if_match <> made.version THEN 'stale'
        WHEN made.state <> 'open' OR EXISTS (SELECT FROM person p WHERE p.plan_region = made.plan_region AND p.id IN (made.low, made.high)
            AND p.merged_into IS NOT NULL) THEN 'duplicate_resolved'
        WHEN as_what <> 'not_duplicate' AND (keep IS NULL OR keep NOT IN (made.low, made.high)) THEN 'duplicate_keep_unknown'
        WHEN as_what <> 'not_duplicate' AND NOT pg_try_advisory_xact_lock_shared(7301, made.plan_region) THEN 'import_commits'
        WHEN as_what IN ('household', 'both') AND (SELECT count(DISTINCT p.household_id) = 1 FROM person p
            WHERE p.plan_region = made.plan_region AND p.id IN (made.low, made.high)) THEN 'duplicate_one_household' END;
    IF verdict IS NULL AND as_what <> 'not_duplicate' THEN
        lacking := duplicate_merges(made, as_what, keep, said);
        verdict := lacking[1];
        lacking := lacking[2:];
    END IF;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    UPDATE duplicate d SET state = CASE as_what WHEN 'not_duplicate' THEN 'not_duplicate' ELSE 'merged' END, resolved_at = now(),
        resolved_by = scope_account(), note = said, version = d.version + 1
    WHERE d.plan_region = made.plan_region AND d.id = made.id RETURNING * INTO made;
END $$;

-- What is not any more as the merge left it; NULL: all is.
CREATE FUNCTION duplicate_changed_since(m duplicate_merge) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(what ORDER BY what) FROM (
        SELECT 'person ' || r.id AS what
        FROM jsonb_to_recordset(m.record->'persons') AS r (id bigint, household bigint, to_household bigint, to_person bigint)
        JOIN person p ON p.plan_region = m.plan_region AND p.id = r.id
        WHERE (p.household_id, p.merged_into) IS DISTINCT FROM (r.to_household, r.to_person)
        UNION ALL
        SELECT 'need ' || r.id
        FROM jsonb_to_recordset(m.record->'needs') AS r (id bigint, to_person bigint, to_household bigint, state text)
        LEFT JOIN need n ON n.plan_region = m.plan_region AND n.id = r.id
        WHERE (n.person_id, n.household_id, n.state) IS DISTINCT FROM (r.to_person, r.to_household, r.state)
        UNION ALL
        SELECT 'case ' || r.id FROM jsonb_to_recordset(m.record->'withdrawn') AS r (id bigint, version int)
        JOIN retrofit_case c ON c.plan_region = m.plan_region AND c.id = r.id WHERE c.version <> r.version
        UNION ALL
        SELECT 'case ' || r.id FROM jsonb_to_recordset(m.record->'moved') AS r (id bigint)
        JOIN retrofit_case c ON c.plan_region = m.plan_region AND c.id = r.id WHERE c.household_id <> m.kept_household
        UNION ALL -- whose household would he be of?
        SELECT 'person ' || p.id FROM person p
        WHERE m.gone_household IS NOT NULL AND p.plan_region = m.plan_region AND p.household_id = m.kept_household AND p.created_at > m.merged_at
        UNION ALL
        SELECT 'household ' || h.id FROM household h
        WHERE h.plan_region = m.plan_region AND h.id = m.kept_household AND h.merged_into IS NOT NULL) AS x $$;

CREATE FUNCTION duplicate_puts_back(m duplicate_merge, said text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    gone_home household;
    me text := scope_account()::text;
    back record;
BEGIN
    UPDATE household h SET merged_into = NULL, version = h.version + 1 WHERE h.plan_region = m.plan_region AND h.id = m.gone_household;
    UPDATE household h SET elder_retrofit = false, version = h.version + 1
    WHERE h.plan_region = m.plan_region AND h.id = m.kept_household AND (m.record->>'elder')::boolean;
    UPDATE person p SET household_id = r.household, merged_into = NULL
    FROM jsonb_to_recordset(m.record->'persons') AS r (id bigint, household bigint) WHERE p.plan_region = m.plan_region AND p.id = r.id;
    UPDATE need n SET person_id = r.person, household_id = r.household
    FROM jsonb_to_recordset(m.record->'needs') AS r (id bigint, person bigint, household bigint) WHERE n.plan_region = m.plan_region AND n.id = r.id;
    UPDATE need n SET household_id = p.household_id -- those that came since
    FROM jsonb_to_recordset(m.record->'persons') AS r (id bigint) JOIN person p ON p.plan_region = m.plan_region AND p.id = r.id
    WHERE n.plan_region = m.plan_region AND n.person_id = p.id AND n.household_id <> p.household_id;
    SELECT * INTO gone_home FROM household h WHERE h.plan_region = m.plan_region AND h.id = m.gone_household;
    UPDATE retrofit_case c SET household_id = gone_home.id, household_number = gone_home.number, region = gone_home.region, village = gone_home.village
    FROM jsonb_to_recordset(m.record->'moved') AS r (id bigint) WHERE c.plan_region = m.plan_region AND c.id = r.id;
    PERFORM priority_again(m.plan_region, ARRAY(SELECT r.id FROM jsonb_to_recordset(m.record->'moved') AS r (id bigint)));
    -- Only who moved a case takes that back: it is asked for in his name, and recorded under that of who undoes.
    FOR back IN SELECT e.case_id, e.version, e.from_stage, e.account_id FROM jsonb_to_recordset(m.record->'withdrawn') AS r (id bigint, version int)
                JOIN case_event e ON e.plan_region = m.plan_region AND e.case_id = r.id AND e.version = r.version ORDER BY e.case_id LOOP
        PERFORM set_config('tantu.account', back.account_id::text, true);
        UPDATE retrofit_case c SET stage = back.from_stage, stage_at = now(), stage_note = said, stage_evidence = NULL, takes_back = back.version
        WHERE c.plan_region = m.plan_region AND c.id = back.case_id;
        PERFORM set_config('tantu.account', me, true);
        UPDATE case_event e SET account_id = me::bigint
        WHERE e.plan_region = m.plan_region AND e.case_id = back.case_id AND e.version = back.version + 1;
    END LOOP;
    DELETE FROM household h WHERE h.plan_region = m.plan_region AND h.id = m.shelter;
    UPDATE duplicate d SET state = 'open', resolved_at = NULL, resolved_by = NULL, version = d.version + 1
    WHERE d.plan_region = m.plan_region AND d.state = 'moot' AND d.id IN (SELECT x::bigint FROM jsonb_array_elements_text(m.record->'moot') AS x);
    PERFORM duplicate_judges(m.plan_region, ARRAY[m.kept_household, m.gone_household]);
END $$;

CREATE FUNCTION duplicate_undo(wanted_id bigint, if_match int, said text, OUT verdict text, OUT lacking text[], OUT made duplicate)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    m duplicate_merge;
BEGIN
    PERFORM pg_advisory_xact_lock(7303, plan_region_of(wanted_id));
    SELECT * INTO made FROM duplicate d WHERE d.plan_region = plan_region_of(wanted_id) AND d.id = wanted_id FOR UPDATE;
    IF made.id IS NULL OR NOT duplicate_is_mine(made) THEN
        made := NULL;
    END IF;
    SELECT * INTO m FROM duplicate_merge x WHERE x.plan_region = made.plan_region AND x.duplicate_id = made.id AND x.undone_at IS NULL;
    verdict := CASE
        WHEN made.id IS NULL THEN 'not_found'
        WHEN if_match <> made.version THEN 'stale'
        WHEN made.state = 'not_duplicate' THEN NULL
        WHEN m.number IS NULL THEN 'nothing_to_undo'
        WHEN NOT pg_try_advisory_xact_lock_shared(7301, made.plan_region) THEN 'import_commits' END;
    IF verdict IS NULL AND m.number IS NOT NULL THEN
        PERFORM FROM retrofit_case c WHERE c.plan_region = m.plan_region AND c.household_id IN (m.kept_household, m.gone_household)
        ORDER BY c.id FOR UPDATE;
        PERFORM FROM household h WHERE h.plan_region = m.plan_region AND h.id IN (m.kept_household, m.gone_household) ORDER BY h.id FOR UPDATE;
        lacking := duplicate_changed_since(m);
        verdict := CASE WHEN lacking IS NOT NULL THEN 'duplicate_built_upon' END;
    END IF;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    IF m.number IS NOT NULL THEN
        PERFORM duplicate_puts_back(m, said);
        UPDATE duplicate_merge x SET undone_by = scope_account(), undone_at = now(), undo_note = said
        WHERE x.plan_region = m.plan_region AND x.duplicate_id = m.duplicate_id AND x.number = m.number;
    END IF;
    UPDATE duplicate d SET state = 'open', resolved_at = NULL, resolved_by = NULL, note = said, version = d.version + 1
    WHERE d.plan_region = made.plan_region AND d.id = made.id RETURNING * INTO made;
END $$;

CREATE OR REPLACE FUNCTION gate_not_merged(c retrofit_case) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    kept bigint;
    verdict text;
BEGIN
    SELECT k.id INTO kept FROM household h
    JOIN retrofit_case k ON k.plan_region = h.plan_region AND k.household_id = household_now(h.plan_region, h.id) AND k.plan_id = c.plan_id
    WHERE h.plan_region = c.plan_region AND h.id = c.household_id AND h.merged_into IS NOT NULL;
    verdict := CASE WHEN kept IS NOT NULL THEN 'case_merged' END;
    RETURN CASE WHEN kept IS NOT NULL THEN ARRAY[verdict, kept::text] END;
END $$;

-- As in 0007 and 0013: with the day of birth; and who belongs to a household that was merged away comes into the one it became.
CREATE OR REPLACE FUNCTION import_register(wanted bigint) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off SET plan_cache_mode = auto SET enable_seqscan = off AS $$
DECLARE
    i needs_import := import_of(wanted);
    opened int;
BEGIN
    INSERT INTO household (plan_region, id, number, region, village, address, longitude, latitude, hardship, traits)
    SELECT i.plan_region, id_in(i.plan_region, 'household_number'), f.household_number, f.region, f.village, f.address,
           f.longitude, f.latitude, f.hardship, f.traits
    FROM (SELECT DISTINCT ON (r.household_number) r.* FROM import_row r WHERE r.import_id = i.id
          ORDER BY r.household_number, (r.relation = '户主') DESC, r.number) AS f
    ON CONFLICT (plan_region, number) DO NOTHING;
    WITH numbered AS MATERIALIZED ( -- person ids first, so that nothing need be looked up again
        SELECT r.*, CASE WHEN h.merged_into IS NULL THEN h.id ELSE household_now(h.plan_region, h.id) END AS home,
               id_in(i.plan_region, 'person_number') AS person
        FROM import_row r JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number
        WHERE r.import_id = i.id ORDER BY r.number
    ), people AS (
        INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, certificate,
            certificate_index, category, level, phone, registered_on, remark, born)
        SELECT i.plan_region, person, home, name, sex, relation, citizen_id, citizen_id_index, certificate, certificate_index,
            category, level, phone, registered_on, remark, born FROM numbered)
    INSERT INTO need (plan_region, id, household_id, person_id, kind, item)
    SELECT i.plan_region, id_in(i.plan_region, 'need_number'), m.home, m.person, n.kind, n.item
    FROM numbered m
    CROSS JOIN LATERAL (SELECT 'retrofit' AS kind, unnest(m.retrofit) AS item UNION ALL SELECT 'device', unnest(m.devices)) AS n;
    UPDATE retrofit_case c SET eligible = s.eligible, eligibility_reasons = s.reasons
    FROM (SELECT DISTINCT CASE WHEN h.merged_into IS NULL THEN h.id ELSE household_now(h.plan_region, h.id) END AS home FROM import_row r
          JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number WHERE r.import_id = i.id) AS r
    JOIN household_standing s ON s.plan_region = i.plan_region AND s.household_id = r.home AND s.plan_id = i.plan_id
    WHERE c.plan_region = i.plan_region AND c.household_id = r.home AND c.plan_id = i.plan_id AND c.stage = 'registered'
      AND (c.eligible, c.eligibility_reasons) IS DISTINCT FROM (s.eligible, s.reasons);
    INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
        stage_at, stage_on, eligible, eligibility_reasons)
    SELECT s.plan_region, id_in(s.plan_region, 'case_number'), s.plan_id, s.household_id, s.number, s.householder, s.region,
        s.village, s.registered_at, china_date(s.registered_at), s.eligible, s.reasons
    FROM (SELECT DISTINCT CASE WHEN h.merged_into IS NULL THEN h.id ELSE household_now(h.plan_region, h.id) END AS home FROM import_row r
          JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number WHERE r.import_id = i.id) AS r
    JOIN household_standing s ON s.plan_region = i.plan_region AND s.household_id = r.home AND s.plan_id = i.plan_id
    WHERE s.retrofit_need AND NOT EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = s.plan_region
        AND c.household_id = s.household_id AND c.plan_id = s.plan_id);
    GET DIAGNOSTICS opened = ROW_COUNT;
    DELETE FROM import_row r WHERE r.import_id = i.id;
    UPDATE needs_import n SET state = 'done', finished_at = now(), version = version + 1,
        outcome = (n.outcome::jsonb || jsonb_build_object('cases_opened', opened))::json
    WHERE n.id = i.id;
    RETURN opened;
END $$;

ALTER TABLE person_uncompared ENABLE ROW LEVEL SECURITY;
ALTER TABLE duplicate ENABLE ROW LEVEL SECURITY;
ALTER TABLE duplicate_merge ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON person_uncompared USING ((SELECT scope_role()) = 'system');
CREATE POLICY reading ON duplicate FOR SELECT USING ((SELECT scope_sees_region())
    AND low_region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()) AND high_region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY reading ON duplicate_merge FOR SELECT USING (EXISTS (
    SELECT FROM duplicate d WHERE d.plan_region = duplicate_merge.plan_region AND d.id = duplicate_merge.duplicate_id));
GRANT SELECT, INSERT ON person_uncompared TO tantu_app;
GRANT SELECT ON duplicate, duplicate_merge TO tantu_app;
GRANT UPDATE (born) ON person TO tantu_app;
REVOKE EXECUTE ON FUNCTION duplicates_scan, duplicate_judges, duplicate_moves_person, duplicate_moves_household, duplicate_barred,
    duplicate_merges, duplicate_puts_back FROM PUBLIC;
GRANT EXECUTE ON FUNCTION duplicates_scan TO tantu_app;

-- The case of the plan that goes on instead of that of a household which was merged; NULL: none. (PL/pgSQL, so that whoever reads
-- a case that is not withdrawn does not pay for the beginning of a join.)
CREATE FUNCTION duplicate_goes_on(home_region int, home bigint, of_plan smallint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT k.id FROM household h JOIN retrofit_case k ON k.plan_region = h.plan_region
        AND k.household_id = household_now(h.plan_region, h.id) AND k.plan_id = of_plan
        WHERE h.plan_region = home_region AND h.id = home AND h.merged_into IS NOT NULL);
END $$;
