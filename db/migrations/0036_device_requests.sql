-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Requests for devices: who waits for what, what was found right for him, what he was given, and until when no other of its kind is.

-- What a needs file or a survey calls a device, as a kind (NULL: no kind has that word); and the word that a kind goes by.
CREATE FUNCTION device_kind_of(item text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT w.measure FROM measure_need w WHERE w.kind = 'device' AND w.item = $1),
                    (SELECT min(m.code) FROM measure m WHERE m.kind = 'device' AND m.name_zh = $1)) $$;
CREATE FUNCTION device_word_of(kind text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT min(w.item) FROM measure_need w WHERE w.kind = 'device' AND w.measure = $1),
                    (SELECT m.name_zh FROM measure m WHERE m.code = $1)) $$;

-- household_id, region and county are those of the need; turn is the place in the waiting list (0027); a merge of two people that
-- left the need where it was says in `merged` from where it took the request.
ALTER TABLE device_request ADD COLUMN household_id bigint NOT NULL, ADD COLUMN county int NOT NULL, ADD COLUMN waits_since date NOT NULL,
    ADD COLUMN turn bigint NOT NULL DEFAULT 0, ADD COLUMN rule_version int NOT NULL DEFAULT 0, ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN reassess_on date, ADD COLUMN merged jsonb;
CREATE INDEX device_request_by_household ON device_request (plan_region, household_id) WHERE state IN ('waiting', 'assessed');
CREATE INDEX device_request_by_plan ON device_request (plan_id, state, id);
CREATE INDEX device_request_turn ON device_request (plan_id, state, county, turn);
CREATE INDEX device_request_turn_of_centre ON device_request (centre_id, state, turn);
CREATE INDEX device_request_by_rule ON device_request (plan_id, rule_version) WHERE state IN ('waiting', 'assessed');
CREATE INDEX device_item_reserved ON device_item (plan_region, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX person_merged ON person (plan_region, merged_into) WHERE merged_into IS NOT NULL;
GRANT UPDATE (measure, reason, reassess_on) ON device_request TO tantu_app;

-- The parts of somebody's priority by a plan's rule: level and category are his own, the rest is his household's (0027).
CREATE FUNCTION request_points(of_plan smallint, place int, somebody bigint, home bigint, since date)
RETURNS TABLE (code text, part_position smallint, name_zh text, name_ko text, name_en text, times int, points_each int, points int, fact text)
LANGUAGE sql STABLE AS $$
    SELECT k.code, k.position, k.name_zh, k.name_ko, k.name_en, t.times, p.points, t.times * p.points,
        CASE k.kind WHEN 'level' THEN (ARRAY['一级', '二级', '三级', '四级'])[n.level] WHEN 'severe_poor' THEN (ARRAY['一级', '二级'])[n.level] || ' ' || h.hardship
            WHEN 'hardship' THEN h.hardship WHEN 'category' THEN '多重' WHEN 'waiting' THEN since::text
            WHEN 'trait' THEN k.value ELSE f.members::text END
    FROM person n JOIN household h ON h.plan_region = n.plan_region AND h.id = home
    CROSS JOIN LATERAL (SELECT count(*)::int AS members FROM person q WHERE q.plan_region = place AND q.household_id = home) AS f
    CROSS JOIN plan l JOIN priority_part p ON p.plan_id = l.id JOIN priority_criterion k ON k.code = p.code
    CROSS JOIN LATERAL (SELECT least(p.most, priority_times(k.kind, k.value, n.level, n.category = 7, f.members, h.hardship,
        coalesce((SELECT d.poor FROM hardship d WHERE d.name = h.hardship), false), h.traits, since, l.ends_on)) AS times) AS t
    WHERE n.plan_region = place AND n.id = somebody AND l.id = of_plan $$;
CREATE FUNCTION request_score(r device_request) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(p.points), 0)::int FROM request_points(r.plan_id, r.plan_region, r.person_id, r.household_id, r.waits_since) p);
END $$;

