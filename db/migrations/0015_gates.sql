-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Gates: what must lie behind a case before it may enter a stage. A move is judged by its rule first (case_refusal), then by the
-- gates that its plan keeps closed. What a gate asks is the business of the function of its name; what it asks about (items,
-- photos, survey, orders, inspections) lives in tables of its own, keyed as the case is.

CREATE TABLE case_gate (
    code     text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    stages   text[] NOT NULL -- on whose threshold it stands
);
INSERT INTO case_gate VALUES
    ('notice', 1, '{approved,surveyed}'),    -- 公示 is over and no objection is open; which stage waits: plan.notice_before
    ('survey', 2, '{surveyed}'),             -- signed by household and assessor
    ('design', 3, '{designed}'),             -- items with prices, paid for, within the ceiling
    ('order', 4, '{assigned,building}'),     -- there is a contractor, and it accepted
    ('before_photos', 5, '{building}'),      -- of every item
    ('after_photos', 6, '{built}'),          -- of every item
    ('inspection', 7, '{accepted,rework}');  -- measured, signed, by somebody who is not the contractor

-- Every gate of a new plan is closed; an administrator may open one for a plan, and says why.
ALTER TABLE plan ADD COLUMN gates text[] NOT NULL
    DEFAULT '{notice,survey,design,order,before_photos,after_photos,inspection}';
ALTER TABLE plan ADD COLUMN notice_before text NOT NULL DEFAULT 'surveyed' CHECK (notice_before IN ('approved', 'surveyed'));
GRANT UPDATE (gates, notice_before) ON plan TO tantu_app;
CREATE TABLE plan_gate_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id    smallint NOT NULL REFERENCES plan,
    gate       text NOT NULL REFERENCES case_gate,
    closed     boolean NOT NULL,
    note       text NOT NULL,
    account_id bigint NOT NULL REFERENCES account,
    at         timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON case_gate TO tantu_app;
GRANT SELECT, INSERT ON plan_gate_event TO tantu_app;
ALTER TABLE plan_gate_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON plan_gate_event FOR SELECT USING ((SELECT scope_role()) IN ('admin', 'system')
    OR ((SELECT scope_sees_region()) AND EXISTS (SELECT FROM plan p JOIN region r ON r.place = p.region
        WHERE p.id = plan_id AND p.region <= (SELECT scope_high()) AND r.high >= (SELECT scope_low()))));
CREATE POLICY adding ON plan_gate_event FOR INSERT WITH CHECK ((SELECT scope_role()) = 'admin' AND account_id = (SELECT scope_account()));

-- The catalogue of measures that answer a problem of a home. Prices in 分.
CREATE TABLE measure (
    code       text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{1,47}$'),
    kind       text NOT NULL CHECK (kind IN ('retrofit', 'device')),
    name_zh    text NOT NULL,
    name_ko    text NOT NULL,
    name_en    text NOT NULL,
    unit       text NOT NULL,
    price      bigint CHECK (price >= 0),   -- a guide, of one unit
    ceiling    bigint CHECK (ceiling >= 0), -- the most that subsidies pay for one unit
    rooms      text[] NOT NULL DEFAULT '{}',
    retired_at timestamptz,
    version    int NOT NULL DEFAULT 1
);
GRANT SELECT, INSERT, UPDATE ON measure TO tantu_app;
ALTER TABLE measure ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON measure FOR SELECT USING (true);
CREATE POLICY adding ON measure FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY changing ON measure FOR UPDATE USING ((SELECT scope_role()) IN ('admin', 'system'));

-- What is built or handed out: the items of the design, as changed by change orders. Numbers are never used again.
CREATE TABLE case_item (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    number      int NOT NULL CHECK (number > 0),
    finding     int, -- of the survey
    room        text NOT NULL,
    measure     text NOT NULL REFERENCES measure,
    kind        text NOT NULL CHECK (kind IN ('retrofit', 'device')),
    name        text NOT NULL, -- as the catalogue said it then
    unit        text NOT NULL,
    quantity    numeric(10, 2) NOT NULL CHECK (quantity > 0),
    price       bigint NOT NULL CHECK (price >= 0), -- 分 a unit
    removed_at  timestamptz,
    PRIMARY KEY (plan_region, case_id, number),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case
);
GRANT SELECT, INSERT, UPDATE ON case_item TO tantu_app;

