-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Orders: a case that is given to a contractor, and what became of it. An order opens, ends and comes back with the moves of its
-- case and with nothing else (order_follows, case_keeps), so that no order contradicts its case, whoever writes.

CREATE SEQUENCE work_order_number;
CREATE TABLE work_order (
    plan_region      int NOT NULL,
    case_id          bigint NOT NULL,
    number           int NOT NULL,    -- 1, 2, … of the case
    id               bigint NOT NULL, -- id_in(plan_region, 'work_order_number')
    plan_id          smallint NOT NULL,
    region           int NOT NULL,    -- where the case is: order_relocates
    contractor_id    bigint NOT NULL,
    contractor_before bigint,         -- whom the case had before: a taken-back order gives it back
    state            text NOT NULL DEFAULT 'open', -- open accepted declined closed
    given_at         timestamptz NOT NULL, -- as the move says, which may be recorded later
    given_by         bigint,
    answer_by        timestamptz,     -- NULL: no limit
    note             text NOT NULL DEFAULT '',
    answer           text,            -- accepted declined
    answered_at      timestamptz,
    answered_by      bigint,          -- the contractor's account, or who recorded it for him
    answer_note      text,
    escalated_at     timestamptz,     -- silence was told to the county, once
    closed_at        timestamptz,
    closed_as        text,            -- declined called_back taken_back reassigned suspended withdrawn done
    closed_by        bigint,
    closed_note      text,
    opened_version   int NOT NULL,    -- the versions of the case that opened, answered (by beginning to build) and closed it
    answered_version int,
    closed_version   int,
    created_at       timestamptz NOT NULL DEFAULT now(),
    version          int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, case_id, number)
);
-- (No checks and no foreign keys, as case_event: only the functions below write what they would check.)
CREATE UNIQUE INDEX work_order_live ON work_order (plan_region, case_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX work_order_by_id ON work_order (plan_region, id);
CREATE INDEX work_order_by_contractor ON work_order (contractor_id, id);
CREATE INDEX work_order_by_region ON work_order (region, id);
CREATE INDEX work_order_by_plan ON work_order (plan_id, state, id);
CREATE INDEX work_order_waiting ON work_order (answer_by) WHERE state = 'open';

ALTER TABLE work_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON work_order USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'c' || contractor_id THEN true ELSE false END);
GRANT SELECT ON work_order TO tantu_app;
GRANT UPDATE (state, answer, answered_at, answered_by, answer_note, answer_by, escalated_at, version) ON work_order TO tantu_app;