-- Puts on the scope of the system in a function of the owner's, or (told it) the one there was before; answers that.
CREATE FUNCTION system_instead(before text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    was text[] := ARRAY[current_setting('tantu.role', true), current_setting('tantu.low', true), current_setting('tantu.high', true)];
BEGIN
    before := coalesce(before, '{system,0,999999999}');
    PERFORM set_config('tantu.role', coalesce(before[1], ''), true), set_config('tantu.low', coalesce(before[2], ''), true),
        set_config('tantu.high', coalesce(before[3], ''), true);
    RETURN was;
END $$;

-- A request is somebody's, of his need, at a centre of his plan's region: whoever writes. Only an office grants an exception.
CREATE FUNCTION device_request_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    n need;
BEGIN
    SELECT * INTO n FROM need d WHERE d.plan_region = NEW.plan_region AND d.id = NEW.need_id;
    IF n.person_id IS DISTINCT FROM NEW.person_id OR n.kind <> 'device'
        OR (SELECT c.plan_region FROM centre c WHERE c.id = NEW.centre_id) <> NEW.plan_region THEN
        RAISE EXCEPTION 'a request is for a person''s own need of a device, at a centre of his region' USING ERRCODE = 'TT005';
    ELSIF NEW.exception IS NOT NULL THEN
        RAISE EXCEPTION 'an exception is granted by an office' USING ERRCODE = 'TT005';
    END IF;
    NEW.id := coalesce(NEW.id, id_in(NEW.plan_region, 'device_request_number'));
    NEW.plan_id := coalesce(NEW.plan_id, device_plan_of(NEW.plan_region, china_date(now())));
    NEW.household_id := n.household_id;
    NEW.region := (SELECT h.region FROM household h WHERE h.plan_region = n.plan_region AND h.id = n.household_id);
    NEW.county := county_of(NEW.region);
    NEW.waits_since := coalesce(NEW.waits_since, china_date(n.created_at));
    NEW.account_id := coalesce(NEW.account_id, nullif(scope_account(), 0));
    NEW.version := 1;
    NEW.score := request_score(NEW);
    NEW.turn := priority_turn(NEW.score, NEW.waits_since, NEW.id);
    NEW.rule_version := (SELECT u.version FROM priority_rule u WHERE u.plan_id = NEW.plan_id);
    RETURN NEW;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON device_request FOR EACH ROW EXECUTE FUNCTION device_request_comes();

-- (A new score alone is no new version: it is no news to who reads it.)
CREATE FUNCTION device_request_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.exception IS NOT NULL AND NEW.exception IS DISTINCT FROM OLD.exception
        AND NOT (coalesce(scope_role() IN ('county', 'manager'), false) AND NEW.exception_by IS NOT DISTINCT FROM scope_account()) THEN
        RAISE EXCEPTION 'an exception is granted by an office' USING ERRCODE = 'TT005';
    END IF;
    NEW.version := OLD.version + (NEW.rule_version = OLD.rule_version AND NEW.score = OLD.score)::int;
    NEW.county := county_of(NEW.region);
    NEW.turn := priority_turn(NEW.score, NEW.waits_since, NEW.id);
    NEW.reassess_on := CASE WHEN NEW.state = 'waiting' THEN NEW.reassess_on END;
    IF NEW.measure <> OLD.measure THEN -- it was for the other kind
        NEW.exception := NULL;
        NEW.exception_by := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER turns BEFORE UPDATE ON device_request FOR EACH ROW EXECUTE FUNCTION device_request_changes(); -- after the core's
-- What is reserved for a request that cannot have it any more is free again; what it handed out follows its person. As the system does it:
-- who moved the request may have no part in the item.
UPDATE device_rule SET roles = roles || '{system}'::text[] WHERE action = 'release';
CREATE FUNCTION device_request_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    was text[];
BEGIN
    IF NEW.person_id = OLD.person_id
        AND (OLD.state <> 'assessed' OR (NEW.state = 'assessed' AND NEW.measure = OLD.measure AND NEW.centre_id IS NOT DISTINCT FROM OLD.centre_id)) THEN
        RETURN NULL;
    END IF;
    was := system_instead(NULL);
    IF OLD.state = 'assessed' AND (NEW.state <> 'assessed' OR NEW.measure <> OLD.measure OR NEW.centre_id IS DISTINCT FROM OLD.centre_id) THEN
        INSERT INTO device_event (plan_region, item_id, action, happened_at)
        SELECT i.plan_region, i.id, 'release', greatest(now(), i.state_at) FROM device_item i
        WHERE i.plan_region = NEW.plan_region AND i.request_id = NEW.id ORDER BY i.id;
    END IF;
    IF NEW.person_id <> OLD.person_id THEN
        UPDATE handover h SET person_id = NEW.person_id WHERE h.plan_region = NEW.plan_region AND h.request_id = NEW.id;
    END IF;
    PERFORM system_instead(was);
    RETURN NULL;
END $$;
CREATE TRIGGER changed AFTER UPDATE ON device_request FOR EACH ROW EXECUTE FUNCTION device_request_changed();

-- What a request has been, append-only: a row each time that anything but its priority changed, and who did it. Written here alone.
CREATE TABLE device_request_event (
    plan_region  int NOT NULL,
    request_id   bigint NOT NULL,
    version      int NOT NULL, -- of the request
    at           timestamptz NOT NULL DEFAULT now(),
    account_id   bigint,
    state        text NOT NULL,
    assessed_for text,
    measure      text NOT NULL,
    centre_id    bigint,
    person_id    bigint NOT NULL,
    region       int NOT NULL,
    note         text NOT NULL, -- why it was cancelled or excepted
    PRIMARY KEY (plan_region, request_id, version),
    FOREIGN KEY (plan_region, request_id) REFERENCES device_request
);
CREATE FUNCTION device_request_told() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.state, NEW.assessed_for, NEW.measure, NEW.centre_id, NEW.person_id, NEW.region, NEW.exception, NEW.reassess_on) IS NOT DISTINCT FROM
           (OLD.state, OLD.assessed_for, OLD.measure, OLD.centre_id, OLD.person_id, OLD.region, OLD.exception, OLD.reassess_on) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO device_request_event (plan_region, request_id, version, account_id, state, assessed_for, measure, centre_id, person_id, region, note)
    VALUES (NEW.plan_region, NEW.id, NEW.version, coalesce(nullif(scope_account(), 0), CASE TG_OP WHEN 'INSERT' THEN NEW.account_id END), NEW.state,
        NEW.assessed_for, NEW.measure, NEW.centre_id, NEW.person_id, NEW.region,
        CASE WHEN NEW.state = 'cancelled' THEN NEW.reason WHEN TG_OP = 'INSERT' THEN NEW.note
             WHEN NEW.exception IS DISTINCT FROM OLD.exception THEN coalesce(NEW.exception, '') ELSE '' END);
    RETURN NULL;