-- A photo is its bytes, stored once (outside the database, under `hash`, a keyed fingerprint); where it is used is case_photo.
CREATE TABLE photo (
    hash        bytea PRIMARY KEY CHECK (length(hash) = 32),
    kind        text NOT NULL CHECK (kind IN ('jpeg', 'png', 'webp')),
    bytes       bigint NOT NULL CHECK (bytes > 0),
    width       int NOT NULL CHECK (width > 0),
    height      int NOT NULL CHECK (height > 0),
    captured_at text NOT NULL DEFAULT '', -- as the camera wrote it
    longitude   double precision,
    latitude    double precision,
    looks       bigint, -- perceptual hash; NULL: nothing to be told from it
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE SEQUENCE case_photo_number;
CREATE TABLE case_photo (
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'case_photo_number')
    case_id     bigint NOT NULL,
    slot        text NOT NULL CHECK (slot IN ('before', 'during', 'after', 'inspection', 'signature')),
    item        int, -- number of the case_item
    finding     int, -- number of the survey's finding
    photo       bytea NOT NULL REFERENCES photo,
    taken_at    timestamptz NOT NULL, -- by the camera, else when it was sent
    note        text NOT NULL DEFAULT '',
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    removed_at  timestamptz,
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case
);
CREATE INDEX case_photo_by_case ON case_photo (plan_region, case_id, id);
CREATE INDEX case_photo_by_photo ON case_photo (photo);
GRANT USAGE ON case_photo_number TO tantu_app;
GRANT SELECT, INSERT ON photo, case_photo TO tantu_app;
GRANT UPDATE (looks) ON photo TO tantu_app;
GRANT UPDATE (removed_at, note) ON case_photo TO tantu_app;

ALTER TABLE case_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE photo ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_photo ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON case_item USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_item.plan_region AND c.id = case_item.case_id));
CREATE POLICY scope ON case_photo USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_photo.plan_region AND c.id = case_photo.case_id));
CREATE POLICY reading ON photo FOR SELECT USING ((SELECT scope_role()) = 'system'
    OR EXISTS (SELECT FROM case_photo u WHERE u.photo = photo.hash));
CREATE POLICY adding ON photo FOR INSERT WITH CHECK ((SELECT scope_account()) IS NOT NULL);
CREATE POLICY changing ON photo FOR UPDATE USING ((SELECT scope_role()) = 'system');

