-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The catalogue that a home survey (入户评估) chooses from, and the survey of a case.

CREATE TABLE room (
    code     text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    name_zh  text NOT NULL,
    name_ko  text NOT NULL,
    name_en  text NOT NULL
);
INSERT INTO room VALUES
    ('entrance', 1, '入户通道', '현관 통로', 'Entrance'), ('living_room', 2, '客厅', '거실', 'Living room'),
    ('bathroom', 3, '卫生间', '욕실', 'Bathroom'), ('kitchen', 4, '厨房', '주방', 'Kitchen'), ('bedroom', 5, '卧室', '침실', 'Bedroom'),
    ('stairs', 6, '上下楼梯', '계단', 'Stairs'), ('other', 7, '其他', '기타', 'Other');
GRANT SELECT ON room TO tantu_app;

-- What may be wrong in a home, and what may answer it. A code is never used again: what is out of use is retired.
CREATE TABLE problem (
    code       text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{1,47}$'),
    name_zh    text NOT NULL,
    name_ko    text NOT NULL,
    name_en    text NOT NULL,
    rooms      text[] NOT NULL DEFAULT '{}', -- where it occurs; none: everywhere (as for measures)
    retired_at timestamptz,
    version    int NOT NULL DEFAULT 1
);
CREATE TABLE problem_measure (
    problem  text NOT NULL REFERENCES problem,
    measure  text NOT NULL REFERENCES measure,
    position smallint NOT NULL, -- the usual one first
    PRIMARY KEY (problem, measure)
);
-- What needs files (改造需求, 辅具需求) call a measure.
CREATE TABLE measure_need (
    kind    text NOT NULL CHECK (kind IN ('retrofit', 'device')),
    item    text NOT NULL,
    measure text NOT NULL REFERENCES measure,
    PRIMARY KEY (kind, item)
);
CREATE INDEX measure_need_by_measure ON measure_need (measure);
GRANT SELECT, INSERT, UPDATE ON problem, problem_measure, measure_need TO tantu_app;
GRANT DELETE ON problem_measure, measure_need TO tantu_app;
ALTER TABLE problem ENABLE ROW LEVEL SECURITY;
ALTER TABLE problem_measure ENABLE ROW LEVEL SECURITY;
ALTER TABLE measure_need ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON problem FOR SELECT USING (true);
CREATE POLICY reading ON problem_measure FOR SELECT USING (true);
CREATE POLICY reading ON measure_need FOR SELECT USING (true);
CREATE POLICY writing ON problem USING ((SELECT scope_role()) = 'admin');
CREATE POLICY writing ON problem_measure USING ((SELECT scope_role()) = 'admin');
CREATE POLICY writing ON measure_need USING ((SELECT scope_role()) = 'admin');

-- A JSON list of texts, each once, in the order given; NULL of NULL.
CREATE FUNCTION texts_of(list json) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN list IS NOT NULL THEN ARRAY(
        SELECT t.word FROM json_array_elements_text(list) WITH ORDINALITY AS t (word, at) GROUP BY t.word ORDER BY min(t.at)) END $$;

