-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Photos that look alike under several households, and the gates that ask for photos. How a photo's looks are made: service/photo_looks.c.

-- Hashes that differ in at most seven of 64 bits differ in at most one bit of some quarter (two in each would be eight): so all of
-- them are found by 17 probes into each of these. `looks` stands behind the quarter so that the index alone tells the distance.
CREATE INDEX photo_looks_first ON photo ((((looks >> 48) & 65535)::int), looks) WHERE looks IS NOT NULL;
CREATE INDEX photo_looks_second ON photo ((((looks >> 32) & 65535)::int), looks) WHERE looks IS NOT NULL;
CREATE INDEX photo_looks_third ON photo ((((looks >> 16) & 65535)::int), looks) WHERE looks IS NOT NULL;
CREATE INDEX photo_looks_fourth ON photo (((looks & 65535)::int), looks) WHERE looks IS NOT NULL;

-- How near is near, in bits; of two plans the wider.
ALTER TABLE plan ADD COLUMN looks_within smallint NOT NULL DEFAULT 6 CHECK (looks_within BETWEEN 0 AND 7);
GRANT UPDATE (looks_within) ON plan TO tantu_app;

-- The quarter and everything that is one bit from it.
CREATE FUNCTION photo_looks_ring(quarter bigint) RETURNS int[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg((quarter & 65535)::int # bit)
    FROM unnest('{0,1,2,4,8,16,32,64,128,256,512,1024,2048,4096,8192,16384,32768}'::int[]) AS bit $$;

-- Every photo at most `within` (0 to 7) bits from `wanted`. Only for an owner of the table: under row-level security the
-- quarters would be no index conditions. (The settings: a plan for every state of the table, also one without statistics.)
CREATE FUNCTION photo_looks_near(wanted bigint, within int) RETURNS TABLE (hash bytea, distance int)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    first int[] := photo_looks_ring(wanted >> 48);
    second int[] := photo_looks_ring(wanted >> 32);
    third int[] := photo_looks_ring(wanted >> 16);
    fourth int[] := photo_looks_ring(wanted);
    alike bigint[];
BEGIN
    alike := ARRAY(
        SELECT p.looks FROM photo p WHERE p.looks IS NOT NULL AND ((p.looks >> 48) & 65535)::int = ANY (first)
            AND bit_count((p.looks # wanted)::bit(64)) <= within
        UNION SELECT p.looks FROM photo p WHERE p.looks IS NOT NULL AND ((p.looks >> 32) & 65535)::int = ANY (second)
            AND bit_count((p.looks # wanted)::bit(64)) <= within
        UNION SELECT p.looks FROM photo p WHERE p.looks IS NOT NULL AND ((p.looks >> 16) & 65535)::int = ANY (third)
            AND bit_count((p.looks # wanted)::bit(64)) <= within
        UNION SELECT p.looks FROM photo p WHERE p.looks IS NOT NULL AND (p.looks & 65535)::int = ANY (fourth)
            AND bit_count((p.looks # wanted)::bit(64)) <= within);
    RETURN QUERY SELECT p.hash, bit_count((p.looks # wanted)::bit(64))::int
        FROM unnest(alike) AS a (looks) JOIN photo p ON p.looks = a.looks AND ((p.looks >> 48) & 65535)::int = ((a.looks >> 48) & 65535)::int;
END $$;

-- Two uses of one picture under two households. Each side is shown to, and answered for by, who sees its case: a county learns
-- of the other county's side only that there is one.
CREATE TABLE photo_flag (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_use  bigint NOT NULL, -- case_photo, the smaller id
    second_use bigint NOT NULL,
    distance   smallint NOT NULL, -- bits
    same_bytes boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    version    int NOT NULL DEFAULT 1,
    UNIQUE (first_use, second_use),
    CHECK (first_use < second_use)
);
CREATE TABLE photo_flag_side (
    flag_id     bigint NOT NULL REFERENCES photo_flag,
    plan_region int NOT NULL,
    photo_use   bigint NOT NULL,
    case_id     bigint NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'explained', 'fraud', 'removed')),
    note        text NOT NULL DEFAULT '',
    account_id  bigint,
    resolved_at timestamptz,
    PRIMARY KEY (flag_id, photo_use),
    FOREIGN KEY (plan_region, photo_use) REFERENCES case_photo
);
CREATE INDEX photo_flag_side_by_use ON photo_flag_side (plan_region, photo_use);
CREATE INDEX photo_flag_side_by_case ON photo_flag_side (plan_region, case_id) WHERE state = 'open';

-- Whoever is photographed for is not told: no contractor sees a flag.
ALTER TABLE photo_flag ENABLE ROW LEVEL SECURITY;
ALTER TABLE photo_flag_side ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON photo_flag_side FOR SELECT USING (
    (SELECT scope_sees_region() OR scope_role() = 'assessor') AND EXISTS (
        SELECT FROM retrofit_case c WHERE c.plan_region = photo_flag_side.plan_region AND c.id = photo_flag_side.case_id));
CREATE POLICY changing ON photo_flag_side FOR UPDATE USING ((SELECT scope_role()) IN ('county', 'manager') AND EXISTS (
        SELECT FROM retrofit_case c WHERE c.plan_region = photo_flag_side.plan_region AND c.id = photo_flag_side.case_id));
-- (A function that is not inlined, so that it is asked of a page of flags and not of all of them.)
CREATE FUNCTION photo_flag_seen(flag bigint) RETURNS boolean LANGUAGE plpgsql STABLE
AS $$ BEGIN RETURN EXISTS (SELECT FROM photo_flag_side s WHERE s.flag_id = flag); END $$;
CREATE POLICY reading ON photo_flag FOR SELECT USING (photo_flag_seen(id));
CREATE POLICY changing ON photo_flag FOR UPDATE USING ((SELECT scope_role()) IN ('county', 'manager'));
GRANT SELECT ON photo_flag, photo_flag_side TO tantu_app;
GRANT UPDATE (version) ON photo_flag TO tantu_app;
GRANT UPDATE (state, note, account_id, resolved_at) ON photo_flag_side TO tantu_app;

-- Rows of two plans, or of one household that was registered twice, may be the same people. (household_now: 0025.)
CREATE FUNCTION photo_same_people(one_region int, one bigint, other_region int, other bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (one_region, household_now(one_region, one)) = (other_region, household_now(other_region, other)) OR EXISTS (
        SELECT FROM person a JOIN person b ON b.citizen_id_index = a.citizen_id_index
        WHERE a.plan_region = one_region AND a.household_id = one AND b.plan_region = other_region AND b.household_id = other);
END $$;

-- Flags the uses of other households that look like this one: the nearest use of each of the ten nearest households, so that one
-- picture sent a thousand times makes no million flags. Run by a job, after the upload is committed: of two uploads at once the
-- one that is compared later sees the other.
CREATE FUNCTION photo_compare(use_id bigint) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    mine record;
    flagged int;
BEGIN
    SELECT u.id, u.photo, p.looks, l.looks_within, c.plan_region, c.household_id INTO mine
    FROM case_photo u JOIN retrofit_case c ON c.plan_region = u.plan_region AND c.id = u.case_id
    JOIN plan l ON l.id = c.plan_id JOIN photo p ON p.hash = u.photo
    WHERE u.plan_region = plan_region_of(use_id) AND u.id = use_id AND u.removed_at IS NULL AND u.slot <> 'signature'
      AND scope_role() = 'system' FOR SHARE OF u;
    IF mine.id IS NULL THEN
        RETURN 0;
    END IF;
    WITH alike AS (
        SELECT mine.photo AS hash, 0 AS distance UNION ALL
        SELECT n.hash, n.distance FROM photo_looks_near(mine.looks, 7) AS n WHERE n.hash <> mine.photo
    ), theirs AS (
        SELECT DISTINCT ON (c.plan_region, c.household_id) u.plan_region, u.id, u.photo, c.household_id, a.distance
        FROM alike a JOIN case_photo u ON u.photo = a.hash JOIN retrofit_case c ON c.plan_region = u.plan_region AND c.id = u.case_id
        JOIN plan l ON l.id = c.plan_id
        WHERE u.removed_at IS NULL AND u.slot <> 'signature' AND a.distance <= greatest(l.looks_within, mine.looks_within)
        ORDER BY c.plan_region, c.household_id, a.distance, u.id
    ), nearest AS ( -- (who they are is asked of one after the other, until there are ten)
        SELECT t.* FROM (SELECT * FROM theirs ORDER BY distance, id OFFSET 0) AS t
        WHERE NOT photo_same_people(t.plan_region, t.household_id, mine.plan_region, mine.household_id) LIMIT 10
    ), kept AS ( -- (one that is being removed is waited for and then left out)
        SELECT n.* FROM nearest n JOIN case_photo u ON u.plan_region = n.plan_region AND u.id = n.id
        WHERE u.removed_at IS NULL FOR SHARE OF u
    ), made AS (
        INSERT INTO photo_flag (first_use, second_use, distance, same_bytes)
        SELECT least(k.id, mine.id), greatest(k.id, mine.id), k.distance, k.photo = mine.photo FROM kept k
        ORDER BY 1, 2 -- in one order everywhere, so that comparisons at once do not wait in a circle
        ON CONFLICT DO NOTHING RETURNING id, first_use, second_use
    ), sides AS (
        INSERT INTO photo_flag_side (flag_id, plan_region, photo_use, case_id)
        SELECT m.id, u.plan_region, u.id, u.case_id FROM made m CROSS JOIN LATERAL (VALUES (m.first_use), (m.second_use)) AS s (use)
        JOIN case_photo u ON u.plan_region = plan_region_of(s.use) AND u.id = s.use RETURNING 1
    )
    SELECT count(*) / 2 INTO flagged FROM sides;
    RETURN flagged;
END $$;

CREATE FUNCTION photo_used() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO job (queue, kind, payload, region)
    SELECT 'upkeep', 'photo_compare', json_build_object('use', u.id), c.region
    FROM added u JOIN retrofit_case c ON c.plan_region = u.plan_region AND c.id = u.case_id WHERE u.slot <> 'signature';
    RETURN NULL;
END $$;
CREATE TRIGGER photo_used AFTER INSERT ON case_photo REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION photo_used();

-- Looks that became known after the photo was used.
CREATE FUNCTION photo_seen() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO job (queue, kind, payload, region)
    SELECT 'upkeep', 'photo_compare', json_build_object('use', u.id), c.region
    FROM case_photo u JOIN retrofit_case c ON c.plan_region = u.plan_region AND c.id = u.case_id
    WHERE u.photo = NEW.hash AND u.removed_at IS NULL AND u.slot <> 'signature' AND NEW.looks IS DISTINCT FROM OLD.looks;
    RETURN NULL;
END $$;
CREATE TRIGGER photo_seen AFTER UPDATE OF looks ON photo FOR EACH ROW EXECUTE FUNCTION photo_seen();

-- A photo that is taken away closes its flags, on both sides.
CREATE FUNCTION photo_unused() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.removed_at IS NOT NULL THEN
        WITH closed AS (
            UPDATE photo_flag_side s SET state = 'removed', resolved_at = now()
            FROM photo_flag_side mine WHERE mine.plan_region = NEW.plan_region AND mine.photo_use = NEW.id
              AND s.flag_id = mine.flag_id AND s.state = 'open' RETURNING s.flag_id)
        UPDATE photo_flag f SET version = f.version + 1 WHERE f.id IN (SELECT flag_id FROM closed);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER photo_unused AFTER UPDATE OF removed_at ON case_photo FOR EACH ROW EXECUTE FUNCTION photo_unused();

-- Whether a use is part of a flag that nobody has answered on its side.
CREATE FUNCTION photo_flagged(place int, use_id bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM photo_flag_side s WHERE s.plan_region = place AND s.photo_use = use_id AND s.state = 'open') $$;

-- What each item still wants a photo of: one of the slot, of the item or of the finding it answers, sent later than `since`.
CREATE FUNCTION photo_wanted(c retrofit_case, wanted_slot text, since timestamptz, items int[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(i.number || ' ' || coalesce((SELECT r.name_zh FROM room r WHERE r.code = i.room), i.room) || ' ' || i.name ORDER BY i.number)
    FROM case_item i
    WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL AND (items IS NULL OR i.number = ANY (items))
      AND NOT EXISTS (SELECT FROM case_photo u WHERE u.plan_region = c.plan_region AND u.case_id = c.id AND u.slot = wanted_slot
          AND u.removed_at IS NULL AND (u.item = i.number OR u.finding = i.finding) AND u.created_at > since) $$;

CREATE FUNCTION photo_no_items(c retrofit_case) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM case_item i WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL) $$;

CREATE OR REPLACE FUNCTION gate_before_photos(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    lacking text[] := photo_wanted(c, 'before', '-infinity', NULL);
    verdict text;
BEGIN
    verdict := CASE WHEN lacking IS NOT NULL THEN 'before_photo_missing' WHEN photo_no_items(c) THEN 'items_missing' END;
    RETURN verdict || coalesce(lacking, '{}');
END $$;