-- Gates answer NULL, or the verdict and what is lacking: {after_photo_missing,"2 卫生间 扶手","3 厨房 洗菜池"}. Each asks about the
-- case as it is, on the day of the move. (Those that answer nothing here are made by the migrations of what they ask about.)
CREATE FUNCTION gate_notice(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_survey(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_design(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_order_given(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_order_accepted(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_before_photos(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_after_photos(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_inspection_passed(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION gate_inspection_failed(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;

-- A case that was withdrawn because its household is registered twice stays so until that is undone (migration 0025).
CREATE FUNCTION gate_not_merged(c retrofit_case) RETURNS text[] LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;

-- Handing out devices is no retrofit (杜绝以简单配发辅助器具代替改造): no plan can open this one.
CREATE FUNCTION gate_devices_only(c retrofit_case) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    all_devices boolean;
    lacking text[];
    verdict text;
BEGIN
    SELECT bool_and(i.kind = 'device'), array_agg(i.number || ' ' || i.name ORDER BY i.number) INTO all_devices, lacking
    FROM case_item i WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL;
    verdict := CASE WHEN all_devices THEN 'devices_only' END;
    RETURN verdict || lacking;
END $$;

-- What a gate says, as the program that asks can hear it: one that is older than the gates has no word for it, and would end. The
-- oldest do not tell their schema; what is no program of ours hears everything.
CREATE FUNCTION gate_heard(said text[], known_word text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    program text := current_setting('application_name');
BEGIN
    RETURN CASE WHEN said[1] IS NULL THEN NULL
                WHEN program = 'tantu' OR substring(program FROM '^tantu/([0-9]{1,6})$')::int < 15 THEN ARRAY[known_word]
                ELSE said END;
END $$;

-- The first closed gate on the way of `c` into `wanted`; NULL: none. (NULL || '{a}' is an array, so it is the first word that
-- tells whether a gate said something.)
CREATE FUNCTION case_barred(c retrofit_case, wanted stage, day date, closed text[], notice_before text) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text[];
BEGIN
    IF wanted = notice_before AND 'notice' = ANY (closed) THEN
        said := gate_notice(c, day);
    END IF;
    IF said[1] IS NOT NULL THEN
        NULL;
    ELSIF wanted = 'surveyed' AND 'survey' = ANY (closed) THEN
        said := gate_survey(c, day);
    ELSIF wanted = 'designed' AND 'design' = ANY (closed) AND c.stage = 'surveyed' THEN -- (an order declined leads there too)
        said := gate_design(c, day);
    ELSIF wanted = 'assigned' AND 'order' = ANY (closed) THEN
        said := gate_order_given(c, day);
    ELSIF wanted = 'building' THEN
        IF 'order' = ANY (closed) AND c.stage = 'assigned' THEN
            said := gate_order_accepted(c, day);
        END IF;
        IF said[1] IS NULL AND 'before_photos' = ANY (closed) THEN
            said := gate_before_photos(c, day);
        END IF;
    ELSIF wanted = 'built' AND 'after_photos' = ANY (closed) THEN
        said := gate_after_photos(c, day);
    ELSIF wanted = 'accepted' THEN
        said := gate_devices_only(c);
        IF said[1] IS NULL AND 'inspection' = ANY (closed) THEN
            said := gate_inspection_passed(c, day);
        END IF;
        IF said[1] IS NULL AND 'after_photos' = ANY (closed) THEN -- some may have been removed since
            said := gate_after_photos(c, day);
        END IF;
    ELSIF wanted = 'rework' AND 'inspection' = ANY (closed) THEN
        said := gate_inspection_failed(c, day);
    ELSIF wanted = 'registered' AND c.stage = 'withdrawn' THEN
        said := gate_not_merged(c);
    END IF;
    IF said[1] IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN gate_heard(said, 'stage_not_allowed');
END $$;

-- As in 0004, then the gates; `lacking` is what they miss.
DROP FUNCTION case_refusal;
CREATE FUNCTION case_refusal(c retrofit_case, wanted stage, happened timestamptz, said text, back int,
                             OUT verdict text, OUT kind text, OUT lacking text[])
LANGUAGE plpgsql STABLE AS $$
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
        IF verdict IS NULL AND c.stage = 'withdrawn' THEN
            lacking := gate_heard(gate_not_merged(c), 'nothing_to_take_back');
            verdict := lacking[1];
            lacking := lacking[2:];
        END IF;
        RETURN;
    END IF;
    -- One look-up, then an expression without sub-selects: this is asked for every move.
    SELECT r.kind, r.roles, r.needs_note, p.begins_on, p.notice_days, p.gates, p.notice_before INTO rule
    FROM plan p LEFT JOIN transition_rule r ON r.from_stage = c.stage AND r.to_stage = wanted WHERE p.id = c.plan_id;
    kind := rule.kind;
    verdict := CASE
        WHEN rule.kind IS NULL OR (rule.kind = 'resume' AND c.resume_stage <> wanted) THEN 'stage_not_allowed'
        WHEN NOT coalesce(role = ANY (rule.roles), false) THEN 'role_not_allowed'
        WHEN rule.needs_note AND NOT reason THEN 'note_required'
        WHEN happened > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN day < rule.begins_on THEN 'happened_before_plan'
        WHEN c.stage <> 'registered' AND day < china_date(c.stage_at) THEN 'happened_before_last'
        WHEN rule.kind = 'resume' THEN NULL -- it returns to where it was, which was judged then
        WHEN wanted = 'approved' AND NOT c.eligible AND NOT (role = 'manager' AND reason) THEN 'not_eligible'
        WHEN wanted = 'surveyed' AND rule.notice_before = 'surveyed' AND rule.notice_days > day - china_date(c.stage_at) THEN 'notice_not_over' END;
    IF verdict IS NULL AND rule.kind = 'move'
        AND wanted IN ('approved', 'surveyed', 'designed', 'assigned', 'building', 'built', 'accepted', 'rework', 'registered') THEN
        lacking := case_barred(c, wanted, day, rule.gates, rule.notice_before);
        verdict := lacking[1];
        lacking := lacking[2:];
    END IF;
END $$;

-- What follows from a move, in its transaction, as the owner; kind as in case_event (a taken-back move comes with was and becomes
-- the other way round and kind take_back; one that stayed where it is and got another place or contractor, with kind keep). Made by the migrations of orders, money and acceptance.
CREATE FUNCTION order_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION money_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION acceptance_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION case_moved(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(becomes.contractor_id, was.contractor_id) IS NOT NULL THEN
        PERFORM order_follows(was, becomes, kind);
    END IF;
    PERFORM money_follows(was, becomes, kind);
    IF (was.accepted_on IS NULL) <> (becomes.accepted_on IS NULL) THEN
        PERFORM acceptance_follows(was, becomes, kind);
    END IF;
END $$;

-- What waits for approval and survey, and in which order: made by the migration of priority. (A pause is nothing to it.)
CREATE FUNCTION case_waits(was retrofit_case, becomes retrofit_case) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;

-- As in 0009, with gates and what follows.
CREATE OR REPLACE FUNCTION case_updates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    refusal record;
    asked retrofit_case := OLD;
    happened timestamptz := NEW.stage_at;
    moved date := greatest(china_date(NEW.stage_at), OLD.stage_on);
    counts smallint;
    counts_on date;
BEGIN
    IF NEW.stage = OLD.stage AND NEW.takes_back IS DISTINCT FROM 0 THEN
        NEW := case_keeps(OLD, NEW);
        IF NEW.region <> OLD.region OR NEW.contractor_id IS DISTINCT FROM OLD.contractor_id THEN
            PERFORM money_follows(OLD, NEW, 'keep'); -- what is owed is owed to another, or by another county
        END IF;
        RETURN NEW;
    END IF;
    asked.contractor_id := NEW.contractor_id; -- an order names its contractor in the same breath
    refusal := case_refusal(asked, NEW.stage, happened, NEW.stage_note, nullif(NEW.takes_back, 0));
    IF refusal.verdict IS NOT NULL AND NEW.takes_back = 0 THEN
        PERFORM set_config('tantu.verdict', refusal.verdict, true), set_config('tantu.lacking', coalesce(refusal.lacking::text, ''), true);
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
    IF NEW.stage IN ('designed', 'assigned', 'accepted', 'closed', 'withdrawn') -- (closed: a revocation taken back)
        OR OLD.stage IN ('designed', 'assigned', 'accepted', 'closed', 'withdrawn') THEN
        PERFORM case_moved(OLD, NEW, refusal.kind);
    END IF;
    IF refusal.kind = 'take_back' OR (refusal.kind = 'move' AND NEW.stage <> 'suspended'
        AND (OLD.stage IN ('registered', 'approved') OR NEW.stage IN ('registered', 'approved', 'withdrawn'))) THEN
        PERFORM case_waits(OLD, NEW);
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION case_unmoved(wanted_id bigint, wanted stage, if_match int, contractor text, contractor_found boolean) RETURNS case_answer
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
    SELECT verdict, CASE WHEN verdict IN ('contractor_unknown', 'contractor_not_wanted', 'contractor_required') THEN '/contractor' WHEN verdict = 'note_required' THEN '/note'
               WHEN verdict IN ('happened_in_future', 'happened_before_last', 'happened_before_plan', 'notice_not_over') THEN '/happened_at'
               ELSE '/to' END,
        CASE WHEN verdict IN ('stage_not_allowed', 'role_not_allowed') THEN case_allowed(c) END,
        CASE WHEN verdict = 'not_eligible' THEN c.eligibility_reasons
             WHEN verdict = told THEN nullif(current_setting('tantu.lacking', true), '')::text[] END,
        c.id, (SELECT p.code FROM plan p WHERE p.id = c.plan_id), c.household_id, c.household_number, c.householder,
        region_label(c.region), c.village, c.stage, c.stage_at, c.stage_note, c.resume_stage, c.accepted_on, c.eligible,
        c.eligibility_reasons, c.exception_note, (SELECT k.code FROM contractor k WHERE k.id = c.contractor_id), c.assessor_id,
        c.created_at, c.version INTO answer;
    RETURN answer;
END $$;