-- The survey of a case: one document, saved as a draft many times, signed, and frozen once the case is surveyed.
CREATE TABLE survey (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    visited_at  timestamptz,
    longitude   double precision CHECK (longitude BETWEEN -180 AND 180),
    latitude    double precision CHECK (latitude BETWEEN -90 AND 90),
    remark      text NOT NULL,
    account_id  bigint NOT NULL, -- who saved this version: the assessor who signs it
    saved_at    timestamptz NOT NULL,
    version     int NOT NULL,
    PRIMARY KEY (plan_region, case_id),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    CHECK ((longitude IS NULL) = (latitude IS NULL))
);
CREATE TABLE survey_finding (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    number      int NOT NULL CHECK (number > 0),
    room        text NOT NULL REFERENCES room,
    problem     text NOT NULL REFERENCES problem,
    measure     text REFERENCES measure,
    quantity    numeric(10, 2) CHECK (quantity > 0),
    person_id   bigint, -- for whom; a device that is agreed to has somebody
    consent     text NOT NULL CHECK (consent IN ('open', 'agreed', 'declined')),
    consent_by  text NOT NULL,
    note        text NOT NULL,
    PRIMARY KEY (plan_region, case_id, number),
    FOREIGN KEY (plan_region, case_id) REFERENCES survey,
    CHECK ((measure IS NULL) = (quantity IS NULL)),
    CHECK (measure IS NOT NULL OR consent <> 'agreed')
);
CREATE TABLE survey_device (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    person_id   bigint NOT NULL,
    measure     text NOT NULL REFERENCES measure,
    PRIMARY KEY (plan_region, case_id, person_id, measure),
    FOREIGN KEY (plan_region, case_id) REFERENCES survey
);
-- Append-only: every version as it was saved, and what was signed of it. A change of the draft voids what was signed before.
CREATE TABLE survey_version (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    version     int NOT NULL,
    content     jsonb NOT NULL,
    account_id  bigint NOT NULL,
    saved_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, case_id, version),
    FOREIGN KEY (plan_region, case_id) REFERENCES survey
);
CREATE TABLE survey_signature (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    version     int NOT NULL, -- of the survey
    signer      text NOT NULL CHECK (signer IN ('household', 'assessor')),
    name        text NOT NULL,
    relation    text NOT NULL, -- to the householder
    signature   bigint NOT NULL, -- a case_photo; one that was removed counts no more
    signed_at   timestamptz NOT NULL,
    account_id  bigint NOT NULL, -- who handed it in
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, signature), -- one signature signs one thing
    FOREIGN KEY (plan_region, case_id, version) REFERENCES survey_version,
    FOREIGN KEY (plan_region, signature) REFERENCES case_photo
);
CREATE INDEX survey_signature_by_version ON survey_signature (plan_region, case_id, version);
-- The needs that a signed survey has brought: what a later signed version does not name any more is dropped.
CREATE TABLE survey_need (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    need_id     bigint NOT NULL,
    PRIMARY KEY (plan_region, case_id, need_id),
    FOREIGN KEY (plan_region, case_id) REFERENCES survey,
    FOREIGN KEY (plan_region, need_id) REFERENCES need
);
GRANT SELECT, INSERT, UPDATE ON survey, survey_finding TO tantu_app;
GRANT SELECT, INSERT ON survey_device, survey_version, survey_signature, survey_need TO tantu_app;
GRANT DELETE ON survey_finding, survey_device TO tantu_app;
GRANT UPDATE (state) ON need TO tantu_app;

-- A survey is of somebody's home: the contractor, who may see the case, learns what to build from its design.
ALTER TABLE survey ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey_finding ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey_device ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey_signature ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey_need ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON survey USING ((SELECT scope_role()) <> 'contractor' AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = survey.plan_region AND c.id = survey.case_id));
CREATE POLICY scope ON survey_finding USING ((SELECT scope_role()) <> 'contractor' AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = survey_finding.plan_region AND c.id = survey_finding.case_id));
CREATE POLICY scope ON survey_device USING ((SELECT scope_role()) <> 'contractor' AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = survey_device.plan_region AND c.id = survey_device.case_id));
CREATE POLICY scope ON survey_version USING ((SELECT scope_role()) <> 'contractor' AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = survey_version.plan_region AND c.id = survey_version.case_id));
CREATE POLICY scope ON survey_signature USING ((SELECT scope_role()) <> 'contractor' AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = survey_signature.plan_region AND c.id = survey_signature.case_id));
CREATE POLICY scope ON survey_need USING ((SELECT scope_role()) <> 'contractor' AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = survey_need.plan_region AND c.id = survey_need.case_id));

-- What was given, as rows in the order of the document (place 0 is the first, as in a JSON pointer).
CREATE FUNCTION survey_given_findings(list json) RETURNS TABLE (place int, number int, room text, problem text, measure text,
    quantity double precision, person bigint, consent text, consent_by text, note text)
LANGUAGE sql STABLE AS $$
    SELECT g.at::int - 1, g.number, g.room, g.problem, g.measure, g.quantity, g.person, g.consent, coalesce(g.consent_by, ''), coalesce(g.note, '')
    FROM ROWS FROM (json_to_recordset(coalesce(list, '[]')) AS (number int, room text, problem text, measure text,
        quantity double precision, person bigint, consent text, consent_by text, note text)) WITH ORDINALITY
        AS g (number, room, problem, measure, quantity, person, consent, consent_by, note, at) $$;
CREATE FUNCTION survey_given_devices(list json) RETURNS TABLE (place int, person bigint, item text) LANGUAGE sql STABLE AS $$
    SELECT g.at::int - 1, g.person, g.item
    FROM ROWS FROM (json_to_recordset(coalesce(list, '[]')) AS (person bigint, item text)) WITH ORDINALITY AS g (person, item, at) $$;