END $$;
CREATE TRIGGER told AFTER INSERT OR UPDATE ON device_request FOR EACH ROW EXECUTE FUNCTION device_request_told();

-- What is measured of whom is a table: a list a kind, [{code, name_zh, name_ko, name_en, unit, min, max, required}].
CREATE TABLE device_measurement (
    measure text PRIMARY KEY, -- no reference: kinds are loaded after this
    items   jsonb NOT NULL,
    version int NOT NULL DEFAULT 1
);
INSERT INTO device_measurement (measure, items)
SELECT m, jsonb_agg(jsonb_build_object('code', c, 'name_zh', z, 'name_ko', k, 'name_en', e, 'unit', u, 'min', lo, 'max', hi, 'required', r) ORDER BY n)
FROM (VALUES
    ('{manual_wheelchair,powered_wheelchair}'::text[], 1, 'seat_width', '座宽', '좌석 너비', 'Seat width', 'mm', 200, 700, true),
    ('{manual_wheelchair,powered_wheelchair}', 2, 'seat_depth', '座深', '좌석 깊이', 'Seat depth', 'mm', 200, 650, false),
    ('{manual_wheelchair,powered_wheelchair}', 3, 'lower_leg', '小腿长', '종아리 길이', 'Lower leg', 'mm', 150, 650, false),
    ('{manual_wheelchair,powered_wheelchair,care_bed}', 4, 'weight', '体重', '체중', 'Weight', 'kg', 5, 300, false),
    ('{hearing_aid}', 1, 'threshold_left', '左耳听阈', '왼쪽 청력 역치', 'Hearing threshold, left ear', 'dB HL', -10, 130, true),
    ('{hearing_aid}', 2, 'threshold_right', '右耳听阈', '오른쪽 청력 역치', 'Hearing threshold, right ear', 'dB HL', -10, 130, true),
    ('{walking_frame,crutch}', 1, 'handle_height', '把手高度', '손잡이 높이', 'Height of the handle', 'mm', 300, 1300, false),
    ('{white_cane}', 1, 'body_height', '身高', '키', 'Body height', 'mm', 500, 2300, false),
    ('{low_vision_aid}', 1, 'acuity_left', '左眼视力', '왼쪽 시력', 'Visual acuity, left eye', '', 0, 2, true),
    ('{low_vision_aid}', 2, 'acuity_right', '右眼视力', '오른쪽 시력', 'Visual acuity, right eye', '', 0, 2, true)) AS v (kinds, n, c, z, k, e, u, lo, hi, r),
    unnest(v.kinds) AS m
GROUP BY m;

-- Each assessment is a row and stays; who made it may take it back until it is used. measure: the kind that it found right.
CREATE TABLE device_assessment (
    plan_region    int NOT NULL,
    request_id     bigint NOT NULL,
    number         int NOT NULL,
    centre_id      bigint NOT NULL REFERENCES centre,
    region         int NOT NULL REFERENCES region,
    happened_at    timestamptz NOT NULL,
    account_id     bigint NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('pass', 'pass_with_changes', 'reassess')),
    assessed_for   text CHECK (assessed_for IN ('fitting', 'rental')),
    asked          text NOT NULL REFERENCES measure, -- the kind until then
    measure        text NOT NULL REFERENCES measure,
    changes        text NOT NULL DEFAULT '',
    reason         text NOT NULL DEFAULT '',
    reassess_on    date,
    measurements   jsonb NOT NULL DEFAULT '[]', -- [{code, name_zh, unit, value}], named as they were then
    note           text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    taken_back_at  timestamptz,
    PRIMARY KEY (plan_region, request_id, number),
    FOREIGN KEY (plan_region, request_id) REFERENCES device_request,
    CHECK ((outcome = 'reassess') = (assessed_for IS NULL)),
    CHECK ((outcome = 'reassess') = (reassess_on IS NOT NULL)),
    CHECK (outcome = 'pass_with_changes' OR (changes = '' AND asked = measure))
);

