-- SPDX-License-Identifier: Apache-2.0
-- The retrofit case: its stages, the rules of their changes, its events. Whoever updates the stage, this file
-- decides whether it may be, and leaves the event and the delta of the totals behind it.

-- A text with a check and not an enum: enum_eq is not leakproof, so row-level security would keep it out of index conditions.
CREATE DOMAIN stage AS text CHECK (VALUE IN ('registered', 'approved', 'surveyed', 'designed', 'assigned', 'building',
    'built', 'accepted', 'closed', 'rejected', 'withdrawn', 'suspended', 'rework'));
CREATE TABLE stage_name (
    position smallint PRIMARY KEY,
    stage    stage NOT NULL UNIQUE
);
INSERT INTO stage_name VALUES (1, 'registered'), (2, 'approved'), (3, 'surveyed'), (4, 'designed'), (5, 'assigned'),
    (6, 'building'), (7, 'built'), (8, 'accepted'), (9, 'closed'), (10, 'rejected'), (11, 'withdrawn'), (12, 'suspended'), (13, 'rework');

CREATE TABLE transition_rule (
    from_stage stage NOT NULL,
    to_stage   stage NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('move', 'resume', 'revoke')),
    roles      text[] NOT NULL,
    needs_note boolean NOT NULL,
    PRIMARY KEY (from_stage, to_stage)
);
INSERT INTO transition_rule
SELECT f::stage, t::stage, 'move', string_to_array(r, ' '), n FROM (VALUES
    ('registered', 'approved', 'county manager', false),
    ('approved', 'surveyed', 'assessor county manager', false),
    ('surveyed', 'designed', 'assessor county manager', false),
    ('designed', 'assigned', 'county manager', false),
    ('assigned', 'building', 'contractor county manager', false),
    ('assigned', 'designed', 'contractor county manager', true), -- declined
    ('building', 'built', 'contractor county manager', false),
    ('built', 'accepted', 'assessor county manager', false),
    ('built', 'rework', 'assessor county manager', true),
    ('rework', 'building', 'contractor county manager', false),
    ('accepted', 'closed', 'county manager', false),
    ('registered', 'rejected', 'county manager', true),
    ('approved', 'rejected', 'county manager', true),
    ('surveyed', 'rejected', 'county manager', true),
    ('rejected', 'registered', 'county manager', true), -- opened again
    ('withdrawn', 'registered', 'county manager', true)) AS rule (f, t, r, n);
INSERT INTO transition_rule
SELECT f, t, 'move', '{county,manager}', true
FROM unnest('{registered,approved,surveyed,designed,assigned,building,built,rework}'::stage[]) f,
     unnest('{withdrawn,suspended}'::stage[]) t;
INSERT INTO transition_rule VALUES ('suspended', 'withdrawn', 'move', '{county,manager}', true);
INSERT INTO transition_rule -- only to where it was: case_refusal
SELECT 'suspended', t, 'resume', '{county,manager}', false
FROM unnest('{registered,approved,surveyed,designed,assigned,building,built,rework}'::stage[]) t;
INSERT INTO transition_rule VALUES
    ('accepted', 'built', 'revoke', '{manager}', true), ('closed', 'built', 'revoke', '{manager}', true);