-- For whom a device is when nobody is named: the only one who is registered in the household.
CREATE FUNCTION survey_only_person(c retrofit_case) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT CASE WHEN count(*) = 1 THEN min(n.id) END FROM person n WHERE n.plan_region = c.plan_region AND n.household_id = c.household_id);
END $$;

-- The document as it is compared and kept: what was left out filled in, findings by number, times in UTC.
CREATE FUNCTION survey_document(c retrofit_case, visited timestamptz, east double precision, north double precision, findings json, devices json,
                                said text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    only_one bigint := survey_only_person(c);
BEGIN
    RETURN jsonb_build_object('visited_at', to_char(visited AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'longitude', east, 'latitude', north,
        'findings', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', f.number, 'room', f.room, 'problem', f.problem, 'measure', f.measure,
                'quantity', CASE WHEN f.measure IS NOT NULL THEN coalesce(f.quantity, 1) END,
                'person', coalesce(f.person, CASE WHEN m.kind = 'device' THEN only_one END),
                'consent', f.consent, 'consent_by', f.consent_by, 'note', f.note) ORDER BY f.number, f.place), '[]')
            FROM survey_given_findings(findings) f LEFT JOIN measure m ON m.code = f.measure),
        'device_needs', (SELECT coalesce(jsonb_agg(jsonb_build_object('person', d.person, 'item', d.item) ORDER BY d.person, d.item), '[]')
            FROM survey_given_devices(devices) d),
        'remark', coalesce(said, ''));
END $$;

-- The first field that cannot be: of the finding or device that stands first. What the last version had already, may stay
-- though the catalogue has changed.
CREATE FUNCTION survey_refusal(c retrofit_case, findings json, devices json, OUT verdict text, OUT field text) LANGUAGE plpgsql STABLE AS $$
DECLARE
    only_one bigint := survey_only_person(c);
BEGIN
    SELECT j.verdict, format('/findings/%s/%s', j.place, CASE
        WHEN j.verdict = 'number_twice' THEN 'number'
        WHEN j.verdict IN ('problem_unknown', 'problem_retired', 'problem_not_in_room') THEN 'problem'
        WHEN j.verdict = 'quantity_invalid' THEN 'quantity'
        WHEN j.verdict IN ('person_unknown', 'person_required') THEN 'person' ELSE 'measure' END) INTO verdict, field
    FROM (SELECT f.place, CASE
            WHEN row_number() OVER (PARTITION BY f.number ORDER BY f.place) > 1 THEN 'number_twice'
            WHEN p.code IS NULL THEN 'problem_unknown'
            WHEN p.retired_at IS NOT NULL AND w.problem IS DISTINCT FROM f.problem THEN 'problem_retired'
            WHEN p.rooms <> '{}' AND f.room <> ALL (p.rooms) AND (w.room, w.problem) IS DISTINCT FROM (f.room, f.problem) THEN 'problem_not_in_room'
            WHEN f.measure IS NOT NULL AND m.code IS NULL THEN 'measure_unknown'
            WHEN m.retired_at IS NOT NULL AND w.measure IS DISTINCT FROM f.measure THEN 'measure_retired'
            WHEN m.rooms <> '{}' AND f.room <> ALL (m.rooms) AND (w.room, w.measure) IS DISTINCT FROM (f.room, f.measure) THEN 'measure_not_in_room'
            WHEN f.measure IS NULL AND (f.consent = 'agreed' OR f.quantity IS NOT NULL) THEN 'measure_required'
            WHEN f.quantity <= 0 OR f.quantity <> round(f.quantity::numeric, 2) THEN 'quantity_invalid'
            WHEN f.person IS NOT NULL AND n.id IS NULL THEN 'person_unknown'
            WHEN m.kind = 'device' AND f.consent = 'agreed' AND coalesce(f.person, only_one) IS NULL THEN 'person_required'
            END AS verdict
        FROM survey_given_findings(findings) f LEFT JOIN problem p ON p.code = f.problem LEFT JOIN measure m ON m.code = f.measure
        LEFT JOIN person n ON n.plan_region = c.plan_region AND n.id = f.person AND n.household_id = c.household_id
        LEFT JOIN survey_finding w ON w.plan_region = c.plan_region AND w.case_id = c.id AND w.number = f.number) AS j
    WHERE j.verdict IS NOT NULL ORDER BY j.place LIMIT 1;
    IF verdict IS NULL THEN
        SELECT j.verdict, format('/device_needs/%s/%s', j.place, CASE WHEN j.verdict = 'person_unknown' THEN 'person' ELSE 'item' END)
        INTO verdict, field
        FROM (SELECT d.place, CASE
                WHEN n.id IS NULL THEN 'person_unknown'
                WHEN m.code IS NULL THEN 'measure_unknown'
                WHEN m.kind <> 'device' THEN 'device_wanted'
                WHEN m.retired_at IS NOT NULL AND w.measure IS NULL THEN 'measure_retired'
                WHEN row_number() OVER (PARTITION BY d.person, d.item ORDER BY d.place) > 1 THEN 'device_twice'
                END AS verdict
            FROM survey_given_devices(devices) d LEFT JOIN measure m ON m.code = d.item
            LEFT JOIN person n ON n.plan_region = c.plan_region AND n.id = d.person AND n.household_id = c.household_id
            LEFT JOIN survey_device w ON w.plan_region = c.plan_region AND w.case_id = c.id AND w.person_id = d.person AND w.measure = d.item) AS j
        WHERE j.verdict IS NOT NULL ORDER BY j.place LIMIT 1;
    END IF;