-- A fitting as it was granted that day, beside its row of handover: until when no other of the kind is, and who paid what. 分
CREATE TABLE fitting (
    plan_region    int NOT NULL,
    handover_id    bigint NOT NULL,
    plan_id        smallint NOT NULL REFERENCES plan,
    centre_id      bigint NOT NULL REFERENCES centre,
    region         int NOT NULL REFERENCES region,
    measure        text NOT NULL REFERENCES measure,
    model          text NOT NULL REFERENCES device_model,
    fitted_on      date NOT NULL,
    service_months int NOT NULL,
    life_until     date NOT NULL, -- the first day on which the kind may be granted again
    price          bigint,        -- NULL: nobody knows
    subsidy        bigint NOT NULL,
    self_paid      bigint,
    exception      text,          -- why it was granted within the life of another
    exception_by   bigint,
    PRIMARY KEY (plan_region, handover_id),
    FOREIGN KEY (plan_region, handover_id) REFERENCES handover,
    CHECK (self_paid = price - subsidy AND self_paid >= 0)
);
-- Signed by hand on a screen: {"strokes": [[x,y,x,y,…],…]}. One for each thing that a handover is (a trial, then a fitting).
CREATE TABLE handover_signature (
    plan_region int NOT NULL,
    handover_id bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('fitting', 'rental', 'trial', 'loan')),
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region,
    signer      text NOT NULL,
    strokes     json NOT NULL,
    account_id  bigint NOT NULL,
    signed_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, handover_id, kind),
    FOREIGN KEY (plan_region, handover_id) REFERENCES handover
);
CREATE FUNCTION strokes_hold(given json) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN json_typeof(given->'strokes') = 'array' AND json_array_length(given->'strokes') BETWEEN 1 AND 500
        THEN NOT EXISTS (SELECT FROM json_array_elements(given->'strokes') AS s WHERE CASE WHEN json_typeof(s) = 'array'
            THEN json_array_length(s) < 2 OR json_array_length(s) % 2 = 1
                OR EXISTS (SELECT FROM json_array_elements(s) AS x WHERE CASE WHEN json_typeof(x) = 'number'
                    THEN abs(x::text::numeric) > 100000 ELSE true END)
            ELSE true END)
        ELSE false END $$;
-- Writes down that `h` was signed; who signs is the person himself unless another name is given. Answers why not.
CREATE FUNCTION handover_sign(h handover, signed json, by_name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE
        WHEN NOT coalesce(strokes_hold(signed), false) THEN 'signature_unreadable'
        WHEN EXISTS (SELECT FROM handover_signature s WHERE s.plan_region = h.plan_region AND s.handover_id = h.id AND s.kind = h.kind) THEN 'handover_signed' END;
    IF verdict IS NULL THEN
        INSERT INTO handover_signature (plan_region, handover_id, kind, centre_id, region, signer, strokes, account_id)
        VALUES (h.plan_region, h.id, h.kind, h.centre_id, h.region, coalesce(nullif(btrim(by_name), ''), (SELECT p.name FROM person p
            WHERE p.plan_region = h.plan_region AND p.id = h.person_id), nullif(h.borrower, ''), '*'),
            json_build_object('strokes', signed->'strokes'), scope_account());
    END IF;
    RETURN verdict;
END $$;

-- Somebody and whoever turned out to be him (0025).
CREATE FUNCTION person_selves(place int, somebody bigint) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (WITH RECURSIVE up AS (
        SELECT p.id, p.merged_into FROM person p WHERE p.plan_region = place AND p.id = somebody
        UNION SELECT p.id, p.merged_into FROM up JOIN person p ON p.plan_region = place AND p.id = up.merged_into
    ), down AS (
        SELECT u.id FROM up u WHERE u.merged_into IS NULL
        UNION SELECT p.id FROM down d JOIN person p ON p.plan_region = place AND p.merged_into = d.id)
    SELECT array_agg(d.id) FROM down d);
END $$;
-- The day from which the kind that `r` asks for may be granted on `day` after what was granted before, wherever; NULL: on `day`. With the
-- owner's rights: it tells that and nothing else.
CREATE FUNCTION service_life_until(r device_request, day date) RETURNS date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT max(f.life_until) FROM handover h JOIN fitting f ON f.plan_region = h.plan_region AND f.handover_id = h.id
    WHERE h.plan_region = r.plan_region AND h.person_id = ANY (person_selves(r.plan_region, r.person_id)) AND h.kind = 'fitting'
      AND h.ended IS DISTINCT FROM 'returned' AND f.measure = r.measure AND f.life_until > day);
END $$;
CREATE OR REPLACE FUNCTION service_life_barred(r device_request, day date) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE WHEN r.exception IS NULL AND service_life_until(r, day) IS NOT NULL THEN 'within_service_life' END;
    RETURN verdict;
END $$;

