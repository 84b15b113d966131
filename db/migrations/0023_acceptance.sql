-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Acceptance: what an inspection found, item by item, and the two gates that ask for it; the follow-ups of what was accepted.

-- What is a plan's own to set; the row without a plan is for every plan that has none.
CREATE TABLE acceptance_rule (
    plan_id          smallint REFERENCES plan,
    rework_days      int NOT NULL CHECK (rework_days BETWEEN 1 AND 365), -- the longest that a rework may be given
    follow_up_months int[] NOT NULL CHECK (0 < ALL (follow_up_months) AND cardinality(follow_up_months) <= 12),
    version          int NOT NULL DEFAULT 1,
    UNIQUE NULLS NOT DISTINCT (plan_id)
);
INSERT INTO acceptance_rule VALUES (NULL, 60, '{1,6}', 0);
GRANT SELECT, INSERT, UPDATE ON acceptance_rule TO tantu_app;
ALTER TABLE acceptance_rule ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON acceptance_rule FOR SELECT USING (true);
CREATE POLICY adding ON acceptance_rule FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON acceptance_rule FOR UPDATE
    USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE FUNCTION acceptance_rule_of(wanted smallint) RETURNS acceptance_rule LANGUAGE sql STABLE
AS $$ SELECT r FROM acceptance_rule r WHERE r.plan_id = wanted OR r.plan_id IS NULL ORDER BY r.plan_id NULLS LAST LIMIT 1 $$;

-- Append-only: a mistake is mended by another inspection, and the last one counts.
CREATE TABLE inspection (
    plan_region  int NOT NULL,
    case_id      bigint NOT NULL,
    number       int NOT NULL CHECK (number > 0),
    case_version int NOT NULL, -- the case as it was inspected
    inspected_at timestamptz NOT NULL,
    account_id   bigint NOT NULL,
    result       text NOT NULL CHECK (result IN ('pass', 'rework')),
    satisfaction smallint CHECK (satisfaction BETWEEN 1 AND 5),
    signature    bigint, -- of the household: a case_photo
    note         text NOT NULL DEFAULT '',
    deadline     date,   -- until when the faults are to be mended
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, case_id, number),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    FOREIGN KEY (plan_region, signature) REFERENCES case_photo,
    CHECK ((result = 'rework') = (deadline IS NOT NULL))
);
CREATE INDEX inspection_by_deadline ON inspection (deadline) WHERE deadline IS NOT NULL;
CREATE UNIQUE INDEX inspection_signature ON inspection (plan_region, signature); -- one signature signs one thing
CREATE TABLE inspection_item (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    inspection  int NOT NULL,
    item        int NOT NULL,
    name        text NOT NULL, -- these four as the design was then: a change order may change it afterwards
    kind        text NOT NULL,
    unit        text NOT NULL,
    quantity    numeric(10, 2) NOT NULL,
    measured    numeric(10, 2) NOT NULL CHECK (measured >= 0), -- in the item's unit; of a device: how many were handed over
    fault       text NOT NULL DEFAULT '',
    PRIMARY KEY (plan_region, case_id, inspection, item),
    FOREIGN KEY (plan_region, case_id, inspection) REFERENCES inspection,
    FOREIGN KEY (plan_region, case_id, item) REFERENCES case_item
);
GRANT SELECT, INSERT ON inspection, inspection_item TO tantu_app;
ALTER TABLE inspection ENABLE ROW LEVEL SECURITY;
ALTER TABLE inspection_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON inspection FOR SELECT USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = inspection.plan_region AND c.id = inspection.case_id));
CREATE POLICY adding ON inspection FOR INSERT WITH CHECK (account_id = (SELECT scope_account())
    AND (SELECT scope_role()) IN ('assessor', 'county', 'manager')
    AND EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = inspection.plan_region AND c.id = inspection.case_id));
CREATE POLICY reading ON inspection_item FOR SELECT USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = inspection_item.plan_region AND c.id = inspection_item.case_id));
CREATE POLICY adding ON inspection_item FOR INSERT WITH CHECK (EXISTS (
    SELECT FROM inspection i WHERE i.plan_region = inspection_item.plan_region AND i.case_id = inspection_item.case_id
        AND i.number = inspection_item.inspection AND i.account_id = (SELECT scope_account())));