CREATE TABLE retrofit_case (
    plan_region         int NOT NULL,
    id                  bigint NOT NULL,
    plan_id             smallint NOT NULL REFERENCES plan,
    household_id        bigint NOT NULL,
    household_number    text NOT NULL,
    householder         text NOT NULL, -- masked name, for lists
    region              int NOT NULL REFERENCES region,
    village             text NOT NULL,
    stage               stage NOT NULL DEFAULT 'registered',
    stage_at            timestamptz NOT NULL, -- when the last move happened
    stage_on            date NOT NULL, -- the day it changed the figures: never before the move before it
    stage_note          text NOT NULL DEFAULT '',
    stage_evidence      json,
    takes_back          int,   -- the version of the event that the update takes back
    resume_stage        stage, -- where a suspended case returns to
    accepted_on         date,  -- set: the household counts, on this day
    eligible            boolean NOT NULL,
    eligibility_reasons text[] NOT NULL,
    exception_note      text, -- a manager's, for an approval without eligibility
    contractor_id       bigint REFERENCES contractor,
    assessor_id         bigint REFERENCES account,
    created_at          timestamptz NOT NULL DEFAULT now(),
    version             int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, household_id, plan_id),
    FOREIGN KEY (plan_region, household_id) REFERENCES household,
    CHECK ((accepted_on IS NOT NULL) = (stage IN ('accepted', 'closed'))),
    CHECK ((resume_stage IS NOT NULL) = (stage = 'suspended'))
) WITH (fillfactor = 85);
CREATE INDEX case_by_stage ON retrofit_case (plan_id, stage, id)
    INCLUDE (region, household_number, householder, village, stage_at, version, accepted_on, contractor_id, assessor_id, eligible);
CREATE INDEX case_by_region ON retrofit_case (plan_id, region, id);
CREATE INDEX case_by_acceptance ON retrofit_case (plan_id, accepted_on, id) WHERE accepted_on IS NOT NULL;
CREATE INDEX case_by_contractor ON retrofit_case (contractor_id, id) WHERE contractor_id IS NOT NULL;
CREATE INDEX case_by_assessor ON retrofit_case (assessor_id, id) WHERE assessor_id IS NOT NULL;

-- One row a change. region_from is set when the household moved. counted: +1 when the household began to
-- count, -1 when it ceased to, on counted_on. moved_on: the day the stage figures change.
CREATE TABLE case_event (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    version     int NOT NULL, -- of the case, after it
    plan_id     smallint NOT NULL,
    kind        text NOT NULL, -- open move resume revoke take_back relocate
    region      int NOT NULL,
    region_from int,
    from_stage  stage,
    to_stage    stage NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    moved_on    date NOT NULL,
    counted     smallint NOT NULL DEFAULT 0,
    counted_on  date,
    account_id  bigint,
    note        text NOT NULL DEFAULT '',
    evidence    json,
    PRIMARY KEY (plan_region, case_id, version)
);

-- (case_event has no checks and no foreign keys: only the triggers below write it.)
-- What has not been folded into the totals yet. Same meaning as the event's columns, n times.
CREATE TABLE total_delta (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id     smallint NOT NULL,
    region      int NOT NULL,
    region_from int,
    from_stage  stage,
    to_stage    stage NOT NULL,
    moved_on    date NOT NULL,
    recorded_on date NOT NULL,
    counted     smallint NOT NULL,
    counted_on  date,
    n           int NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);

-- Why `c` may not go to `wanted` now, as a verdict; NULL: it may. Asked by the statement that wants to answer
-- politely, and again by the trigger, which nobody gets around.
CREATE FUNCTION case_refusal(c retrofit_case, wanted stage, happened timestamptz, said text, back int,
                             OUT verdict text, OUT kind text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rule record;
    last case_event;
    role text := scope_role();
    reason boolean := coalesce(btrim(said), '') <> '';
    day date := china_date(happened);
BEGIN
    IF back IS NOT NULL THEN
        kind := 'take_back';
        SELECT * INTO last FROM case_event e
        WHERE e.plan_region = c.plan_region AND e.case_id = c.id ORDER BY e.version DESC LIMIT 1;
        verdict := CASE
            WHEN last.version IS DISTINCT FROM back OR last.kind NOT IN ('move', 'resume', 'revoke')
                OR last.from_stage <> wanted THEN 'nothing_to_take_back'
            WHEN last.account_id IS DISTINCT FROM scope_account() THEN 'not_your_action' END;
        RETURN;
    END IF;
    -- One look-up, then an expression without sub-selects: this is asked twice for every move.
    SELECT r.kind, r.roles, r.needs_note, p.begins_on, p.notice_days INTO rule
    FROM plan p LEFT JOIN transition_rule r ON r.from_stage = c.stage AND r.to_stage = wanted WHERE p.id = c.plan_id;
    kind := rule.kind;
    verdict := CASE
        WHEN rule.kind IS NULL OR (rule.kind = 'resume' AND c.resume_stage <> wanted) THEN 'stage_not_allowed'
        WHEN NOT coalesce(role = ANY (rule.roles), false) THEN 'role_not_allowed'
        WHEN rule.needs_note AND NOT reason THEN 'note_required'
        WHEN happened > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN day < rule.begins_on THEN 'happened_before_plan'
        WHEN c.stage <> 'registered' AND day < china_date(c.stage_at) THEN 'happened_before_last'
        WHEN wanted = 'approved' AND NOT c.eligible AND NOT (role = 'manager' AND reason) THEN 'not_eligible'
        WHEN wanted = 'surveyed' AND rule.notice_days > day - china_date(c.stage_at) THEN 'notice_not_over' END;
END $$;

-- Where `c` may go in the scope's role.
CREATE FUNCTION case_allowed(c retrofit_case) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(r.to_stage::text ORDER BY n.position), '{}')
    FROM transition_rule r JOIN stage_name n ON n.stage = r.to_stage
    WHERE r.from_stage = c.stage AND scope_role() = ANY (r.roles)
      AND (r.kind <> 'resume' OR r.to_stage = c.resume_stage) $$;