-- Of two fittings of one person one comes after the other: each asks what the other granted. (Named to fire before the core's.)
CREATE FUNCTION person_alone(place int, somebody bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7305, hashint8((SELECT min(x) FROM unnest(person_selves(place, somebody)) AS x)));
END $$;
CREATE FUNCTION handover_begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM device_request q WHERE q.plan_region = NEW.plan_region AND q.id = NEW.request_id FOR NO KEY UPDATE;
    PERFORM person_alone(NEW.plan_region, NEW.person_id);
    RETURN NEW;
END $$;
CREATE TRIGGER begins BEFORE INSERT ON handover FOR EACH ROW WHEN (NEW.kind = 'fitting') EXECUTE FUNCTION handover_begins();
CREATE TRIGGER begins_to_be BEFORE UPDATE OF kind ON handover FOR EACH ROW WHEN (NEW.kind <> OLD.kind) EXECUTE FUNCTION handover_begins();

-- What is granted is written down as it was that day, whoever hands out. What was donated costs nothing unless the item has a price.
CREATE FUNCTION handover_granted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date := china_date(CASE TG_OP WHEN 'INSERT' THEN NEW.happened_at ELSE now() END);
    of_plan smallint := device_plan_of(NEW.plan_region, day);
    r device_request;
    i device_item;
    m device_model;
    terms record;
    costs bigint;
BEGIN
    SELECT * INTO r FROM device_request q WHERE q.plan_region = NEW.plan_region AND q.id = NEW.request_id;
    SELECT * INTO i FROM device_item d WHERE d.plan_region = NEW.plan_region AND d.id = NEW.item_id;
    SELECT * INTO m FROM device_model d WHERE d.code = i.model;
    SELECT * INTO terms FROM device_terms_of(of_plan, i.model);
    costs := coalesce(i.price, CASE i.source WHEN 'donated' THEN 0 ELSE m.price END);
    INSERT INTO fitting (plan_region, handover_id, plan_id, centre_id, region, measure, model, fitted_on, service_months, life_until,
        price, subsidy, self_paid, exception, exception_by)
    VALUES (NEW.plan_region, NEW.id, of_plan, NEW.centre_id, NEW.region, m.measure, m.code, day, terms.service_months,
        (day + make_interval(months => terms.service_months))::date, costs, least(terms.subsidy, costs),
        costs - least(terms.subsidy, costs), r.exception, r.exception_by);
    RETURN NULL;
END $$;
CREATE TRIGGER granted AFTER INSERT ON handover FOR EACH ROW WHEN (NEW.kind = 'fitting') EXECUTE FUNCTION handover_granted();
CREATE TRIGGER granted_after_all AFTER UPDATE OF kind ON handover FOR EACH ROW
    WHEN (NEW.kind = 'fitting' AND OLD.kind <> 'fitting') EXECUTE FUNCTION handover_granted();

CREATE TYPE device_request_answer AS (
    _verdict text, _field text, _reasons text[], id bigint, plan text, person bigint, person_name text, need bigint, measure text,
    "kind.name_zh" text, "kind.name_ko" text, "kind.name_en" text, region text, centre text, source text, state text, assessed_for text,
    score int, waits_since date, reassess_on date, item text, exception text, note text, reason text, created_at timestamptz, version int);
-- As a list shows it: the name masked. item: what is reserved for it.
CREATE FUNCTION device_request_shown(r device_request, verdict text, field text, reasons text[]) RETURNS device_request_answer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    a device_request_answer;
BEGIN -- (PL/pgSQL, as elsewhere here: its plans are kept, those of SQL functions are not)
    IF r.id IS NULL THEN
        a._verdict := verdict;
        a._field := field;
        a._reasons := reasons;
        RETURN a;
    END IF;
    SELECT verdict, field, reasons, r.id, (SELECT p.code FROM plan p WHERE p.id = r.plan_id), r.person_id,
        (SELECT left(n.name, 1) || repeat('*', greatest(length(n.name) - 1, 1)) FROM person n WHERE n.plan_region = r.plan_region AND n.id = r.person_id),
        r.need_id, r.measure, m.name_zh, m.name_ko, m.name_en, region_label(r.region), (SELECT c.code FROM centre c WHERE c.id = r.centre_id),
        r.source, r.state, r.assessed_for, r.score, r.waits_since, r.reassess_on,
        (SELECT i.code FROM device_item i WHERE i.plan_region = r.plan_region AND i.request_id = r.id ORDER BY i.id LIMIT 1),
        r.exception, r.note, r.reason, r.created_at, r.version INTO a
    FROM (SELECT 1) AS one LEFT JOIN measure m ON m.code = r.measure;
    RETURN a;
END $$;
-- The request of that id, locked, in the caller's scope.
CREATE FUNCTION device_request_locked(wanted bigint) RETURNS device_request LANGUAGE plpgsql AS $$
DECLARE
    r device_request;
BEGIN
    SELECT * INTO r FROM device_request q WHERE q.plan_region = plan_region_of(wanted) AND q.id = wanted FOR NO KEY UPDATE;
    RETURN r;
END $$;
CREATE FUNCTION request_on_trial(r device_request) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM handover h WHERE h.plan_region = r.plan_region AND h.request_id = r.id AND h.kind = 'trial' AND h.ended IS NULL) $$;