END $$;

-- A survey as the API shows it. findings and device_needs come back as they may be sent again; names tells their codes' names.
CREATE TYPE survey_answer AS (
    _verdict text, _field text, _reasons text[],
    "case" bigint, visited_at timestamptz, longitude double precision, latitude double precision, findings json, device_needs json,
    remark text, names json, signatures json, signed boolean, frozen boolean, account bigint, saved_at timestamptz, version int);

-- (In PL/pgSQL, whose plans are kept: a function in SQL is planned anew whenever it is called.)
CREATE FUNCTION survey_names(c retrofit_case) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    rooms json;
    problems json;
    measures json;
BEGIN
    SELECT json_object_agg(r.code, json_build_object('zh', r.name_zh, 'ko', r.name_ko, 'en', r.name_en) ORDER BY r.position) INTO rooms
    FROM room r WHERE r.code IN (SELECT f.room FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id);
    SELECT json_object_agg(p.code, json_build_object('zh', p.name_zh, 'ko', p.name_ko, 'en', p.name_en) ORDER BY p.code) INTO problems
    FROM problem p WHERE p.code IN (SELECT f.problem FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id);
    SELECT json_object_agg(m.code, json_build_object('zh', m.name_zh, 'ko', m.name_ko, 'en', m.name_en, 'kind', m.kind, 'unit', m.unit) ORDER BY m.code)
    INTO measures FROM measure m
    WHERE m.code IN (SELECT f.measure FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id
                     UNION ALL SELECT d.measure FROM survey_device d WHERE d.plan_region = c.plan_region AND d.case_id = c.id);
    RETURN json_build_object('rooms', coalesce(rooms, '{}'), 'problems', coalesce(problems, '{}'), 'measures', coalesce(measures, '{}'));
END $$;

CREATE FUNCTION survey_signed_by(c retrofit_case, wanted int) RETURNS SETOF survey_signature LANGUAGE sql STABLE AS $$
    SELECT s.* FROM survey_signature s JOIN case_photo p ON p.plan_region = s.plan_region AND p.id = s.signature AND p.removed_at IS NULL
    WHERE s.plan_region = c.plan_region AND s.case_id = c.id AND s.version = wanted $$;