-- The event with which the present stay in `built` began. A case that was suspended meanwhile, or whose acceptance was taken
-- back, stays where it was; one whose acceptance was revoked is to be inspected anew.
CREATE FUNCTION inspection_stay(c retrofit_case) RETURNS case_event LANGUAGE sql STABLE AS $$
    SELECT e FROM case_event e WHERE e.plan_region = c.plan_region AND e.case_id = c.id
        AND e.to_stage = 'built' AND e.kind IN ('move', 'revoke') ORDER BY e.version DESC LIMIT 1 $$;

-- Who said that the work was done, last.
CREATE FUNCTION inspection_builder(c retrofit_case) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT e.account_id FROM case_event e WHERE e.plan_region = c.plan_region AND e.case_id = c.id
        AND e.to_stage = 'built' AND e.kind = 'move' ORDER BY e.version DESC LIMIT 1 $$;

-- The last inspection of this stay; all NULL: none.
CREATE FUNCTION inspection_last(c retrofit_case) RETURNS inspection LANGUAGE sql STABLE AS $$
    SELECT i FROM inspection i WHERE i.plan_region = c.plan_region AND i.case_id = c.id
        AND i.case_version >= (inspection_stay(c)).version ORDER BY i.number DESC LIMIT 1 $$;

-- An item in a list of what is lacking: 3 厨房 洗菜池
CREATE FUNCTION inspection_label(i case_item) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT i.number || ' ' || coalesce((SELECT r.name_zh FROM room r WHERE r.code = i.room), i.room) || ' ' || i.name $$;

CREATE FUNCTION inspection_unmeasured(c retrofit_case, inspected int) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(inspection_label(i) ORDER BY i.number) FROM case_item i
    WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL
      AND NOT EXISTS (SELECT FROM inspection_item m WHERE m.plan_region = i.plan_region AND m.case_id = i.case_id
                      AND m.inspection = inspected AND m.item = i.number) $$;