-- A request of somebody whom who calls has found to be his to serve. The need: that one, or one of that kind, open again or new. With
-- the owner's rights: a centre may not write needs, nor see that another has such a request.
CREATE FUNCTION device_request_make(place int, given bigint, wanted_need bigint, of_kind text, served_at bigint, from_where text, said text,
                                    OUT verdict text, OUT reasons text[], OUT made device_request)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    n need;
    somebody person;
    since date;
BEGIN
    IF NOT coalesce(scope_role() IN ('centre', 'county', 'manager'), false) THEN
        RAISE EXCEPTION 'requests are a centre''s or an office''s to open' USING ERRCODE = '42501';
    END IF;
    PERFORM person_alone(place, given);
    SELECT * INTO somebody FROM person p WHERE p.plan_region = place AND p.id = ANY (person_selves(place, given)) AND p.merged_into IS NULL;
    SELECT * INTO n FROM need d WHERE d.plan_region = place AND d.person_id = somebody.id AND d.kind = 'device'
        AND CASE WHEN wanted_need IS NULL THEN device_kind_of(d.item) = of_kind ELSE d.id = wanted_need END
    ORDER BY d.state <> 'open', d.id LIMIT 1;
    SELECT array_agg(r.id::text ORDER BY r.id) INTO reasons FROM device_request r WHERE r.plan_region = place AND r.person_id = somebody.id
        AND (r.measure = of_kind OR r.need_id = n.id) AND r.state IN ('waiting', 'assessed');
    verdict := CASE WHEN reasons IS NOT NULL THEN 'request_open' END;
    IF verdict IS NOT NULL THEN
        RETURN;
    ELSIF n.id IS NULL THEN
        INSERT INTO need AS d (plan_region, id, household_id, person_id, kind, item)
        VALUES (place, id_in(place, 'need_number'), somebody.household_id, somebody.id, 'device', device_word_of(of_kind))
        ON CONFLICT (plan_region, person_id, kind, item) DO UPDATE SET state = 'open' RETURNING * INTO n;
        from_where := 'walk_in';
    ELSIF n.state <> 'open' THEN
        UPDATE need d SET state = 'open' WHERE d.plan_region = place AND d.id = n.id;
        since := china_date(now());
    END IF;
    INSERT INTO device_request (plan_region, person_id, need_id, measure, centre_id, source, note, waits_since)
    VALUES (place, somebody.id, n.id, of_kind, served_at, coalesce(from_where, request_source(n)), coalesce(said, ''), since) RETURNING * INTO made;
END $$;
-- Where a need came from.
CREATE FUNCTION request_source(n need) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM survey_need s WHERE s.plan_region = n.plan_region AND s.need_id = n.id) THEN 'survey'
        ELSE coalesce((SELECT r.source FROM device_request r WHERE r.plan_region = n.plan_region AND r.person_id = n.person_id AND r.need_id = n.id
                       ORDER BY r.id LIMIT 1), 'import') END $$;

CREATE FUNCTION device_request_open(of_person bigint, of_need bigint, of_kind text, wanted_centre text, said text) RETURNS device_request_answer
LANGUAGE plpgsql AS $$
DECLARE
    place int := plan_region_of(coalesce(of_need, of_person));
    n need;
    somebody person;
    c centre;
    verdict text;
    field text;
    done record;
BEGIN
    SELECT * INTO n FROM need d WHERE d.plan_region = place AND d.id = of_need AND d.kind = 'device';
    SELECT * INTO somebody FROM person p WHERE p.plan_region = place AND p.id = coalesce(of_person, n.person_id);
    SELECT * INTO c FROM device_centre(wanted_centre) AS d WHERE scope_role() = 'centre' OR wanted_centre IS NOT NULL;
    of_kind := coalesce(of_kind, device_kind_of(n.item));
    verdict := CASE
        WHEN of_need IS NOT NULL AND n.id IS NULL OR n.person_id <> of_person THEN 'request_need_unknown'
        WHEN somebody.id IS NULL THEN 'request_person_unknown'
        WHEN of_kind IS NULL THEN 'need_kind_unknown'
        WHEN NOT EXISTS (SELECT FROM measure m WHERE m.code = of_kind AND m.kind = 'device') THEN 'measure_unknown'
        WHEN c.id IS NULL AND (scope_role() = 'centre' OR wanted_centre IS NOT NULL) THEN 'centre_unknown'
        WHEN c.plan_region <> place THEN 'centre_elsewhere' END;
    field := CASE verdict WHEN 'measure_unknown' THEN '/measure' END;
    IF verdict IS NULL THEN
        SELECT * INTO done FROM device_request_make(place, somebody.id, n.id, of_kind, c.id, NULL, said);
        RETURN device_request_shown(done.made, done.verdict, NULL, done.reasons);
    END IF;
    RETURN device_request_shown(NULL, verdict, field, NULL);
END $$;

