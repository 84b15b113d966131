-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Follow-ups of fittings and rentals: some months after it was handed over somebody asks how the device does. Made by the hand-over
-- itself; cancelled when the item comes back or is lost, so that nobody is told of what is no more; open again when that was a mistake.

-- Questions, as somebody once set them: never changed, so what was asked can be read beside what was answered.
-- [{code, kind: yes_no | choice | scale | text, name_zh, name_ko, name_en, required, choices: [{code, name_zh, name_ko, name_en}]}]
CREATE TABLE device_question_set (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    questions  json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    account_id bigint
);
-- What is a plan's own to set; the row without a plan is for every plan that has none.
CREATE TABLE device_follow_up_rule (
    plan_id      smallint REFERENCES plan,
    months       int[] NOT NULL CHECK (0 < ALL (months) AND cardinality(months) <= 12),
    question_set bigint NOT NULL REFERENCES device_question_set,
    version      int NOT NULL DEFAULT 1,
    UNIQUE NULLS NOT DISTINCT (plan_id)
);
WITH asked AS (
    INSERT INTO device_question_set (questions) VALUES ('[
        {"code": "in_use", "kind": "yes_no", "required": true, "name_zh": "现在还在用吗？", "name_ko": "지금도 사용하고 있습니까?", "name_en": "Is it in use?", "choices": []},
        {"code": "how_often", "kind": "choice", "required": true, "name_zh": "多久用一次？", "name_ko": "얼마나 자주 사용합니까?", "name_en": "How often is it used?", "choices": [
            {"code": "daily", "name_zh": "每天", "name_ko": "매일", "name_en": "Every day"},
            {"code": "weekly", "name_zh": "每周几次", "name_ko": "일주일에 몇 번", "name_en": "Some days a week"},
            {"code": "seldom", "name_zh": "很少", "name_ko": "드물게", "name_en": "Seldom"},
            {"code": "never", "name_zh": "从不", "name_ko": "전혀", "name_en": "Never"}]},
        {"code": "fits", "kind": "yes_no", "required": true, "name_zh": "合适吗？", "name_ko": "몸에 잘 맞습니까?", "name_en": "Does it fit?", "choices": []},
        {"code": "pain", "kind": "yes_no", "required": true, "name_zh": "有没有疼痛或压疮？", "name_ko": "통증이나 욕창이 있습니까?", "name_en": "Any pain or sores?", "choices": []},
        {"code": "broken", "kind": "yes_no", "required": true, "name_zh": "有没有损坏？", "name_ko": "고장 난 곳이 있습니까?", "name_en": "Is anything broken?", "choices": []},
        {"code": "satisfaction", "kind": "scale", "required": true, "name_zh": "满意程度（1–5）", "name_ko": "만족도(1–5)", "name_en": "Satisfaction (1–5)", "choices": []}]')
    RETURNING id)
INSERT INTO device_follow_up_rule SELECT NULL, '{1,6}', id, 0 FROM asked;
GRANT SELECT, INSERT ON device_question_set TO tantu_app;
GRANT SELECT, INSERT, UPDATE ON device_follow_up_rule TO tantu_app;
ALTER TABLE device_question_set ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_follow_up_rule ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON device_question_set FOR SELECT USING (true);
CREATE POLICY adding ON device_question_set FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('admin', 'manager', 'system'));
CREATE POLICY reading ON device_follow_up_rule FOR SELECT USING (true);
CREATE POLICY adding ON device_follow_up_rule FOR INSERT WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON device_follow_up_rule FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE FUNCTION device_follow_up_rule_of(wanted smallint) RETURNS device_follow_up_rule LANGUAGE sql STABLE AS $$
    SELECT r FROM device_follow_up_rule r WHERE r.plan_id = wanted OR r.plan_id IS NULL ORDER BY r.plan_id NULLS LAST LIMIT 1 $$;

