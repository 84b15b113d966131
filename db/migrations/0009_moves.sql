-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The move of a case at a third of its cost: the rule is asked once, by the trigger; one function moves, answers and keeps
-- the answer. (A trigger's WHEN and a table's CHECK are parsed anew for every statement: the hot tables have none.)

-- Whose cases the scope sees: '' everybody's of its region, 'c5' those of contractor 5, 'a7' of assessor 7, 'x' nobody's.
CREATE FUNCTION scope_whose() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT CASE current_setting('tantu.role', true) WHEN 'county' THEN '' WHEN 'manager' THEN '' WHEN 'auditor' THEN ''
                  WHEN 'system' THEN '' WHEN 'contractor' THEN 'c' || scope_contractor() WHEN 'assessor' THEN 'a' || scope_account()
                  ELSE 'x' END $$;
ALTER POLICY scope ON retrofit_case USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'c' || contractor_id THEN true WHEN 'a' || assessor_id THEN true ELSE false END);

-- Asked by the trigger with the owner's rights, and by statements that want to know before they try.
ALTER FUNCTION case_refusal SECURITY INVOKER RESET ALL;

-- What a case may become, whoever writes. A move: the rule, the version, the acceptance date, the event, the delta. Any other
-- change: the columns of the stage stay, and a household that moved takes its figures along.
-- takes_back = 0 asks politely: a refusal is then told in tantu.verdict and the row left alone, instead of an error.
CREATE FUNCTION case_updates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    refusal record;
    happened timestamptz := NEW.stage_at;
    moved date := greatest(china_date(NEW.stage_at), OLD.stage_on);
    counts smallint;
    counts_on date;
BEGIN
    IF NEW.stage = OLD.stage AND NEW.takes_back IS DISTINCT FROM 0 THEN
        RETURN case_keeps(OLD, NEW);
    END IF;
    refusal := case_refusal(OLD, NEW.stage, happened, NEW.stage_note, nullif(NEW.takes_back, 0));
    IF refusal.verdict IS NOT NULL AND NEW.takes_back = 0 THEN
        PERFORM set_config('tantu.verdict', refusal.verdict, true);
        RETURN NULL;
    ELSIF refusal.verdict IS NOT NULL OR NEW.region <> OLD.region THEN
        RAISE EXCEPTION 'case %: % to %: %', OLD.id, OLD.stage, NEW.stage,
            coalesce(refusal.verdict, 'a move cannot change the region') USING ERRCODE = 'TT001';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.takes_back := nullif(NEW.takes_back, 0);
    NEW.resume_stage := CASE WHEN NEW.stage = 'suspended' THEN OLD.stage END;
    NEW.accepted_on := CASE NEW.stage WHEN 'closed' THEN OLD.accepted_on
                                      WHEN 'accepted' THEN china_date(happened) END;
    NEW.exception_note := CASE WHEN NEW.stage = 'approved' AND OLD.stage = 'registered' AND NOT NEW.eligible
                               THEN NEW.stage_note ELSE OLD.exception_note END;
    NEW.stage_on := moved;
    IF refusal.kind = 'take_back' THEN -- as if it had not happened: the same days, the other sign
        SELECT e.moved_on, CASE WHEN NEW.stage IN ('accepted', 'closed') THEN coalesce(OLD.accepted_on, e.counted_on) END
        INTO moved, NEW.accepted_on FROM case_event e
        WHERE e.plan_region = OLD.plan_region AND e.case_id = OLD.id AND e.version = NEW.takes_back;
        SELECT e.happened_at, e.moved_on, CASE NEW.stage WHEN 'suspended' THEN e.from_stage END
        INTO NEW.stage_at, NEW.stage_on, NEW.resume_stage FROM case_event e
        WHERE e.plan_region = OLD.plan_region AND e.case_id = OLD.id AND e.version < NEW.takes_back
          AND e.to_stage = NEW.stage AND e.kind NOT IN ('take_back', 'relocate')
        ORDER BY e.version DESC LIMIT 1;
    END IF;
    counts := (NEW.accepted_on IS NOT NULL)::int - (OLD.accepted_on IS NOT NULL)::int;
    counts_on := CASE WHEN counts <> 0 THEN coalesce(NEW.accepted_on, OLD.accepted_on) END;
    INSERT INTO case_event (plan_region, case_id, version, plan_id, kind, region, from_stage, to_stage, happened_at,
        moved_on, counted, counted_on, account_id, note, evidence)
    VALUES (NEW.plan_region, NEW.id, NEW.version, NEW.plan_id, refusal.kind, NEW.region, OLD.stage, NEW.stage,
        happened, moved, counts, counts_on, scope_account(), NEW.stage_note, NEW.stage_evidence);
    INSERT INTO total_delta (plan_id, region, from_stage, to_stage, moved_on, recorded_on, counted, counted_on, n)
    VALUES (NEW.plan_id, NEW.region, OLD.stage, NEW.stage, moved, china_date(now()), counts, counts_on, 1);
    RETURN NEW;
END $$;

CREATE FUNCTION case_keeps(was retrofit_case, becomes retrofit_case) RETURNS retrofit_case
LANGUAGE plpgsql AS $$
DECLARE
    moved date := greatest(china_date(now()), was.stage_on);
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

DROP TRIGGER case_moves ON retrofit_case;
DROP TRIGGER case_changes ON retrofit_case;
DROP FUNCTION case_moves();
DROP FUNCTION case_changes();
CREATE TRIGGER case_updates BEFORE UPDATE ON retrofit_case FOR EACH ROW EXECUTE FUNCTION case_updates();