CREATE FUNCTION survey_signature_shown(s survey_signature) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('by', s.signer, 'name', s.name, 'relation', s.relation, 'signature', s.signature,
        'signed_at', to_char(s.signed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'account', s.account_id) $$;

CREATE FUNCTION survey_shown(c retrofit_case, verdict text, field text, lacking text[]) RETURNS survey_answer LANGUAGE plpgsql STABLE AS $$
DECLARE
    a survey_answer;
    s survey;
BEGIN
    SELECT * INTO s FROM survey o WHERE o.plan_region = c.plan_region AND o.case_id = c.id;
    SELECT verdict, field, lacking, s.case_id, s.visited_at, s.longitude, s.latitude, NULL, NULL, s.remark, NULL, NULL, false, c.stage <> 'approved',
        s.account_id, s.saved_at, s.version INTO a;
    IF s.case_id IS NULL THEN
        RETURN a;
    END IF;
    SELECT coalesce(json_agg(json_build_object('number', f.number, 'room', f.room, 'problem', f.problem, 'measure', f.measure,
        'quantity', f.quantity::float8, 'person', f.person_id, 'consent', f.consent, 'consent_by', f.consent_by, 'note', f.note) ORDER BY f.number), '[]')
    INTO a.findings FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id;
    SELECT coalesce(json_agg(json_build_object('person', d.person_id, 'item', d.measure) ORDER BY d.person_id, d.measure), '[]')
    INTO a.device_needs FROM survey_device d WHERE d.plan_region = c.plan_region AND d.case_id = c.id;
    SELECT coalesce(json_agg(survey_signature_shown(g) ORDER BY g.signer), '[]'), count(*) = 2
    INTO a.signatures, a.signed FROM survey_signed_by(c, s.version) g;
    a.names := survey_names(c);
    RETURN a;
END $$;

-- Writes the document over the last one, and keeps it as a version.
CREATE FUNCTION survey_write(c retrofit_case, content jsonb, wanted int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO survey AS s (plan_region, case_id, visited_at, longitude, latitude, remark, account_id, saved_at, version)
    VALUES (c.plan_region, c.id, (content->>'visited_at')::timestamptz, (content->>'longitude')::float8, (content->>'latitude')::float8,
        content->>'remark', scope_account(), now(), wanted)
    ON CONFLICT (plan_region, case_id) DO UPDATE SET visited_at = excluded.visited_at, longitude = excluded.longitude, latitude = excluded.latitude,
        remark = excluded.remark, account_id = excluded.account_id, saved_at = excluded.saved_at, version = excluded.version;
    INSERT INTO survey_version (plan_region, case_id, version, content, account_id) VALUES (c.plan_region, c.id, wanted, content, scope_account());
    DELETE FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id;
    INSERT INTO survey_finding (plan_region, case_id, number, room, problem, measure, quantity, person_id, consent, consent_by, note)
    SELECT c.plan_region, c.id, f.number, f.room, f.problem, f.measure, f.quantity, f.person, f.consent, f.consent_by, f.note
    FROM jsonb_to_recordset(content->'findings') AS f (number int, room text, problem text, measure text, quantity numeric, person bigint,
        consent text, consent_by text, note text);
    DELETE FROM survey_device d WHERE d.plan_region = c.plan_region AND d.case_id = c.id;
    INSERT INTO survey_device (plan_region, case_id, person_id, measure)
    SELECT c.plan_region, c.id, d.person, d.item FROM jsonb_to_recordset(content->'device_needs') AS d (person bigint, item text);
END $$;

-- Saves the draft. The same content again, as from a phone that missed the answer, is no new version and no lost race.
CREATE FUNCTION survey_save(wanted_id bigint, if_match int, visited timestamptz, east double precision, north double precision,
                            findings json, devices json, said text) RETURNS survey_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    was record;
    content jsonb;
    refused record;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR NO KEY UPDATE;
    SELECT v.version, v.content INTO was FROM survey s JOIN survey_version v USING (plan_region, case_id, version)
    WHERE s.plan_region = c.plan_region AND s.case_id = c.id;
    content := survey_document(c, visited, east, north, findings, devices, said);
    IF was.content = content THEN
        RETURN survey_shown(c, NULL, NULL, NULL);
    END IF;
    refused := survey_refusal(c, findings, devices);
    IF refused.verdict IS NULL THEN
        refused := survey_photographed(c, findings);
    END IF;
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN if_match IS DISTINCT FROM was.version THEN 'stale'
        WHEN c.stage = 'registered' THEN 'survey_too_early'
        WHEN c.stage <> 'approved' THEN 'survey_frozen'
        WHEN visited > now() + interval '5 minutes' THEN 'visited_in_future'
        WHEN (east IS NULL) <> (north IS NULL) THEN 'place_incomplete'
        ELSE refused.verdict END;
    IF verdict IS NULL THEN
        PERFORM survey_write(c, content, coalesce(was.version, 0) + 1);
    END IF;
    RETURN survey_shown(c, verdict, CASE WHEN verdict = refused.verdict THEN refused.field END, NULL);
END $$;

-- A photo shows a finding where it is: as long as there is one, the finding stays, and stays in its room.
CREATE FUNCTION survey_photographed(c retrofit_case, findings json, OUT verdict text, OUT field text) LANGUAGE plpgsql STABLE AS $$
DECLARE
    moved int; -- its place in what is given; -1: it is not there
BEGIN
    SELECT coalesce(g.place, -1) INTO moved FROM survey_finding f LEFT JOIN survey_given_findings(findings) g ON g.number = f.number
    WHERE f.plan_region = c.plan_region AND f.case_id = c.id AND g.room IS DISTINCT FROM f.room AND EXISTS (
        SELECT FROM case_photo p WHERE p.plan_region = f.plan_region AND p.case_id = f.case_id AND p.finding = f.number AND p.removed_at IS NULL)
    ORDER BY 1 LIMIT 1;
    verdict := CASE WHEN moved IS NOT NULL THEN 'finding_photographed' END;
    field := CASE WHEN moved >= 0 THEN format('/findings/%s/room', moved) ELSE '/findings' END;
END $$;

-- What a survey lacks to be signed by the household: place and time, and an answer to everything that was found.
CREATE FUNCTION survey_lacks(c retrofit_case, OUT verdict text, OUT lacking text[]) LANGUAGE plpgsql STABLE AS $$
DECLARE
    missing text[];
    unanswered text[];
BEGIN
    SELECT array_remove(ARRAY[CASE WHEN s.visited_at IS NULL THEN '/visited_at' END, CASE WHEN s.longitude IS NULL THEN '/longitude' END,
        CASE WHEN NOT EXISTS (SELECT FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id) THEN '/findings' END], NULL)
    INTO missing FROM survey s WHERE s.plan_region = c.plan_region AND s.case_id = c.id;
    SELECT array_agg(survey_label(f) ORDER BY f.number) INTO unanswered
    FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id AND f.consent = 'open';
    verdict := CASE
        WHEN missing IS NULL THEN 'survey_missing'
        WHEN missing <> '{}' THEN 'survey_incomplete'
        WHEN unanswered IS NOT NULL THEN 'consent_open' END;
    lacking := CASE verdict WHEN 'survey_incomplete' THEN missing WHEN 'consent_open' THEN unanswered END;
END $$;

-- A finding to a reader: 2 卫生间 扶手
CREATE FUNCTION survey_label(f survey_finding) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', f.number, (SELECT r.name_zh FROM room r WHERE r.code = f.room), CASE
        WHEN f.measure IS NULL THEN (SELECT p.name_zh FROM problem p WHERE p.code = f.problem)
        ELSE (SELECT m.name_zh FROM measure m WHERE m.code = f.measure) END) $$;

-- Which devices a survey asks for, for whom (who was merged into another since: for that other), in the words of the needs files.
CREATE FUNCTION survey_asks(c retrofit_case) RETURNS TABLE (home bigint, somebody bigint, thing text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT k.household_id, k.id,
        coalesce((SELECT min(w.item) FROM measure_need w WHERE w.kind = 'device' AND w.measure = m.code), m.name_zh)
    FROM (SELECT d.person_id, d.measure FROM survey_device d WHERE d.plan_region = c.plan_region AND d.case_id = c.id
          UNION ALL SELECT f.person_id, f.measure FROM survey_finding f
          WHERE f.plan_region = c.plan_region AND f.case_id = c.id AND f.consent = 'agreed') AS a
    JOIN measure m ON m.code = a.measure AND m.kind = 'device'
    JOIN person n ON n.plan_region = c.plan_region AND n.id = a.person_id
    JOIN person k ON k.plan_region = n.plan_region AND k.id = coalesce(n.merged_into, n.id);
END $$;

-- What a signed survey asks for in devices becomes needs of the persons, each once; a need that only an earlier version of
-- it had brought is dropped.
CREATE FUNCTION survey_raise(c retrofit_case) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE need d SET state = 'dropped' FROM survey_need s
    WHERE s.plan_region = c.plan_region AND s.case_id = c.id AND d.plan_region = s.plan_region AND d.id = s.need_id AND d.state = 'open'
      AND NOT EXISTS (SELECT FROM survey_asks(c) a WHERE a.somebody = d.person_id AND a.thing = d.item);
    WITH raised AS (
        INSERT INTO need AS d (plan_region, id, household_id, person_id, kind, item)
        SELECT c.plan_region, id_in(c.plan_region, 'need_number'), a.home, a.somebody, 'device', a.thing FROM survey_asks(c) a
        ON CONFLICT (plan_region, person_id, kind, item) DO UPDATE SET state = 'open' WHERE d.state = 'dropped' RETURNING d.id
    )
    INSERT INTO survey_need (plan_region, case_id, need_id) SELECT c.plan_region, c.id, r.id FROM raised r ON CONFLICT DO NOTHING;
END $$;

-- Signs the version that If-Match names, as the household, or as the assessor: whose case it is, or who saved it.
CREATE FUNCTION survey_sign(wanted_id bigint, if_match int, wanted text, signer_name text, signer_relation text, picture bigint,
                            signed timestamptz) RETURNS survey_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    was survey;
    lacks record;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR NO KEY UPDATE;
    SELECT * INTO was FROM survey s WHERE s.plan_region = c.plan_region AND s.case_id = c.id;
    lacks := survey_lacks(c);
    verdict := CASE
        WHEN was.case_id IS NULL THEN 'not_found'
        WHEN if_match IS NULL THEN 'version_required'
        WHEN if_match <> was.version THEN 'stale'
        WHEN c.stage <> 'approved' THEN 'survey_frozen'
        WHEN wanted = 'assessor' AND scope_account() <> ALL (ARRAY[was.account_id, coalesce(c.assessor_id, was.account_id)]) THEN 'not_your_survey'
        WHEN EXISTS (SELECT FROM survey_signed_by(c, was.version) s WHERE s.signer = wanted) THEN 'signature_there'
        WHEN NOT EXISTS (SELECT FROM case_photo p WHERE p.plan_region = c.plan_region AND p.id = picture AND p.case_id = c.id
            AND p.slot = 'signature' AND p.removed_at IS NULL) THEN 'signature_unknown'
        WHEN EXISTS (SELECT FROM survey_signature s WHERE s.plan_region = c.plan_region AND s.signature = picture)
            OR EXISTS (SELECT FROM inspection i WHERE i.plan_region = c.plan_region AND i.signature = picture) THEN 'signature_used'
        WHEN signed > now() + interval '5 minutes' THEN 'signed_in_future'
        ELSE lacks.verdict END;
    IF verdict IS NULL THEN
        INSERT INTO survey_signature (plan_region, case_id, version, signer, name, relation, signature, signed_at, account_id)
        VALUES (c.plan_region, c.id, was.version, wanted, signer_name, coalesce(signer_relation, ''), picture, coalesce(signed, now()), scope_account());
        IF (SELECT count(*) = 2 FROM survey_signed_by(c, was.version)) THEN
            PERFORM survey_raise(c);
        END IF;
    END IF;
    RETURN survey_shown(c, verdict, NULL, CASE WHEN verdict = lacks.verdict THEN lacks.lacking END);
END $$;

-- No household is surveyed without a survey that it and the assessor have signed, as it stands now.
CREATE OR REPLACE FUNCTION gate_survey(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    lacks record;
    agreed int;
    unseen text[];
    unsigned text[];
    verdict text;
BEGIN
    lacks := survey_lacks(c);
    SELECT count(*), array_agg(survey_label(f) ORDER BY f.number) FILTER (WHERE NOT EXISTS (
        SELECT FROM case_photo p WHERE p.plan_region = c.plan_region AND p.case_id = c.id AND p.slot = 'before' AND p.finding = f.number
        AND p.removed_at IS NULL)) INTO agreed, unseen
    FROM survey_finding f WHERE f.plan_region = c.plan_region AND f.case_id = c.id AND f.consent = 'agreed';
    SELECT array_agg(w.signer) INTO unsigned FROM unnest('{household,assessor}'::text[]) AS w (signer)
    WHERE NOT EXISTS (SELECT FROM survey s CROSS JOIN survey_signed_by(c, s.version) g
        WHERE s.plan_region = c.plan_region AND s.case_id = c.id AND g.signer = w.signer);
    verdict := CASE
        WHEN lacks.verdict IS NOT NULL THEN lacks.verdict
        WHEN agreed = 0 THEN 'nothing_agreed'
        WHEN unseen IS NOT NULL THEN 'before_photo_missing'
        WHEN unsigned IS NOT NULL THEN 'signature_missing'
        WHEN day < (SELECT china_date(s.visited_at) FROM survey s WHERE s.plan_region = c.plan_region AND s.case_id = c.id) THEN 'happened_before_last' END;
    RETURN verdict || CASE verdict WHEN 'before_photo_missing' THEN unseen WHEN 'signature_missing' THEN unsigned ELSE lacks.lacking END;
END $$;