CREATE SEQUENCE device_follow_up_number;
CREATE TABLE device_follow_up (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'device_follow_up_number')
    handover_id  bigint NOT NULL,
    number       smallint NOT NULL CHECK (number > 0),
    plan_id      smallint NOT NULL REFERENCES plan,
    centre_id    bigint NOT NULL REFERENCES centre,
    region       int NOT NULL, -- these three as the hand-over's
    due_on       date NOT NULL,
    question_set bigint NOT NULL REFERENCES device_question_set,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cancelled')),
    happened_at  timestamptz,
    done_at      timestamptz,
    outcome      text CHECK (outcome IN ('in_use', 'not_used', 'broken', 'moved', 'died', 'returned', 'other')),
    answers      json,
    note         text NOT NULL DEFAULT '',
    account_id   bigint,
    told_at      timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, handover_id, number),
    FOREIGN KEY (plan_region, handover_id) REFERENCES handover,
    CHECK (CASE state WHEN 'done' THEN num_nonnulls(happened_at, done_at, outcome, answers, account_id) = 5
                      ELSE num_nonnulls(happened_at, done_at, outcome, answers, account_id) = 0 END)
);
CREATE INDEX device_follow_up_by_centre ON device_follow_up (centre_id, state, due_on, id);
CREATE INDEX device_follow_up_by_region ON device_follow_up (region, state, due_on, id);
CREATE INDEX device_follow_up_by_plan ON device_follow_up (plan_id, state, due_on, id) INCLUDE (region);
CREATE INDEX device_follow_up_waiting ON device_follow_up (due_on) WHERE state = 'open' AND told_at IS NULL;
GRANT USAGE ON device_follow_up_number TO tantu_app;
GRANT SELECT ON device_follow_up TO tantu_app;
GRANT UPDATE (state, happened_at, done_at, outcome, answers, note, account_id, told_at, version) ON device_follow_up TO tantu_app;
ALTER TABLE device_follow_up ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON device_follow_up FOR SELECT USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY changing ON device_follow_up FOR UPDATE USING ((SELECT scope_role()) IN ('centre', 'county', 'manager', 'system')
    AND (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);

-- What becomes of them follows from the hand-over, whoever writes that.
CREATE FUNCTION device_follow_ups_come() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date := china_date(CASE TG_OP WHEN 'INSERT' THEN NEW.happened_at ELSE now() END); -- a trial is his from the day that he keeps it
    plan smallint := coalesce((SELECT r.plan_id FROM device_request r WHERE r.plan_region = NEW.plan_region AND r.id = NEW.request_id),
        device_plan_of(NEW.plan_region, day));
    rule device_follow_up_rule := device_follow_up_rule_of(plan);
BEGIN
    INSERT INTO device_follow_up (plan_region, id, handover_id, number, plan_id, centre_id, region, due_on, question_set)
    SELECT NEW.plan_region, id_in(NEW.plan_region, 'device_follow_up_number'), NEW.id, m.number, plan, NEW.centre_id, NEW.region,
        (day + make_interval(months => m.months))::date, rule.question_set
    FROM unnest(rule.months) WITH ORDINALITY AS m (months, number) ORDER BY m.number;
    RETURN NULL;
END $$;
CREATE FUNCTION device_follow_ups_go() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE device_follow_up f SET state = CASE WHEN NEW.ended IS NULL THEN 'open' ELSE 'cancelled' END, version = f.version + 1
    WHERE f.plan_region = NEW.plan_region AND f.handover_id = NEW.id AND f.state = CASE WHEN NEW.ended IS NULL THEN 'cancelled' ELSE 'open' END;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_ups_come AFTER INSERT ON handover FOR EACH ROW WHEN (NEW.kind IN ('fitting', 'rental')) EXECUTE FUNCTION device_follow_ups_come();
CREATE TRIGGER follow_ups_come_late AFTER UPDATE ON handover FOR EACH ROW
    WHEN (NEW.kind = 'fitting' AND OLD.kind = 'trial') EXECUTE FUNCTION device_follow_ups_come();
CREATE TRIGGER follow_ups_go AFTER UPDATE ON handover FOR EACH ROW
    WHEN ((NEW.ended IS NULL) <> (OLD.ended IS NULL)) EXECUTE FUNCTION device_follow_ups_go();

-- What is broken is told of, whoever found it: a centre may not write into the outbox.
CREATE FUNCTION device_follow_up_said(f device_follow_up) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('follow_up', f.id, 'handover', f.handover_id, 'kind', h.kind, 'item', i.code, 'model', i.model,
        'centre', (SELECT c.code FROM centre c WHERE c.id = f.centre_id), 'plan', (SELECT p.code FROM plan p WHERE p.id = f.plan_id),
        'number', f.number, 'due_on', f.due_on, 'happened_at', f.happened_at)
    FROM handover h JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
    WHERE h.plan_region = f.plan_region AND h.id = f.handover_id $$;
CREATE FUNCTION device_follow_up_tells() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO outbox (kind, region, content) VALUES ('device_follow_up_broken', NEW.region, device_follow_up_said(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER tells AFTER UPDATE OF outcome ON device_follow_up FOR EACH ROW
    WHEN (NEW.outcome = 'broken' AND OLD.outcome IS NULL) EXECUTE FUNCTION device_follow_up_tells();

-- What is wrong with a list of questions: the first fault.
CREATE FUNCTION device_questions_refusal(given json, OUT verdict text, OUT field text) LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    SELECT j.verdict, '/questions/' || j.at - 1 || j.field INTO verdict, field FROM (
        SELECT g.at, CASE WHEN g.code !~ '^[a-z][a-z0-9_]{0,31}$' OR g.times > 1 THEN '/code' ELSE '/choices' END AS field, CASE
            WHEN g.code !~ '^[a-z][a-z0-9_]{0,31}$' THEN 'question_code_invalid'
            WHEN g.times > 1 THEN 'question_given_twice'
            WHEN g.kind = 'choice' AND coalesce(json_array_length(g.choices), 0) < 2 THEN 'choices_missing'
            WHEN g.kind <> 'choice' AND coalesce(json_array_length(g.choices), 0) > 0 THEN 'choices_not_wanted'
            WHEN EXISTS (SELECT FROM json_to_recordset(g.choices) AS c (code text) WHERE c.code !~ '^[a-z][a-z0-9_]{0,31}$') THEN 'question_code_invalid'
            WHEN EXISTS (SELECT FROM json_to_recordset(g.choices) AS c (code text) GROUP BY c.code HAVING count(*) > 1) THEN 'question_given_twice' END AS verdict
        FROM (SELECT q.*, count(*) OVER (PARTITION BY q.code ORDER BY q.at) AS times FROM ROWS FROM (json_to_recordset(given) AS (code text, kind text, choices json))
              WITH ORDINALITY AS q (code, kind, choices, at)) AS g) AS j
    WHERE j.verdict IS NOT NULL ORDER BY j.at LIMIT 1;
END $$;
-- The same questions with everything that may be left out.
CREATE FUNCTION device_questions_whole(given json) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(json_agg(json_build_object('code', q.code, 'kind', q.kind, 'required', coalesce(q.required, false), 'name_zh', q.name_zh,
        'name_ko', coalesce(q.name_ko, q.name_zh), 'name_en', coalesce(q.name_en, q.name_zh), 'choices', (
            SELECT coalesce(json_agg(json_build_object('code', c.code, 'name_zh', c.name_zh, 'name_ko', coalesce(c.name_ko, c.name_zh),
                'name_en', coalesce(c.name_en, c.name_zh)) ORDER BY c.at), '[]')
            FROM ROWS FROM (json_to_recordset(coalesce(q.choices, '[]')) AS (code text, name_zh text, name_ko text, name_en text)) WITH ORDINALITY
                AS c (code, name_zh, name_ko, name_en, at))) ORDER BY q.at), '[]')
    FROM ROWS FROM (json_to_recordset(given) AS (code text, kind text, required boolean, name_zh text, name_ko text, name_en text, choices json)) WITH ORDINALITY
        AS q (code, kind, required, name_zh, name_ko, name_en, choices, at) $$;

-- What is wrong with the answers to these questions. reached: somebody was asked, so what is required must be there.
CREATE FUNCTION device_answers_refusal(questions json, answers json, reached boolean, OUT verdict text, OUT field text) LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    SELECT CASE WHEN q.code IS NULL THEN 'follow_up_answer_unknown' ELSE 'follow_up_answer_invalid' END AS verdict, '/answers/' || replace(replace(a.key, '~', '~0'), '/', '~1') INTO verdict, field
    FROM json_each(answers) AS a LEFT JOIN json_to_recordset(questions) AS q (code text, kind text, choices json) ON q.code = a.key
    WHERE q.code IS NULL OR NOT CASE q.kind
        WHEN 'yes_no' THEN json_typeof(a.value) = 'boolean'
        WHEN 'scale' THEN a.value::text ~ '^[1-5]$'
        WHEN 'choice' THEN json_typeof(a.value) = 'string' AND (a.value #>> '{}') IN (SELECT c.code FROM json_to_recordset(q.choices) AS c (code text))
        ELSE json_typeof(a.value) = 'string' AND length(a.value #>> '{}') <= 500 END
    ORDER BY a.key LIMIT 1;
    IF verdict IS NULL AND reached THEN
        SELECT CASE WHEN q.code IS NOT NULL THEN 'follow_up_answer_missing' END AS verdict, '/answers/' || q.code INTO verdict, field
        FROM ROWS FROM (json_to_recordset(questions) AS (code text, required boolean)) WITH ORDINALITY AS q (code, required, at)
        WHERE q.required AND answers -> q.code IS NULL ORDER BY q.at LIMIT 1;
    END IF;
END $$;

CREATE TYPE device_follow_up_answer AS (
    _verdict text, _field text, id bigint, handover bigint, kind text, item text, model text, person bigint, person_name text, centre text, plan text,
    region text, number int, due_on date, state text, happened_at timestamptz, done_at timestamptz, outcome text, answers json, note text, account bigint,
    told_at timestamptz, version int);
-- (The name as lists show it.)
CREATE FUNCTION device_follow_up_shown(f device_follow_up, verdict text, field text) RETURNS device_follow_up_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, f.id, f.handover_id, h.kind, i.code, i.model, h.person_id, left(n.name, 1) || repeat('*', greatest(length(n.name) - 1, 1)),
        (SELECT c.code FROM centre c WHERE c.id = f.centre_id), (SELECT p.code FROM plan p WHERE p.id = f.plan_id), region_label(f.region), f.number::int,
        f.due_on, f.state, f.happened_at, f.done_at, f.outcome, f.answers, f.note, f.account_id, f.told_at, f.version)::device_follow_up_answer
    FROM (SELECT 1) AS one LEFT JOIN handover h ON h.plan_region = f.plan_region AND h.id = f.handover_id
    LEFT JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
    LEFT JOIN person n ON n.plan_region = h.plan_region AND n.id = h.person_id $$;

CREATE FUNCTION device_follow_up_end(wanted bigint, if_match int, happened timestamptz, what text, given json, said text) RETURNS device_follow_up_answer
LANGUAGE plpgsql AS $$
DECLARE
    f device_follow_up;
    verdict text;
    field text;
BEGIN
    SELECT * INTO f FROM device_follow_up u WHERE u.plan_region = plan_region_of(wanted) AND u.id = wanted FOR NO KEY UPDATE;
    given := coalesce(given, '{}');
    verdict := CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN if_match <> f.version THEN 'stale'
        WHEN f.state <> 'open' THEN 'device_follow_up_over'
        WHEN happened > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN china_date(happened) < (SELECT china_date(h.happened_at) FROM handover h WHERE h.plan_region = f.plan_region AND h.id = f.handover_id)
            THEN 'happened_before_last'
        WHEN what = 'other' AND NOT coalesce(said ~ '\S', false) THEN 'note_required' END;
    IF verdict IS NULL THEN
        SELECT * INTO verdict, field FROM device_answers_refusal((SELECT s.questions FROM device_question_set s WHERE s.id = f.question_set), given,
            what IN ('in_use', 'broken'));
    END IF;
    IF verdict IS NULL THEN
        UPDATE device_follow_up u SET state = 'done', happened_at = happened, done_at = now(), outcome = what, answers = given, note = coalesce(said, ''),
            account_id = scope_account(), version = u.version + 1
        WHERE u.plan_region = f.plan_region AND u.id = f.id RETURNING * INTO f;
    END IF;
    RETURN device_follow_up_shown(f, verdict, field);
END $$;

-- Who ended it takes that back. The hand-over is locked first: of what came back meanwhile nothing is open again.
CREATE FUNCTION device_follow_up_take_back(wanted bigint, if_match int) RETURNS device_follow_up_answer LANGUAGE plpgsql AS $$
DECLARE
    f device_follow_up;
    h handover;
    verdict text;
BEGIN
    SELECT * INTO f FROM device_follow_up u WHERE u.plan_region = plan_region_of(wanted) AND u.id = wanted;
    SELECT * INTO h FROM handover o WHERE o.plan_region = f.plan_region AND o.id = f.handover_id FOR SHARE;
    SELECT * INTO f FROM device_follow_up u WHERE u.plan_region = plan_region_of(wanted) AND u.id = wanted FOR NO KEY UPDATE;
    verdict := CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN if_match <> f.version THEN 'stale'
        WHEN f.state <> 'done' THEN 'nothing_to_take_back'
        WHEN f.account_id <> scope_account() THEN 'not_your_action' END;
    IF verdict IS NULL THEN
        UPDATE device_follow_up u SET state = CASE WHEN h.ended IS NULL THEN 'open' ELSE 'cancelled' END, happened_at = NULL, done_at = NULL,
            outcome = NULL, answers = NULL, note = '', account_id = NULL, version = u.version + 1
        WHERE u.plan_region = f.plan_region AND u.id = f.id RETURNING * INTO f;
    END IF;
    RETURN device_follow_up_shown(f, verdict, NULL);
END $$;

CREATE TYPE device_follow_up_rule_answer AS (_verdict text, _field text, plan text, follow_ups json, questions json, version int);
CREATE FUNCTION device_follow_up_rule_shown(p plan, verdict text, field text) RETURNS device_follow_up_rule_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, p.code, (SELECT coalesce(json_agg(json_build_object('months', m) ORDER BY m), '[]') FROM unnest(r.months) AS m), s.questions,
        r.version)::device_follow_up_rule_answer
    FROM device_follow_up_rule_of(p.id) AS r JOIN device_question_set s ON s.id = r.question_set $$;
CREATE FUNCTION device_follow_up_rule_put(of_plan text, if_match int, given_months json, given json) RETURNS device_follow_up_rule_answer LANGUAGE plpgsql AS $$
DECLARE
    p plan;
    rule device_follow_up_rule;
    asked device_question_set;
    verdict text;
    field text;
BEGIN
    SELECT * INTO p FROM plan s WHERE s.code = of_plan;
    PERFORM FROM device_follow_up_rule r WHERE r.plan_id = p.id FOR UPDATE;
    rule := device_follow_up_rule_of(p.id);
    verdict := CASE
        WHEN p.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(p.region), false) THEN 'region_foreign'
        WHEN if_match <> rule.version THEN 'stale' END;
    IF verdict IS NULL THEN
        SELECT * INTO verdict, field FROM device_questions_refusal(given);
    END IF;
    IF verdict IS NULL THEN
        SELECT * INTO asked FROM device_question_set s WHERE s.id = rule.question_set AND (given IS NULL OR s.questions::jsonb = device_questions_whole(given)::jsonb);
        IF asked.id IS NULL THEN
            INSERT INTO device_question_set (questions, account_id) VALUES (device_questions_whole(given), scope_account()) RETURNING * INTO asked;
        END IF;
        INSERT INTO device_follow_up_rule AS r (plan_id, months, question_set)
        VALUES (p.id, ARRAY(SELECT DISTINCT g.months FROM json_to_recordset(given_months) AS g (months int) ORDER BY 1), asked.id)
        ON CONFLICT (plan_id) DO UPDATE SET months = excluded.months, question_set = excluded.question_set, version = r.version + 1;
    END IF;
    RETURN device_follow_up_rule_shown(p, verdict, field);
END $$;

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('reminders', 'device_follow_up_scan', 'device_follow_up_scan', '50 7-19 * * *', 1000000);