-- What is wrong with the values of a list of measurements: the first wrong one, else what lacks. `whole`: what is required is there.
CREATE FUNCTION measurements_refusal(kind text, given json, whole boolean, OUT verdict text, OUT field text, OUT lacking text[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
    wanted jsonb := coalesce((SELECT d.items FROM device_measurement d WHERE d.measure = kind), '[]');
BEGIN
    SELECT j.verdict, format('/measurements/%s/%s', j.at - 1, CASE j.verdict WHEN 'measurement_out_of_range' THEN 'value' ELSE 'code' END)
    INTO verdict, field FROM (
        SELECT g.at, CASE
            WHEN w.code IS NULL THEN 'measurement_unknown'
            WHEN count(*) OVER (PARTITION BY g.code ORDER BY g.at) > 1 THEN 'measurement_twice'
            WHEN g.value NOT BETWEEN w.min AND w.max THEN 'measurement_out_of_range' END AS verdict
        FROM ROWS FROM (json_to_recordset(given) AS (code text, value numeric)) WITH ORDINALITY AS g (code, value, at)
        LEFT JOIN jsonb_to_recordset(wanted) AS w (code text, min numeric, max numeric) ON w.code = g.code) AS j
    WHERE j.verdict IS NOT NULL ORDER BY j.at LIMIT 1;
    IF verdict IS NULL AND whole THEN
        SELECT array_agg(w.code ORDER BY w.at) INTO lacking FROM jsonb_array_elements(wanted) WITH ORDINALITY AS e (one, at)
        CROSS JOIN LATERAL (SELECT e.one->>'code' AS code, (e.one->>'required')::boolean AS required, e.at) AS w
        WHERE w.required AND NOT EXISTS (SELECT FROM json_to_recordset(given) AS g (code text) WHERE g.code = w.code);
        verdict := CASE WHEN lacking IS NOT NULL THEN 'measurement_missing' END;
        field := '/measurements';
    END IF;
END $$;
CREATE FUNCTION measurements_named(kind text, given json) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('code', g.code, 'name_zh', w.name_zh, 'unit', w.unit, 'value', g.value) ORDER BY w.at), '[]')
    FROM device_measurement d CROSS JOIN LATERAL jsonb_array_elements(d.items) WITH ORDINALITY AS e (one, at)
    CROSS JOIN LATERAL (SELECT e.one->>'code' AS code, e.one->>'name_zh' AS name_zh, e.one->>'unit' AS unit, e.at) AS w
    JOIN json_to_recordset(given) AS g (code text, value numeric) ON g.code = w.code WHERE d.measure = kind $$;

-- The assessment that stands: the last that was not taken back; and why `a` may not be written down.
CREATE FUNCTION assessment_of(r device_request) RETURNS device_assessment LANGUAGE plpgsql STABLE AS $$
DECLARE
    last device_assessment;
BEGIN
    SELECT a.* INTO last FROM device_assessment a WHERE a.plan_region = r.plan_region AND a.request_id = r.id AND a.taken_back_at IS NULL
    ORDER BY a.number DESC LIMIT 1;
    RETURN last;
