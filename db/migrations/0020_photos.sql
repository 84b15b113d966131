-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Photos: sent piece by piece under a name that the client made, kept once, given up when nobody uses them.

ALTER TABLE case_photo ADD sent_as uuid, -- made by the client, so that sending again is no second photo
    ADD removed_by bigint, ADD removed_note text;
CREATE UNIQUE INDEX case_photo_sent_as ON case_photo (plan_region, case_id, sent_as);
CREATE INDEX case_photo_removed ON case_photo (removed_at) WHERE removed_at IS NOT NULL;
GRANT UPDATE (removed_by, removed_note) ON case_photo TO tantu_app;

-- gone_at: set in one transaction, then the file is deleted; whoever reads a row without it may count on the file.
-- used_at: the last time that somebody sent it. It is what the sweep waits behind when a photo comes again.
ALTER TABLE photo ADD used_at timestamptz NOT NULL DEFAULT now(), ADD gone_at timestamptz;
GRANT UPDATE (gone_at) ON photo TO tantu_app;

-- "2026-11-22T08:00:00+08:00", or without the offset: then it is China's clock. NULL for a day that does not exist.
CREATE FUNCTION photo_time(captured text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN captured ~ '[+-]\d\d:\d\d$' THEN captured::timestamptz
                ELSE nullif(captured, '')::timestamp AT TIME ZONE 'Asia/Shanghai' END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

-- Why a photo may not be added to this slot of the case. What a telephone sends late is taken: when it was taken decides nothing.
CREATE FUNCTION photo_refused(c retrofit_case, slot text, wanted_item int, wanted_finding int, most int, OUT verdict text, OUT field text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    role text := scope_role();
    stands text := coalesce(c.resume_stage, c.stage); -- a suspended case stands where it will go on
BEGIN
    field := '/slot';
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN role = 'contractor' AND slot NOT IN ('during', 'after') THEN 'photo_not_yours'
        WHEN role = 'assessor' AND slot NOT IN ('before', 'inspection', 'signature') THEN 'photo_not_yours'
        WHEN c.stage IN ('rejected', 'withdrawn', 'closed') THEN 'photo_too_late'
        WHEN c.stage = 'accepted' AND slot IN ('before', 'during', 'after') THEN 'photo_too_late'
        WHEN slot IN ('during', 'after', 'inspection') AND stands NOT IN ('building', 'built', 'rework', 'accepted') THEN 'photo_too_early' END;
    IF verdict IS NULL AND wanted_item IS NOT NULL THEN
        field := '/item';
        verdict := CASE WHEN slot = 'signature' OR NOT EXISTS (SELECT FROM case_item i
            WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.number = wanted_item AND i.removed_at IS NULL)
            THEN 'photo_item_unknown' END;
    END IF;
    IF verdict IS NULL AND wanted_finding IS NOT NULL THEN
        field := '/finding';
        verdict := CASE WHEN slot <> 'before' OR NOT EXISTS (SELECT FROM survey_finding f
            WHERE f.plan_region = c.plan_region AND f.case_id = c.id AND f.number = wanted_finding) THEN 'photo_finding_unknown' END;
    END IF;
    IF verdict IS NULL THEN
        field := NULL;
        verdict := CASE WHEN (SELECT count(*) FROM case_photo u
            WHERE u.plan_region = c.plan_region AND u.case_id = c.id AND u.removed_at IS NULL) >= most THEN 'photos_too_many' END;
    END IF;
END $$;

-- Whoever sends a photo may be the second to do so and not see the first: so the row is kept by the owner. The update waits for a
-- sweep that is giving the photo up, and the sweep for it: see photos_give_up.
CREATE FUNCTION photo_keep(wanted bytea, facts json, seen bigint) RETURNS bytea
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO photo (hash, kind, bytes, width, height, captured_at, longitude, latitude, looks)
    VALUES (wanted, facts->>'kind', (facts->>'bytes')::bigint, (facts->>'width')::int, (facts->>'height')::int, facts->>'captured',
        (facts->>'longitude')::float8, (facts->>'latitude')::float8, seen)
    ON CONFLICT (hash) DO UPDATE SET used_at = now(), gone_at = NULL, looks = coalesce(photo.looks, EXCLUDED.looks)
    RETURNING hash $$;
REVOKE EXECUTE ON FUNCTION photo_keep FROM PUBLIC;
GRANT EXECUTE ON FUNCTION photo_keep TO tantu_app;

ALTER TABLE installation ADD photos_swept_at timestamptz, ADD photos_missing int; -- photos whose file is not there, as the last sweep found
GRANT UPDATE (photos_swept_at, photos_missing) ON installation TO tantu_app;

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('upkeep', 'photos_sweep', 'photos_sweep', 'every 1 hour', 1000000);