-- A move: the rule, the version, the acceptance date, the event, the delta.
CREATE FUNCTION case_moves() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    refusal record;
    happened timestamptz := NEW.stage_at;
    moved date := greatest(china_date(NEW.stage_at), OLD.stage_on);
    counts smallint;
    counts_on date;
BEGIN
    refusal := case_refusal(OLD, NEW.stage, NEW.stage_at, NEW.stage_note, NEW.takes_back);
    IF refusal.verdict IS NOT NULL OR NEW.region <> OLD.region THEN
        RAISE EXCEPTION 'case %: % to %: %', OLD.id, OLD.stage, NEW.stage,
            coalesce(refusal.verdict, 'a move cannot change the region') USING ERRCODE = 'TT001';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.resume_stage := CASE WHEN NEW.stage = 'suspended' THEN OLD.stage END;
    NEW.accepted_on := CASE NEW.stage WHEN 'closed' THEN OLD.accepted_on
                                      WHEN 'accepted' THEN china_date(NEW.stage_at) END;
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
CREATE TRIGGER case_moves BEFORE UPDATE ON retrofit_case FOR EACH ROW
    WHEN (NEW.stage <> OLD.stage) EXECUTE FUNCTION case_moves();

-- Any other change: the columns of the stage stay; a household that moved takes its figures along.
CREATE FUNCTION case_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    moved date := greatest(china_date(now()), OLD.stage_on);
BEGIN
    NEW.version := OLD.version + 1;
    NEW.stage_at := OLD.stage_at;
    NEW.stage_on := OLD.stage_on;
    NEW.stage_note := OLD.stage_note;
    NEW.stage_evidence := OLD.stage_evidence;
    NEW.takes_back := OLD.takes_back;
    NEW.resume_stage := OLD.resume_stage;
    NEW.accepted_on := OLD.accepted_on;
    NEW.exception_note := OLD.exception_note;
    IF NEW.region <> OLD.region THEN
        INSERT INTO case_event (plan_region, case_id, version, plan_id, kind, region, region_from, from_stage,
            to_stage, happened_at, moved_on, counted_on, account_id)
        VALUES (NEW.plan_region, NEW.id, NEW.version, NEW.plan_id, 'relocate', NEW.region, OLD.region, OLD.stage,
            NEW.stage, now(), moved, OLD.accepted_on, scope_account());
        INSERT INTO total_delta (plan_id, region, region_from, from_stage, to_stage, moved_on, recorded_on,
            counted, counted_on, n)
        VALUES (NEW.plan_id, NEW.region, OLD.region, OLD.stage, NEW.stage, moved, china_date(now()), 0,
            OLD.accepted_on, 1);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER case_changes BEFORE UPDATE ON retrofit_case FOR EACH ROW
    WHEN (NEW.stage = OLD.stage) EXECUTE FUNCTION case_changes();