END $$;
CREATE FUNCTION assessment_refusal(r device_request, a device_assessment, if_match int, given json, OUT verdict text, OUT field text, OUT lacking text[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
    last device_assessment := assessment_of(r);
    day date := china_date(a.happened_at);
BEGIN
    verdict := CASE
        WHEN r.id IS NULL THEN 'not_found'
        WHEN if_match <> r.version THEN 'stale'
        WHEN r.state NOT IN ('waiting', 'assessed') THEN 'request_over'
        WHEN r.centre_id IS NULL THEN 'request_without_centre'
        WHEN a.happened_at > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN day < china_date(last.happened_at) THEN 'happened_before_last'
        WHEN NOT EXISTS (SELECT FROM measure m WHERE m.code = a.measure AND m.kind = 'device') THEN 'measure_unknown'
        WHEN a.outcome <> 'reassess' AND a.assessed_for IS NULL THEN 'assessed_for_missing'
        WHEN a.outcome = 'reassess' AND a.reassess_on IS NULL THEN 'reassess_on_missing'
        WHEN a.reassess_on < day OR a.reassess_on > day + 366 THEN 'reassess_on_out_of_range'
        WHEN a.outcome = 'reassess' AND a.reason !~ '\S' THEN 'note_required'
        WHEN a.outcome = 'pass_with_changes' AND a.measure = r.measure AND a.changes !~ '\S' THEN 'changes_missing'
        WHEN a.outcome <> 'pass_with_changes' AND (a.measure <> r.measure OR a.changes ~ '\S') THEN 'changes_not_wanted'
        WHEN (a.outcome = 'reassess' OR a.measure <> r.measure) AND request_on_trial(r) THEN 'request_on_trial' END;
    field := CASE verdict WHEN 'measure_unknown' THEN '/measure' WHEN 'note_required' THEN '/reason' END;
    IF verdict IS NULL THEN
        SELECT * INTO verdict, field, lacking FROM measurements_refusal(a.measure, given, a.outcome <> 'reassess');
    END IF;
END $$;
-- The request as its standing assessment says.
CREATE FUNCTION request_follows(r device_request, a device_assessment, else_kind text) RETURNS device_request LANGUAGE plpgsql AS $$
BEGIN
    UPDATE device_request q SET state = CASE WHEN a.assessed_for IS NULL THEN 'waiting' ELSE 'assessed' END, assessed_for = a.assessed_for,
        measure = coalesce(a.measure, else_kind), reassess_on = a.reassess_on
    WHERE q.plan_region = r.plan_region AND q.id = r.id RETURNING * INTO r;
    RETURN r;
END $$;
CREATE FUNCTION device_assess(wanted bigint, if_match int, a device_assessment, given json) RETURNS device_request_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(wanted);
    verdict text;
    field text;
    reasons text[];
BEGIN
    a.measure := coalesce(a.measure, r.measure);
    a.happened_at := coalesce(a.happened_at, now());
    SELECT * INTO verdict, field, reasons FROM assessment_refusal(r, a, if_match, given);
    IF verdict IS NULL THEN
        INSERT INTO device_assessment (plan_region, request_id, number, centre_id, region, happened_at, account_id, outcome, assessed_for, asked,
            measure, changes, reason, reassess_on, measurements, note)
        VALUES (r.plan_region, r.id, 1 + coalesce((SELECT max(o.number) FROM device_assessment o WHERE o.plan_region = r.plan_region
            AND o.request_id = r.id), 0), r.centre_id, r.region, a.happened_at, scope_account(), a.outcome,
            CASE WHEN a.outcome <> 'reassess' THEN a.assessed_for END, r.measure, a.measure, a.changes,
            a.reason, CASE WHEN a.outcome = 'reassess' THEN a.reassess_on END, measurements_named(a.measure, given), a.note) RETURNING * INTO a;
        r := request_follows(r, a, NULL);
    END IF;
    RETURN device_request_shown(r, verdict, field, reasons);
END $$;

-- Who waits, whole, for who serves him: a centre may not see his household otherwise. With the owner's rights, for requests in scope.
CREATE FUNCTION device_request_person(asked device_request, OUT name text, OUT sex text, OUT category int, OUT level int, OUT phone text, OUT village text,
                                      OUT address text, OUT hardship text, OUT parts json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT n.name, n.sex, n.category::int, n.level::int, n.phone, h.village, h.address, h.hardship,
        (SELECT json_agg(json_build_object('code', p.code, 'name_zh', p.name_zh, 'name_ko', p.name_ko, 'name_en', p.name_en, 'points', p.points,
                'times', p.times, 'points_each', p.points_each, 'fact', p.fact) ORDER BY p.part_position)
         FROM request_points(r.plan_id, r.plan_region, r.person_id, r.household_id, r.waits_since) p WHERE p.points > 0)
    INTO name, sex, category, level, phone, village, address, hardship, parts
    FROM device_request r JOIN person n ON n.plan_region = r.plan_region AND n.id = r.person_id
    JOIN household h ON h.plan_region = r.plan_region AND h.id = r.household_id
    WHERE r.plan_region = asked.plan_region AND r.id = asked.id AND scope_has(r.centre_id, r.region);
END $$;

GRANT SELECT, INSERT ON device_assessment, handover_signature TO tantu_app;
GRANT UPDATE (taken_back_at) ON device_assessment TO tantu_app;
GRANT SELECT ON fitting, device_request_event TO tantu_app;
GRANT SELECT, INSERT, UPDATE ON device_measurement TO tantu_app;
ALTER TABLE device_request_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON device_request_event FOR SELECT USING (EXISTS (
    SELECT FROM device_request r WHERE r.plan_region = device_request_event.plan_region AND r.id = device_request_event.request_id));
ALTER TABLE device_assessment ENABLE ROW LEVEL SECURITY;
ALTER TABLE fitting ENABLE ROW LEVEL SECURITY;
ALTER TABLE handover_signature ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_measurement ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_assessment USING (scope_has(centre_id, region))
    WITH CHECK (scope_has(centre_id, region) AND account_id = (SELECT scope_account()));
CREATE POLICY scope ON fitting FOR SELECT USING (scope_has(centre_id, region));
CREATE POLICY reading ON handover_signature FOR SELECT USING (scope_has(centre_id, region));
CREATE POLICY adding ON handover_signature FOR INSERT WITH CHECK (scope_has(centre_id, region) AND account_id = (SELECT scope_account())
    AND EXISTS (SELECT FROM handover h WHERE h.plan_region = handover_signature.plan_region AND h.id = handover_signature.handover_id));
CREATE POLICY reading ON device_measurement FOR SELECT USING (true);
CREATE POLICY writing ON device_measurement USING ((SELECT scope_role()) = 'admin');
CREATE POLICY adding_by_whom ON device_assessment AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY changing_by_whom ON device_assessment AS RESTRICTIVE FOR UPDATE USING (account_id = (SELECT scope_account()));
CREATE POLICY adding_by_whom ON handover_signature AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
REVOKE EXECUTE ON FUNCTION system_instead FROM PUBLIC;