-- After an inspection that failed, what it found at fault is photographed anew. (Here, not in
-- 0021: between two migrations cases move as well.)
CREATE OR REPLACE FUNCTION gate_after_photos(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    lacking text[] := photo_wanted(c, 'after', '-infinity', NULL);
    last record;
    verdict text;
BEGIN
    IF lacking IS NULL THEN
        SELECT i.result, i.created_at, ARRAY(SELECT f.item FROM inspection_item f WHERE f.plan_region = i.plan_region
            AND f.case_id = i.case_id AND f.inspection = i.number AND f.fault <> '') AS faulty INTO last
        FROM inspection i WHERE i.plan_region = c.plan_region AND i.case_id = c.id ORDER BY i.number DESC LIMIT 1;
        IF last.result = 'rework' THEN
            lacking := photo_wanted(c, 'after', last.created_at, last.faulty);
        END IF;
    END IF;
    verdict := CASE WHEN lacking IS NOT NULL THEN 'after_photo_missing' WHEN photo_no_items(c) THEN 'items_missing' END;
    RETURN verdict || coalesce(lacking, '{}');
END $$;

CREATE OR REPLACE FUNCTION gate_inspection_passed(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    last inspection := inspection_last(c);
    lacking text[] := inspection_unmeasured(c, last.number);
    verdict text;
BEGIN
    verdict := CASE
        WHEN last.number IS NULL THEN 'inspection_missing'
        WHEN last.result <> 'pass' THEN 'inspection_failed'
        WHEN lacking IS NOT NULL THEN 'items_not_measured'
        WHEN NOT EXISTS (SELECT FROM case_photo p WHERE p.plan_region = c.plan_region AND p.id = last.signature
                         AND p.removed_at IS NULL) THEN 'signature_missing'
        WHEN last.satisfaction IS NULL THEN 'satisfaction_missing'
        WHEN day < china_date(last.inspected_at) THEN 'happened_before_last' END;
    IF verdict IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN verdict || CASE WHEN verdict = 'items_not_measured' THEN lacking ELSE '{}' END;
END $$;

CREATE OR REPLACE FUNCTION gate_inspection_failed(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    last inspection := inspection_last(c);
    verdict text;
BEGIN
    verdict := CASE
        WHEN last.number IS NULL THEN 'inspection_missing'
        WHEN last.result <> 'rework' THEN 'inspection_passed'
        WHEN day < china_date(last.inspected_at) THEN 'happened_before_last' END;
    RETURN CASE WHEN verdict IS NOT NULL THEN ARRAY[verdict] END;
END $$;

-- What was measured, entry by entry. `at` counts from nought, as JSON pointers do.
CREATE FUNCTION inspection_entries(given json) RETURNS TABLE (at int, item int, measured numeric, fault text)
LANGUAGE sql IMMUTABLE AS $$
    SELECT g.at::int - 1, g.item, round(g.measured, 2), CASE WHEN g.fault ~ '\S' THEN g.fault ELSE '' END
    FROM ROWS FROM (json_to_recordset(given) AS (item int, measured numeric, fault text)) WITH ORDINALITY AS g (item, measured, fault, at) $$;

-- What is wrong with the entries: the first wrong one; else what nobody measured.
CREATE FUNCTION inspection_entries_refusal(c retrofit_case, said_result text, given json, OUT verdict text, OUT field text, OUT lacking text[])
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT j.verdict, '/items/' || j.at || CASE j.verdict WHEN 'pass_with_faults' THEN '/fault' WHEN 'pass_unbuilt' THEN '/measured' ELSE '/item' END
    INTO verdict, field FROM (
        SELECT g.at, CASE
            WHEN i.number IS NULL THEN 'item_unknown'
            WHEN count(*) OVER (PARTITION BY g.item ORDER BY g.at) > 1 THEN 'item_given_twice'
            WHEN said_result = 'pass' AND g.fault <> '' THEN 'pass_with_faults'
            WHEN said_result = 'pass' AND i.kind = 'retrofit' AND g.measured = 0 THEN 'pass_unbuilt' END AS verdict
        FROM inspection_entries(given) g LEFT JOIN case_item i
            ON i.plan_region = c.plan_region AND i.case_id = c.id AND i.number = g.item AND i.removed_at IS NULL) AS j
    WHERE j.verdict IS NOT NULL ORDER BY j.at LIMIT 1;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(inspection_label(i) ORDER BY i.number) INTO lacking FROM case_item i
    WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL
      AND NOT EXISTS (SELECT FROM inspection_entries(given) g WHERE g.item = i.number);
    verdict := CASE
        WHEN lacking IS NOT NULL THEN 'items_not_measured'
        WHEN said_result = 'rework' AND NOT EXISTS (SELECT FROM inspection_entries(given) g WHERE g.fault <> '') THEN 'faults_missing' END;
    field := '/items';
END $$;

-- Why `i` may not be written down; NULL: it may.
CREATE FUNCTION inspection_refusal(c retrofit_case, i inspection, given json, OUT verdict text, OUT field text, OUT lacking text[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
    stay case_event := inspection_stay(c);
    day date := china_date(i.inspected_at);
    longest int := (acceptance_rule_of(c.plan_id)).rework_days;
BEGIN
    verdict := CASE
        WHEN c.stage <> 'built' THEN 'case_not_built'
        WHEN scope_contractor() IS NOT NULL OR inspection_builder(c) = i.account_id THEN 'inspector_not_independent'
        WHEN i.inspected_at > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN day < china_date(stay.happened_at) THEN 'happened_before_last'
        WHEN i.result = 'pass' AND i.deadline IS NOT NULL THEN 'deadline_not_wanted'
        WHEN i.result = 'rework' AND i.deadline IS NULL THEN 'deadline_missing'
        WHEN i.deadline <= day OR i.deadline > day + longest THEN 'deadline_out_of_range'
        WHEN i.signature IS NOT NULL AND NOT EXISTS (SELECT FROM case_photo p WHERE p.plan_region = c.plan_region
            AND p.id = i.signature AND p.case_id = c.id AND p.slot = 'signature' AND p.removed_at IS NULL) THEN 'signature_unknown'
        WHEN EXISTS (SELECT FROM inspection o WHERE o.plan_region = c.plan_region AND o.signature = i.signature)
            OR EXISTS (SELECT FROM survey_signature s WHERE s.plan_region = c.plan_region AND s.signature = i.signature) THEN 'signature_used' END;
    field := CASE WHEN verdict LIKE 'happened%' THEN '/inspected_at' END;
    IF verdict IS NULL THEN
        SELECT * INTO verdict, field, lacking FROM inspection_entries_refusal(c, i.result, given);
    END IF;
END $$;

CREATE FUNCTION inspection_items(i inspection) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('item', m.item, 'name', m.name, 'kind', m.kind, 'unit', m.unit,
        'quantity', m.quantity::float8, 'measured', m.measured::float8, 'fault', m.fault) ORDER BY m.item), '[]')
    FROM inspection_item m WHERE m.plan_region = i.plan_region AND m.case_id = i.case_id AND m.inspection = i.number $$;

-- Writes one down. The case is locked first, so nobody moves it, and numbers follow each other.
CREATE TYPE inspection_answer AS (
    _verdict text, _field text, _reasons text[], id int, "case" bigint, case_version int, inspected_at timestamptz, account bigint,
    result text, satisfaction int, signature bigint, note text, deadline date, items json, created_at timestamptz);
CREATE FUNCTION inspection_make(wanted_id bigint, if_match int, i inspection, given json) RETURNS inspection_answer
LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    refusal record;
    verdict text;
    field text;
    lacking text[];
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR NO KEY UPDATE;
    verdict := CASE WHEN c.id IS NULL THEN 'not_found' WHEN if_match <> c.version THEN 'stale' END;
    IF verdict IS NULL THEN
        SELECT * INTO verdict, field, lacking FROM inspection_refusal(c, i, given);
    END IF;
    IF verdict IS NOT NULL THEN
        RETURN (verdict, field, lacking, NULL, c.id, c.version, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::inspection_answer;
    END IF;
    i.number := 1 + coalesce((SELECT max(o.number) FROM inspection o WHERE o.plan_region = c.plan_region AND o.case_id = c.id), 0);
    i.plan_region := c.plan_region;
    i.case_id := c.id;
    i.case_version := c.version;
    i.created_at := now();
    INSERT INTO inspection SELECT i.*;
    INSERT INTO inspection_item (plan_region, case_id, inspection, item, name, kind, unit, quantity, measured, fault)
    SELECT c.plan_region, c.id, i.number, d.number, d.name, d.kind, d.unit, d.quantity, g.measured, g.fault
    FROM inspection_entries(given) g JOIN case_item d ON d.plan_region = c.plan_region AND d.case_id = c.id AND d.number = g.item;
    RETURN (NULL, NULL, NULL, i.number, c.id, c.version, i.inspected_at, i.account_id, i.result, i.satisfaction, i.signature, i.note,
        i.deadline, inspection_items(i), i.created_at)::inspection_answer;
END $$;

-- A rework whose deadline has passed is told of once.
CREATE UNIQUE INDEX outbox_rework_once ON outbox (case_id, case_version) WHERE kind = 'rework_overdue';

-- Some months after it was accepted somebody asks whether it is of use. One set an acceptance: after a revocation it is cancelled
-- as far as it is open, and the next acceptance has a set of its own.
CREATE TABLE follow_up (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    acceptance  int NOT NULL, -- the version of the case with which it was accepted
    number      smallint NOT NULL CHECK (number > 0),
    plan_id     smallint NOT NULL,
    region      int NOT NULL, -- the case's, for lists
    due_on      date NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cancelled')),
    happened_at timestamptz,
    done_at     timestamptz,
    outcome     text CHECK (outcome IN ('in_use', 'broken', 'not_used', 'moved', 'other')),
    note        text NOT NULL DEFAULT '',
    account_id  bigint,
    reminded_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, case_id, acceptance, number),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    CHECK ((state = 'done') = (outcome IS NOT NULL AND happened_at IS NOT NULL AND done_at IS NOT NULL AND account_id IS NOT NULL))
);
CREATE INDEX follow_up_by_plan ON follow_up (plan_id, state, due_on, case_id, acceptance, number) INCLUDE (region);
CREATE INDEX follow_up_by_region ON follow_up (region, state, due_on, case_id, acceptance, number);
CREATE INDEX follow_up_waiting ON follow_up (due_on) WHERE state = 'open' AND reminded_at IS NULL;
GRANT SELECT, INSERT ON follow_up TO tantu_app;
GRANT UPDATE (state, happened_at, done_at, outcome, note, account_id, reminded_at, version) ON follow_up TO tantu_app;
ALTER TABLE follow_up ENABLE ROW LEVEL SECURITY;
-- By the region that it has itself, so that a page of a list asks for no case; an assessor has those of his cases.
CREATE POLICY reading ON follow_up FOR SELECT USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'a' || (SELECT scope_account()) THEN EXISTS (
        SELECT FROM retrofit_case c WHERE c.plan_region = follow_up.plan_region AND c.id = follow_up.case_id) ELSE false END);
CREATE POLICY adding ON follow_up FOR INSERT WITH CHECK ((SELECT scope_role()) = 'system');
CREATE POLICY changing ON follow_up FOR UPDATE USING ((SELECT scope_role()) IN ('assessor', 'county', 'manager', 'system') AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = follow_up.plan_region AND c.id = follow_up.case_id));

-- The version with which `c` was accepted, of what counts.
CREATE FUNCTION acceptance_of(c retrofit_case) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT max(e.version) FROM case_event e WHERE e.plan_region = c.plan_region AND e.case_id = c.id
        AND e.to_stage = 'accepted' AND e.kind = 'move' AND c.accepted_on IS NOT NULL $$;

-- The set of that acceptance, unless it has one or does not hold any more. The case is locked first: a revocation comes before
-- and nothing is made, or after and finds what there is to cancel.
CREATE FUNCTION follow_ups_make(wanted_id bigint, wanted int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    made int;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR NO KEY UPDATE;
    INSERT INTO follow_up (plan_region, case_id, acceptance, number, plan_id, region, due_on)
    SELECT c.plan_region, c.id, wanted, m.number, c.plan_id, c.region, (c.accepted_on + make_interval(months => m.months))::date
    FROM unnest((acceptance_rule_of(c.plan_id)).follow_up_months) WITH ORDINALITY AS m (months, number)
    WHERE acceptance_of(c) = wanted AND NOT EXISTS (SELECT FROM follow_up f
        WHERE f.plan_region = c.plan_region AND f.case_id = c.id AND f.acceptance = wanted);
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;

-- A household begins to count: its follow-ups are made by a job. It ceases to: those that are open are cancelled. That is taken
-- back: they are open again, or are made if the job found nothing to do meanwhile.
CREATE OR REPLACE FUNCTION acceptance_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    accepted int := acceptance_of(becomes);
BEGIN
    IF accepted IS NULL THEN
        UPDATE follow_up f SET state = 'cancelled', version = f.version + 1
        WHERE f.plan_region = was.plan_region AND f.case_id = was.id AND f.state = 'open';
        RETURN;
    END IF;
    UPDATE follow_up f SET state = 'open', version = f.version + 1
    WHERE f.plan_region = was.plan_region AND f.case_id = was.id AND f.acceptance = accepted AND f.state = 'cancelled';
    INSERT INTO job (queue, kind, unique_key, payload, region)
    VALUES ('reminders', 'follow_ups', 'follow_ups:' || was.id || ':' || accepted,
        json_build_object('case', was.id, 'version', accepted), becomes.region) ON CONFLICT DO NOTHING;
END $$;

-- (Fires for updates that name the region: for a household that moves, not for a case that does.)
CREATE FUNCTION follow_up_relocates() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE follow_up f SET region = NEW.region WHERE f.plan_region = NEW.plan_region AND f.case_id = NEW.id AND f.region <> NEW.region;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_up_relocates AFTER UPDATE OF region ON retrofit_case FOR EACH ROW EXECUTE FUNCTION follow_up_relocates();

-- What is broken is told of, whoever found it: an assessor may not write into the outbox.
CREATE FUNCTION follow_up_tells() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.outcome = 'broken' THEN
        INSERT INTO outbox (kind, region, case_id, content)
        VALUES ('follow_up_broken', NEW.region, NEW.case_id, json_build_object('case', NEW.case_id,
            'plan', (SELECT p.code FROM plan p WHERE p.id = NEW.plan_id), 'number', NEW.number, 'happened_at', NEW.happened_at));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_up_tells AFTER UPDATE OF outcome ON follow_up FOR EACH ROW EXECUTE FUNCTION follow_up_tells();

CREATE TYPE follow_up_answer AS (
    _verdict text, _field text, "case" bigint, number int, due_on date, state text, happened_at timestamptz, done_at timestamptz,
    outcome text, note text, account bigint, reminded_at timestamptz, version int);
CREATE FUNCTION follow_up_shown(f follow_up, verdict text, field text) RETURNS follow_up_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, f.case_id, f.number, f.due_on, f.state, f.happened_at, f.done_at, f.outcome, f.note, f.account_id,
        f.reminded_at, f.version)::follow_up_answer $$;
CREATE FUNCTION follow_up_end(wanted_id bigint, wanted text, if_match int, happened timestamptz, what text, said text)
RETURNS follow_up_answer LANGUAGE plpgsql AS $$
DECLARE
    f follow_up;
    accepted date := (SELECT c.accepted_on FROM retrofit_case c WHERE c.plan_region = plan_region_of(wanted_id) AND c.id = wanted_id);
    verdict text;
BEGIN
    SELECT * INTO f FROM follow_up u WHERE u.plan_region = plan_region_of(wanted_id) AND u.case_id = wanted_id AND u.number::text = wanted
    ORDER BY u.acceptance DESC LIMIT 1 FOR UPDATE;
    verdict := CASE
        WHEN f.case_id IS NULL THEN 'not_found'
        WHEN if_match <> f.version THEN 'stale'
        WHEN f.state <> 'open' THEN 'follow_up_over'
        WHEN happened > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN china_date(happened) < accepted THEN 'happened_before_last'
        WHEN what = 'other' AND NOT coalesce(said ~ '\S', false) THEN 'note_required' END;
    IF verdict IS NULL THEN
        UPDATE follow_up u SET state = 'done', happened_at = happened, done_at = now(), outcome = what, note = coalesce(said, ''),
            account_id = scope_account(), version = u.version + 1
        WHERE u.plan_region = f.plan_region AND u.case_id = f.case_id AND u.acceptance = f.acceptance AND u.number = f.number
        RETURNING * INTO f;
    END IF;
    RETURN follow_up_shown(f, verdict, CASE WHEN verdict = 'note_required' THEN '/note' ELSE '/happened_at' END);
END $$;

-- Who ended a follow-up takes that back. The case is locked first, as in follow_ups_make: of an acceptance that was revoked
-- meanwhile nothing is open again.
CREATE FUNCTION follow_up_take_back(wanted_id bigint, wanted text, if_match int) RETURNS follow_up_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    f follow_up;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR NO KEY UPDATE;
    SELECT * INTO f FROM follow_up u WHERE u.plan_region = c.plan_region AND u.case_id = c.id AND u.number::text = wanted
    ORDER BY u.acceptance DESC LIMIT 1 FOR UPDATE;
    verdict := CASE
        WHEN f.case_id IS NULL THEN 'not_found'
        WHEN if_match <> f.version THEN 'stale'
        WHEN f.state <> 'done' THEN 'nothing_to_take_back'
        WHEN f.account_id <> scope_account() THEN 'not_your_action' END;
    IF verdict IS NULL THEN
        UPDATE follow_up u SET state = CASE WHEN acceptance_of(c) = f.acceptance THEN 'open' ELSE 'cancelled' END, happened_at = NULL,
            done_at = NULL, outcome = NULL, note = '', account_id = NULL, version = u.version + 1
        WHERE u.plan_region = f.plan_region AND u.case_id = f.case_id AND u.acceptance = f.acceptance AND u.number = f.number
        RETURNING * INTO f;
    END IF;
    RETURN follow_up_shown(f, verdict, NULL);
END $$;

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('reminders', 'rework_scan', 'rework_scan', '40 7 * * *', 1000000),
    ('reminders', 'follow_up_scan', 'follow_up_scan', '45 7-19 * * *', 1000000);