-- Opening, many at once in an import.
CREATE FUNCTION cases_open() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM opened WHERE stage <> 'registered' OR version <> 1 OR takes_back IS NOT NULL) THEN
        RAISE EXCEPTION 'a case opens as registered' USING ERRCODE = 'TT001';
    END IF;
    INSERT INTO case_event (plan_region, case_id, version, plan_id, kind, region, to_stage, happened_at, moved_on, account_id)
    SELECT plan_region, id, 1, plan_id, 'open', region, stage, stage_at, stage_on, scope_account() FROM opened;
    INSERT INTO total_delta (plan_id, region, to_stage, moved_on, recorded_on, counted, n)
    SELECT plan_id, region, stage, stage_on, china_date(now()), 0, count(*) FROM opened
    GROUP BY plan_id, region, stage, stage_on;
    RETURN NULL;
END $$;
CREATE TRIGGER cases_open AFTER INSERT ON retrofit_case REFERENCING NEW TABLE AS opened
    FOR EACH STATEMENT EXECUTE FUNCTION cases_open();

-- Scope. A contractor sees its own orders, an assessor what is his to visit; others their region.
ALTER TABLE retrofit_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE total_delta ENABLE ROW LEVEL SECURITY;
ALTER TABLE household ENABLE ROW LEVEL SECURITY;
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE need ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION scope_sees_region() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(scope_role() IN ('county', 'manager', 'auditor', 'system'), false) $$;
-- Whose cases only: NULL everybody's, 'c5' those of contractor 5, 'a7' of assessor 7, 'x' nobody's.
CREATE FUNCTION scope_only() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN scope_role() IN ('county', 'manager', 'auditor', 'system') THEN NULL
                  WHEN scope_role() = 'contractor' THEN 'c' || scope_contractor()
                  WHEN scope_role() = 'assessor' THEN 'a' || scope_account() ELSE 'x' END $$;
-- (IS TRUE keeps the range a filter: as an index condition its guessed selectivity misleads generic plans.)
CREATE POLICY scope ON retrofit_case USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND ((SELECT scope_sees_region()) OR (SELECT scope_only()) IN ('c' || contractor_id, 'a' || assessor_id)));
CREATE POLICY scope ON case_event FOR SELECT USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_event.plan_region AND c.id = case_event.case_id));
CREATE POLICY scope ON total_delta FOR SELECT USING (
    (SELECT scope_sees_region()) AND (region BETWEEN (SELECT scope_low()) AND (SELECT scope_high())
        OR region_from BETWEEN (SELECT scope_low()) AND (SELECT scope_high())));
CREATE POLICY scope ON household USING (
    region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()) AND (
        (SELECT scope_sees_region()) OR EXISTS (SELECT FROM retrofit_case c
            WHERE c.plan_region = household.plan_region AND c.household_id = household.id)));
CREATE POLICY scope ON person USING (EXISTS (SELECT FROM household h
    WHERE h.plan_region = person.plan_region AND h.id = person.household_id));
CREATE POLICY scope ON need USING (EXISTS (SELECT FROM household h
    WHERE h.plan_region = need.plan_region AND h.id = need.household_id));

-- The account of an assessor who works (at least partly) in the caller's region.
CREATE FUNCTION assessor_in_scope(wanted text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.id FROM account a LEFT JOIN region r ON r.place = a.region
    WHERE a.name = wanted AND a.role = 'assessor' AND a.disabled_at IS NULL
      AND coalesce(r.place, 0) <= scope_high() AND coalesce(r.high, 999999999) >= scope_low() $$;

GRANT SELECT ON stage_name, transition_rule, case_event, total_delta TO tantu_app;
GRANT SELECT, INSERT ON retrofit_case TO tantu_app;
GRANT UPDATE (stage, stage_at, stage_note, stage_evidence, takes_back, region, village, householder, eligible,
    eligibility_reasons, contractor_id, assessor_id) ON retrofit_case TO tantu_app;