-- The trigger sets these columns itself, from the stage; an insert may not bring them along: cases_open.
ALTER TABLE retrofit_case DROP CONSTRAINT retrofit_case_check, DROP CONSTRAINT retrofit_case_check1;
CREATE OR REPLACE FUNCTION cases_open() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM opened WHERE stage <> 'registered' OR version <> 1 OR takes_back IS NOT NULL
               OR accepted_on IS NOT NULL OR resume_stage IS NOT NULL) THEN
        RAISE EXCEPTION 'a case opens as registered' USING ERRCODE = 'TT001';
    END IF;
    INSERT INTO case_event (plan_region, case_id, version, plan_id, kind, region, to_stage, happened_at, moved_on, account_id)
    SELECT plan_region, id, 1, plan_id, 'open', region, stage, stage_at, stage_on, scope_account() FROM opened;
    INSERT INTO total_delta (plan_id, region, to_stage, moved_on, recorded_on, counted, n)
    SELECT plan_id, region, stage, stage_on, china_date(now()), 0, count(*) FROM opened
    GROUP BY plan_id, region, stage, stage_on;
    RETURN NULL;
END $$;
ALTER TABLE idempotency DROP CONSTRAINT idempotency_key_check; -- the API says how long a key may be

-- A case as the API shows it, and what there is to say about a move that was refused.
CREATE TYPE case_answer AS (
    _verdict text, _field text, _allowed text[], _reasons text[],
    id bigint, plan text, household_id bigint, household_number text, householder text, region text, village text,
    stage text, stage_at timestamptz, stage_note text, resume_stage text, accepted_on date, eligible boolean,
    eligibility_reasons text[], exception_note text, contractor text, assessor bigint, created_at timestamptz, version int);

-- Why nothing was moved: what can be seen without the rule, else what the trigger said.
CREATE FUNCTION case_unmoved(wanted_id bigint, wanted stage, if_match int, contractor text, contractor_found boolean) RETURNS case_answer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    answer case_answer;
    c retrofit_case;
    told text := nullif(current_setting('tantu.verdict', true), '');
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id;
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN if_match <> c.version THEN 'stale'
        WHEN contractor IS NOT NULL AND wanted <> 'assigned' THEN 'contractor_not_wanted'
        WHEN contractor IS NOT NULL AND NOT contractor_found THEN 'contractor_unknown'
        ELSE coalesce(told, 'stale') END;
    SELECT verdict, CASE WHEN verdict IN ('contractor_unknown', 'contractor_not_wanted') THEN '/contractor' WHEN verdict = 'note_required' THEN '/note'
               WHEN verdict IN ('happened_in_future', 'happened_before_last', 'happened_before_plan', 'notice_not_over') THEN '/happened_at'
               ELSE '/to' END,
        CASE WHEN verdict IN ('stage_not_allowed', 'role_not_allowed') THEN case_allowed(c) END,
        CASE WHEN verdict = 'not_eligible' THEN c.eligibility_reasons END,
        c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id), c.household_id, c.household_number, c.householder,
        region_label(c.region), c.village, c.stage, c.stage_at, c.stage_note, c.resume_stage, c.accepted_on, c.eligible,
        c.eligibility_reasons, c.exception_note, (SELECT k.code FROM contractor k WHERE k.id = c.contractor_id), c.assessor_id,
        c.created_at, c.version INTO answer;
    RETURN answer;
END $$;

-- Moves a case in the caller's scope and keeps the answer under the key (NULL: none). Never an error for a move that may not be.
CREATE FUNCTION case_move(key text, fingerprint bytea, wanted_id bigint, wanted stage, happened timestamptz, said text, if_match int,
                          contractor text, satisfaction int, evidence json) RETURNS case_answer
LANGUAGE plpgsql AS $$
DECLARE
    answer case_answer;
    builder bigint;
    place int := plan_region_of(wanted_id);
BEGIN
    IF contractor IS NOT NULL THEN
        SELECT k.id INTO builder FROM contractor k WHERE k.code = contractor;
    END IF;
    IF contractor IS NULL OR (builder IS NOT NULL AND wanted = 'assigned') THEN
        UPDATE retrofit_case c SET stage = wanted, stage_at = coalesce(happened, now()), stage_note = coalesce(said, ''),
            contractor_id = coalesce(builder, c.contractor_id), takes_back = 0,
            stage_evidence = CASE WHEN satisfaction IS NOT NULL OR evidence IS NOT NULL
                THEN json_strip_nulls(json_build_object('satisfaction', satisfaction, 'given', evidence)) END
        WHERE c.plan_region = place AND c.id = wanted_id AND (if_match IS NULL OR c.version = if_match)
        RETURNING NULL, NULL, NULL, NULL,
            c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id), c.household_id, c.household_number, c.householder,
            (SELECT r.code FROM region r WHERE r.place = c.region), c.village, c.stage, c.stage_at, c.stage_note, c.resume_stage,
            c.accepted_on, c.eligible, c.eligibility_reasons, c.exception_note,
            CASE WHEN c.contractor_id IS NOT NULL THEN (SELECT k.code FROM contractor k WHERE k.id = c.contractor_id) END,
            c.assessor_id, c.created_at, c.version INTO answer;
    END IF;
    IF answer.id IS NULL THEN
        answer := case_unmoved(wanted_id, wanted, if_match, contractor, builder IS NOT NULL);
        PERFORM set_config('tantu.verdict', '', true);
    END IF;
    IF key IS NOT NULL THEN
        INSERT INTO idempotency VALUES (scope_account(), key, fingerprint, to_json(answer));
    END IF;
    RETURN answer;
END $$;