-- Until when an order that is given now wants its answer. (0024 knows the plan's time and the working days.)
CREATE FUNCTION order_answer_by(plan smallint, given timestamptz) RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT given + interval '2 days' $$;

CREATE FUNCTION order_opens(c retrofit_case, contractor_before bigint, note text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work_order (plan_region, case_id, number, id, plan_id, region, contractor_id, contractor_before, given_at, given_by,
        answer_by, note, opened_version)
    SELECT c.plan_region, c.id, coalesce(max(o.number), 0) + 1, id_in(c.plan_region, 'work_order_number'), c.plan_id, c.region,
        c.contractor_id, order_opens.contractor_before, least(c.stage_at, now()), scope_account(),
        order_answer_by(c.plan_id, now()), order_opens.note, c.version -- (from now: nobody is silent before he could know)
    FROM work_order o WHERE o.plan_region = c.plan_region AND o.case_id = c.id;
END $$;

CREATE FUNCTION order_ends(c retrofit_case, ended text, note text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE work_order o SET state = CASE ended WHEN 'declined' THEN 'declined' ELSE 'closed' END,
        closed_at = now(), closed_as = ended, closed_by = scope_account(), closed_note = order_ends.note, closed_version = c.version,
        answer = CASE WHEN ended = 'declined' AND o.answer IS NULL THEN 'declined' ELSE o.answer END,
        answered_at = CASE WHEN ended = 'declined' AND o.answer IS NULL THEN now() ELSE o.answered_at END,
        answered_by = CASE WHEN ended = 'declined' AND o.answer IS NULL THEN scope_account() ELSE o.answered_by END,
        version = o.version + 1
    WHERE o.plan_region = c.plan_region AND o.case_id = c.id AND o.closed_at IS NULL;
END $$;

-- The order that stood when version `since` of the case came, and ended then or later, is as it was.
CREATE FUNCTION order_revives(c retrofit_case, since int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE work_order o SET closed_at = NULL, closed_as = NULL, closed_by = NULL, closed_note = NULL, closed_version = NULL,
        answer = nullif(o.answer, 'declined'),
        answered_at = CASE WHEN o.answer = 'accepted' THEN o.answered_at END,
        answered_by = CASE WHEN o.answer = 'accepted' THEN o.answered_by END,
        state = CASE WHEN o.answer = 'accepted' THEN 'accepted' ELSE 'open' END, version = o.version + 1
    WHERE o.plan_region = c.plan_region AND o.case_id = c.id AND o.closed_version >= since
      AND o.number = (SELECT max(l.number) FROM work_order l
                      WHERE l.plan_region = c.plan_region AND l.case_id = c.id AND l.opened_version < since);
END $$;

-- What the moves of a case from `since` on did to its orders is undone.
CREATE FUNCTION order_undone(c retrofit_case, since int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM work_order o WHERE o.plan_region = c.plan_region AND o.case_id = c.id
               AND o.closed_at IS NULL AND o.opened_version >= since) THEN
        PERFORM order_ends(c, 'taken_back', c.stage_note);
    END IF;
    PERFORM order_revives(c, since);
    UPDATE work_order o SET state = 'open', answer = NULL, answered_at = NULL, answered_by = NULL, answered_version = NULL,
        version = o.version + 1
    WHERE o.plan_region = c.plan_region AND o.case_id = c.id AND o.closed_at IS NULL AND o.answered_version >= since;
    IF c.stage IN ('accepted', 'closed') THEN -- a revocation was taken back
        PERFORM order_ends(c, 'done', '');
    END IF;
END $$;

-- Asked only for cases that have, or had, a contractor. A suspended case keeps its order, except that nobody accepts one meanwhile.
CREATE OR REPLACE FUNCTION order_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ended text := CASE
        WHEN becomes.stage = 'assigned' THEN 'reassigned'
        WHEN becomes.stage = 'withdrawn' THEN 'withdrawn'
        WHEN becomes.stage = 'accepted' THEN 'done'
        WHEN was.stage <> 'assigned' THEN NULL
        WHEN becomes.stage = 'suspended' THEN 'suspended'
        WHEN becomes.stage = 'designed' AND (scope_role() = 'contractor' OR becomes.stage_evidence ->> 'answer' = 'declined') THEN 'declined'
        WHEN becomes.stage = 'designed' THEN 'called_back' END;
BEGIN
    IF kind = 'take_back' THEN
        PERFORM order_undone(becomes, becomes.takes_back);
        RETURN;
    ELSIF kind = 'revoke' THEN -- the work is not done after all
        PERFORM order_revives(becomes, o.closed_version) FROM work_order o
        WHERE o.plan_region = becomes.plan_region AND o.case_id = becomes.id AND o.closed_as = 'done' ORDER BY o.number DESC LIMIT 1;
        RETURN;
    END IF;
    IF ended IS NOT NULL THEN
        PERFORM order_ends(becomes, ended, becomes.stage_note);
    END IF;
    IF becomes.stage = 'assigned' AND becomes.contractor_id IS NOT NULL THEN
        PERFORM order_opens(becomes, was.contractor_id, becomes.stage_note);
    ELSIF becomes.stage = 'building' AND was.stage = 'assigned' THEN -- who begins has accepted (the gate may be open)
        UPDATE work_order o SET state = 'accepted', answer = 'accepted', answered_at = now(), answered_by = scope_account(),
            answered_version = becomes.version, version = o.version + 1
        WHERE o.plan_region = becomes.plan_region AND o.case_id = becomes.id AND o.state = 'open';
    END IF;
END $$;

-- The household moved.
CREATE FUNCTION order_relocates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE work_order o SET region = NEW.region
    WHERE o.plan_region = NEW.plan_region AND o.case_id = NEW.id AND o.region <> NEW.region;
    RETURN NULL;
END $$;
CREATE TRIGGER order_relocates AFTER UPDATE OF region ON retrofit_case FOR EACH ROW EXECUTE FUNCTION order_relocates();

-- As in 0009, and: a case that is with a contractor goes to another by a new order, not by a stroke of the pen.
CREATE OR REPLACE FUNCTION case_keeps(was retrofit_case, becomes retrofit_case) RETURNS retrofit_case
LANGUAGE plpgsql AS $$
DECLARE
    moved date := greatest(china_date(now()), was.stage_on);
    reason text := becomes.stage_note;
BEGIN
    becomes.version := was.version + 1;
    becomes.stage_at := was.stage_at;
    becomes.stage_on := was.stage_on;
    becomes.stage_note := was.stage_note;
    becomes.stage_evidence := was.stage_evidence;
    becomes.takes_back := was.takes_back;
    becomes.resume_stage := was.resume_stage;
    becomes.accepted_on := was.accepted_on;
    becomes.exception_note := was.exception_note;
    IF becomes.contractor_id IS DISTINCT FROM was.contractor_id THEN
        IF was.stage = 'assigned' AND becomes.contractor_id IS NOT NULL THEN
            PERFORM order_ends(becomes, 'reassigned', reason);
            PERFORM order_opens(becomes, was.contractor_id, reason);
        ELSIF order_holds(was) THEN
            RAISE EXCEPTION 'case %: another contractor needs another order', was.id USING ERRCODE = 'TT001';
        END IF;
    END IF;
    IF becomes.region <> was.region THEN
        INSERT INTO case_event (plan_region, case_id, version, plan_id, kind, region, region_from, from_stage,
            to_stage, happened_at, moved_on, counted_on, account_id)
        VALUES (was.plan_region, was.id, becomes.version, was.plan_id, 'relocate', becomes.region, was.region, was.stage,
            was.stage, now(), moved, was.accepted_on, scope_account());
        INSERT INTO total_delta (plan_id, region, region_from, from_stage, to_stage, moved_on, recorded_on,
            counted, counted_on, n)
        VALUES (was.plan_id, becomes.region, was.region, was.stage, was.stage, moved, china_date(now()), 0,
            was.accepted_on, 1);
    END IF;
    RETURN becomes;
END $$;

-- Whether the contractor of `c` cannot be put in or out without an order: from `assigned` on.
CREATE FUNCTION order_holds(c retrofit_case) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT c.contractor_id IS NOT NULL
    AND coalesce(c.resume_stage, c.stage) IN ('assigned', 'building', 'built', 'rework', 'accepted', 'closed') $$;

-- The gates.
CREATE OR REPLACE FUNCTION gate_order_given(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE WHEN c.contractor_id IS NULL THEN 'contractor_required' END;
    RETURN ARRAY[verdict];
END $$;
CREATE OR REPLACE FUNCTION gate_order_accepted(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE WHEN NOT EXISTS (SELECT FROM work_order o WHERE o.plan_region = c.plan_region AND o.case_id = c.id
                                     AND o.state = 'accepted') THEN 'order_not_accepted' END;
    RETURN verdict || ARRAY(SELECT k.code FROM contractor k WHERE k.id = c.contractor_id);
END $$;

-- Another contractor goes on with what is being built: the work is assigned anew.
INSERT INTO transition_rule VALUES ('building', 'assigned', 'move', '{county,manager}', true), ('rework', 'assigned', 'move', '{county,manager}', true);

-- The newest order of a case that the scope sees.
CREATE FUNCTION order_of(wanted_id bigint) RETURNS work_order LANGUAGE sql STABLE
AS $$ SELECT o.* FROM work_order o WHERE o.plan_region = plan_region_of(wanted_id) AND o.case_id = wanted_id
      ORDER BY o.number DESC LIMIT 1 $$;

-- What the trigger said about the move that it did not make; it is forgotten.
CREATE FUNCTION order_told() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text := coalesce(nullif(current_setting('tantu.verdict', true), ''), 'stale');
BEGIN
    PERFORM set_config('tantu.verdict', '', true);
    RETURN told;
END $$;

-- The contractor (or somebody for him) declines. o: the order as it is then.
CREATE FUNCTION order_decline(wanted_id bigint, reason text, if_match int, OUT verdict text, OUT o work_order) LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR UPDATE;
    o := order_of(wanted_id);
    verdict := CASE
        WHEN c.id IS NULL OR o.id IS NULL THEN 'not_found'
        WHEN if_match <> o.version THEN 'stale'
        WHEN c.stage <> 'assigned' OR o.closed_at IS NOT NULL THEN 'order_over' END;
    IF verdict IS NULL THEN
        UPDATE retrofit_case s SET stage = 'designed', stage_at = now(), stage_note = reason, takes_back = 0,
            stage_evidence = json_build_object('answer', 'declined')
        WHERE s.plan_region = c.plan_region AND s.id = c.id;
        IF NOT FOUND THEN
            verdict := order_told();
        END IF;
        o := order_of(wanted_id);
    END IF;
END $$;

-- Another contractor, with a reason. o: the new order.
CREATE FUNCTION order_reassign(wanted_id bigint, wanted text, reason text, until timestamptz, if_match int,
                               OUT verdict text, OUT o work_order) LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    builder bigint := (SELECT k.id FROM contractor k WHERE k.code = wanted);
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR UPDATE;
    o := order_of(wanted_id);
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN if_match <> coalesce(o.version, 0) THEN 'stale'
        WHEN builder IS NULL THEN 'contractor_unknown'
        WHEN until <= now() THEN 'answer_by_passed'
        WHEN c.stage NOT IN ('assigned', 'building', 'rework') THEN 'not_with_contractor'
        WHEN builder = c.contractor_id THEN 'contractor_same' END;
    IF verdict IS NOT NULL THEN
        RETURN;
    ELSIF c.stage = 'assigned' THEN
        UPDATE retrofit_case s SET contractor_id = builder, stage_note = reason WHERE s.plan_region = c.plan_region AND s.id = c.id;
    ELSE
        UPDATE retrofit_case s SET stage = 'assigned', stage_at = now(), stage_note = reason, stage_evidence = NULL,
            contractor_id = builder, takes_back = 0
        WHERE s.plan_region = c.plan_region AND s.id = c.id;
        IF NOT FOUND THEN
            verdict := order_told();
            RETURN;
        END IF;
    END IF;
    UPDATE work_order l SET answer_by = coalesce(until, l.answer_by)
    WHERE l.plan_region = c.plan_region AND l.case_id = c.id AND l.closed_at IS NULL;
    o := order_of(wanted_id);
END $$;

-- Gives one case to a contractor; what is said when it cannot be, and what is lacking.
CREATE FUNCTION order_give(wanted_id bigint, if_match int, builder bigint, until timestamptz, said text,
                           OUT code text, OUT lacking text[], OUT number bigint) LANGUAGE plpgsql AS $$
DECLARE
    place int := plan_region_of(wanted_id);
    known int;
    told text;
    verdict text;
BEGIN
    UPDATE retrofit_case c SET stage = 'assigned', stage_at = now(), stage_note = coalesce(said, ''), stage_evidence = NULL,
        contractor_id = builder, takes_back = 0
    WHERE c.plan_region = place AND c.id = wanted_id AND c.stage = 'designed' AND (if_match IS NULL OR c.version = if_match);
    IF FOUND THEN
        UPDATE work_order o SET answer_by = coalesce(until, o.answer_by)
        WHERE o.plan_region = place AND o.case_id = wanted_id AND o.closed_at IS NULL RETURNING o.id INTO number;
        RETURN;
    END IF;
    SELECT c.version INTO known FROM retrofit_case c WHERE c.plan_region = place AND c.id = wanted_id;
    told := nullif(current_setting('tantu.verdict', true), '');
    PERFORM set_config('tantu.verdict', '', true);
    verdict := CASE
        WHEN known IS NULL THEN 'not_found'
        WHEN if_match <> known THEN 'stale'
        ELSE coalesce(told, 'stage_not_allowed') END;
    code := verdict;
    lacking := CASE WHEN verdict = told THEN nullif(current_setting('tantu.lacking', true), '')::text[] END;
END $$;

-- Gives many, in the order of their ids, so that two of these never wait for each other in a circle. `whole`: all or none.
CREATE FUNCTION orders_give(wanted text, cases json, until timestamptz, said text, whole boolean,
                            OUT verdict text, OUT given int, OUT refused int, OUT items json) LANGUAGE plpgsql AS $$
DECLARE
    builder bigint := (SELECT k.id FROM contractor k WHERE k.code = wanted);
    said_of json[] := '{}';
    one record;
    done record;
BEGIN
    given := 0;
    refused := 0;
    verdict := CASE
        WHEN builder IS NULL THEN 'contractor_unknown'
        WHEN until <= now() THEN 'answer_by_passed'
        WHEN json_array_length(cases) = 0 THEN 'nothing_given' END;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    BEGIN
        FOR one IN SELECT DISTINCT ON (a.id) a.id, a.version FROM json_to_recordset(cases) AS a (id bigint, version int) ORDER BY a.id LOOP
            done := order_give(one.id, one.version, builder, until, said);
            given := given + (done.code IS NULL)::int;
            refused := refused + (done.code IS NOT NULL)::int;
            said_of := said_of || json_build_object('case', one.id, 'order', done.number, 'code', done.code, 'lacking', done.lacking);
        END LOOP;
        IF whole AND refused > 0 THEN
            RAISE EXCEPTION 'all or nothing' USING ERRCODE = 'TT003';
        END IF;
    EXCEPTION WHEN SQLSTATE 'TT003' THEN
        verdict := CASE WHEN whole THEN 'orders_refused' END;
        given := 0;
    END;
    items := array_to_json(said_of);
END $$;

-- Cases that are with a contractor already: an order each, so that they can go on. What is being built was accepted.
INSERT INTO work_order (plan_region, case_id, number, id, plan_id, region, contractor_id, state, given_at, answer_by, answer, answered_at,
    opened_version)
SELECT c.plan_region, c.id, 1, id_in(c.plan_region, 'work_order_number'), c.plan_id, c.region, c.contractor_id,
    CASE c.stage WHEN 'assigned' THEN 'open' ELSE 'accepted' END, c.stage_at,
    CASE c.stage WHEN 'assigned' THEN order_answer_by(c.plan_id, now()) END,
    CASE c.stage WHEN 'assigned' THEN NULL ELSE 'accepted' END, CASE c.stage WHEN 'assigned' THEN NULL ELSE c.stage_at END,
    CASE c.stage WHEN 'assigned' THEN c.version ELSE 0 END
FROM retrofit_case c
WHERE c.contractor_id IS NOT NULL AND (c.stage = 'assigned' OR coalesce(c.resume_stage, c.stage) IN ('building', 'built', 'rework'));

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('reminders', 'orders_silent_scan', 'orders_silent_scan', 'every 5 minutes', 1000000);
