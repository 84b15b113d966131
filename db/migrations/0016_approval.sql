-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Approval: public notices (公示) and objections to them.

CREATE SEQUENCE notice_number;
CREATE SEQUENCE objection_number;
CREATE TABLE notice (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'notice_number')
    plan_id      smallint NOT NULL REFERENCES plan,
    region       int NOT NULL REFERENCES region,
    before       text NOT NULL CHECK (before IN ('approved', 'surveyed')), -- the stage that waits for it: plan.notice_before then
    starts_on    date NOT NULL,
    ends_on      date NOT NULL, -- both days belong to it
    cases        int NOT NULL CHECK (cases > 0),
    account_id   bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    cancelled_by bigint,
    cancel_note  text,
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    CHECK (starts_on <= ends_on),
    CHECK ((cancelled_at IS NULL) = (cancel_note IS NULL))
);
CREATE INDEX notice_by_id ON notice (id);
-- What was posted, as it was posted: a change of the case does not change the list.
CREATE TABLE notice_case (
    plan_region  int NOT NULL,
    notice_id    bigint NOT NULL,
    number       int NOT NULL, -- on the list
    case_id      bigint NOT NULL,
    case_version int NOT NULL,
    region       int NOT NULL REFERENCES region,
    householder  text NOT NULL, -- masked
    village      text NOT NULL,
    category     smallint, -- and level, of the most severely disabled member
    level        smallint,
    PRIMARY KEY (plan_region, notice_id, number),
    UNIQUE (plan_region, case_id, notice_id),
    FOREIGN KEY (plan_region, notice_id) REFERENCES notice,
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case
);
CREATE TABLE objection (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'objection_number')
    notice_id    bigint NOT NULL,
    case_id      bigint NOT NULL,
    household_id bigint NOT NULL,
    plan_id      smallint NOT NULL,
    objector     text NOT NULL, -- '': anonymous. Shown masked in lists; a reading of it is recorded.
    content      text NOT NULL,
    received_at  timestamptz NOT NULL,
    account_id   bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'upheld', 'dismissed')),
    resolved_at  timestamptz,
    resolved_by  bigint,
    resolution   text,
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, case_id, notice_id) REFERENCES notice_case (plan_region, case_id, notice_id),
    CHECK ((state = 'open') = (resolved_at IS NULL))
);
CREATE INDEX objection_by_case ON objection (plan_region, case_id, id);
CREATE INDEX objection_by_notice ON objection (plan_region, notice_id, id);
CREATE INDEX objection_upheld ON objection (plan_region, household_id, plan_id) WHERE state = 'upheld';

GRANT USAGE ON notice_number, objection_number TO tantu_app;
GRANT SELECT, INSERT ON notice, notice_case, objection TO tantu_app;
GRANT UPDATE (cancelled_at, cancelled_by, cancel_note, version) ON notice TO tantu_app;
GRANT UPDATE (state, resolved_at, resolved_by, resolution, version) ON objection TO tantu_app;
ALTER TABLE notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE notice_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE objection ENABLE ROW LEVEL SECURITY;
-- A county reads the notice of its prefecture, and of its list what lies in the county; it writes its own.
CREATE POLICY reading ON notice FOR SELECT USING ((SELECT scope_sees_region()) AND region <= (SELECT scope_high())
    AND (SELECT r.high FROM region r WHERE r.place = region) >= (SELECT scope_low()));
CREATE POLICY adding ON notice FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('county', 'manager')
    AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY changing ON notice FOR UPDATE USING ((SELECT scope_role()) IN ('county', 'manager')
    AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY reading ON notice_case FOR SELECT USING ((SELECT scope_sees_region())
    AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY adding ON notice_case FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('county', 'manager')
    AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON objection USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = objection.plan_region AND c.id = objection.case_id));

-- The version of the case with which its wait began: that of its last registration or approval. What was posted or objected
-- before is about an earlier turn.
CREATE FUNCTION notice_since(c retrofit_case) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT max(e.version) FROM case_event e
    WHERE e.plan_region = c.plan_region AND e.case_id = c.id AND e.to_stage = c.stage AND e.kind IN ('open', 'move') $$;

-- The first notice that stands for the wait of `c`; NULL: none.
CREATE FUNCTION notice_of(c retrofit_case) RETURNS notice LANGUAGE sql STABLE AS $$
    SELECT n FROM notice_case l JOIN notice n ON n.plan_region = l.plan_region AND n.id = l.notice_id
    WHERE l.plan_region = c.plan_region AND l.case_id = c.id AND l.case_version >= notice_since(c) AND n.cancelled_at IS NULL
    ORDER BY n.ends_on, n.id LIMIT 1 $$;

-- Posted for all of its days, and nothing said against it that stands. A notice that was cancelled takes no objection away. (Before
-- approval an upheld objection has made the case not eligible: that is asked first.)
CREATE OR REPLACE FUNCTION gate_notice(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    posted notice;
    against record;
    verdict text;
BEGIN
    IF (SELECT p.notice_days = 0 FROM plan p WHERE p.id = c.plan_id) THEN
        RETURN NULL;
    END IF;
    posted := notice_of(c);
    SELECT array_agg(o.id || ' ' || china_date(o.received_at) ORDER BY o.id) FILTER (WHERE o.state = 'open') AS open,
           array_agg(o.id || ' ' || china_date(o.received_at) ORDER BY o.id) FILTER (WHERE o.state = 'upheld') AS upheld
    INTO against FROM objection o
    JOIN notice_case l ON l.plan_region = o.plan_region AND l.case_id = o.case_id AND l.notice_id = o.notice_id
    WHERE o.plan_region = c.plan_region AND o.case_id = c.id AND l.case_version >= notice_since(c);
    verdict := CASE
        WHEN against.upheld IS NOT NULL AND c.stage = 'approved' THEN 'objection_upheld'
        WHEN against.open IS NOT NULL THEN 'objection_open'
        WHEN posted.id IS NULL THEN 'notice_missing'
        WHEN posted.ends_on >= day THEN 'notice_running' END;
    RETURN CASE verdict
        WHEN 'objection_upheld' THEN verdict || against.upheld
        WHEN 'objection_open' THEN verdict || against.open
        WHEN 'notice_running' THEN ARRAY[verdict, posted.ends_on::text]
        WHEN 'notice_missing' THEN ARRAY[verdict] END;
END $$;

-- Posts a list: the cases given ([{case}]), or all of the region that wait for a notice and are on none. In the caller's scope.
-- (Two at once would post the same cases: one waits.)
CREATE FUNCTION notice_publish(wanted_plan text, wanted_region text, wanted_days int, given json, wanted_start date,
                               OUT verdict text, OUT unfit text[], OUT made notice)
LANGUAGE plpgsql AS $$
DECLARE
    p plan;
    r region;
    day date := coalesce(wanted_start, china_date(now()));
    days int;
    waiting stage;
    wanted bigint[] := CASE WHEN given IS NOT NULL THEN ARRAY(SELECT g."case" FROM json_to_recordset(given) AS g ("case" bigint)) END;
    fit bigint[];
BEGIN
    SELECT * INTO p FROM plan WHERE code = wanted_plan;
    SELECT * INTO r FROM region WHERE place = region_of(wanted_region);
    days := coalesce(wanted_days, p.notice_days);
    verdict := CASE
        WHEN p.id IS NULL THEN 'not_found'
        WHEN r.place IS NULL THEN 'region_unknown'
        WHEN r.place < p.region OR r.high > (SELECT t.high FROM region t WHERE t.place = p.region) THEN 'region_not_within'
        WHEN NOT coalesce(r.place >= scope_low() AND r.high <= scope_high(), false) THEN 'region_foreign'
        WHEN days < greatest(p.notice_days, 1) THEN 'notice_too_short'
        WHEN day < p.begins_on OR day > china_date(now()) + 90 THEN 'notice_start_invalid' END;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7302, p.id);
    waiting := CASE p.notice_before WHEN 'surveyed' THEN 'approved' ELSE 'registered' END;
    SELECT array_agg(c.id ORDER BY c.region, c.village, c.id) INTO fit FROM (
        SELECT c.id, c.region, c.village FROM retrofit_case c
        CROSS JOIN LATERAL (SELECT e.version, china_date(e.happened_at) AS began_on FROM case_event e -- as in notice_since
                            WHERE e.plan_region = c.plan_region AND e.case_id = c.id AND e.to_stage = waiting AND e.kind IN ('open', 'move')
                            ORDER BY e.version DESC LIMIT 1) AS w
        WHERE c.plan_id = p.id AND c.stage = waiting AND (c.region BETWEEN r.place AND r.high) IS TRUE AND w.began_on <= day
          AND CASE WHEN wanted IS NULL THEN c.eligible OR waiting = 'approved' ELSE c.id = ANY (wanted) END
          AND NOT EXISTS (SELECT FROM notice_case l JOIN notice n ON n.plan_region = l.plan_region AND n.id = l.notice_id
                          WHERE l.plan_region = c.plan_region AND l.case_id = c.id AND l.case_version >= w.version AND n.cancelled_at IS NULL)
        LIMIT 5001) AS c;
    unfit := ARRAY(SELECT w::text FROM unnest(wanted) AS w WHERE w <> ALL (coalesce(fit, '{}')));
    verdict := CASE
        WHEN unfit <> '{}' THEN 'notice_case_unfit'
        WHEN fit IS NULL THEN 'notice_empty'
        WHEN cardinality(fit) > 5000 THEN 'notice_too_large' END;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO notice (plan_region, id, plan_id, region, before, starts_on, ends_on, cases, account_id)
    VALUES (p.region, id_in(p.region, 'notice_number'), p.id, r.place, p.notice_before, day, day + days - 1, cardinality(fit), scope_account())
    RETURNING * INTO made;
    INSERT INTO notice_case (plan_region, notice_id, number, case_id, case_version, region, householder, village, category, level)
    SELECT c.plan_region, made.id, f.number, c.id, c.version, c.region, c.householder, c.village, m.category, m.level
    FROM unnest(fit) WITH ORDINALITY AS f (id, number)
    CROSS JOIN LATERAL (SELECT * FROM retrofit_case w WHERE w.plan_region = p.region AND w.id = f.id OFFSET 0) AS c -- one by one
    LEFT JOIN LATERAL (SELECT q.category, q.level FROM person q WHERE q.plan_region = c.plan_region AND q.household_id = c.household_id
                        ORDER BY q.level, q.id LIMIT 1) AS m ON true;
END $$;

-- The household was done already in the plan, under another number: by which case.
CREATE TABLE case_repeat (
    plan_region  int NOT NULL,
    household_id bigint NOT NULL,
    plan_id      smallint NOT NULL REFERENCES plan,
    done_as      bigint NOT NULL,
    account_id   bigint NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, household_id, plan_id),
    FOREIGN KEY (plan_region, household_id) REFERENCES household,
    FOREIGN KEY (plan_region, done_as) REFERENCES retrofit_case
);
GRANT SELECT, INSERT, DELETE ON case_repeat TO tantu_app;
GRANT UPDATE (done_as, account_id, at) ON case_repeat TO tantu_app;
ALTER TABLE case_repeat ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON case_repeat USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM household h WHERE h.plan_region = case_repeat.plan_region AND h.id = case_repeat.household_id));

-- What eligibility asks, by the name that a reason has; with no_ before it, it is one against.
CREATE TABLE eligibility_criterion (
    code     text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    name_zh  text NOT NULL,
    name_ko  text NOT NULL,
    name_en  text NOT NULL
);
INSERT INTO eligibility_criterion VALUES
    ('retrofit_need', 1, '有无障碍改造需求', '무장애 개조 수요가 있음', 'There is a retrofit need'),
    ('severe_member', 2, '家庭成员有一级或二级残疾人', '1급 또는 2급 장애인이 있음', 'A member of level one or two'),
    ('hardship', 3, '经济困难（低保、低保边缘、特困、防返贫监测）', '생활이 어려움', 'In hardship'),
    ('second_retrofit', 4, '未享受居家适老化改造', '노인 친화 개조를 받지 않음', 'No elder-friendly retrofit before'),
    ('repeat_in_plan', 5, '未在本计划内改造过', '이 계획에서 개조한 적 없음', 'Not done before in this plan'),
    ('upheld_objection', 6, '公示无成立的异议', '인용된 이의가 없음', 'No objection was upheld');
GRANT SELECT ON eligibility_criterion TO tantu_app;

-- As in 0007; that it was done already, or an objection that was upheld, stands against the household whenever it is judged again.
CREATE OR REPLACE VIEW household_standing WITH (security_invoker = true) AS
SELECT p.id AS plan_id, h.plan_region, h.id AS household_id, h.number, h.region, h.village, m.householder, m.registered_at,
       n.retrofit_need,
       n.retrofit_need AND (m.severe OR NOT e.needs_severe) AND (d.poor OR NOT e.needs_hardship) AND NOT h.elder_retrofit
           AND NOT x.repeats AND NOT o.upheld AS eligible,
       array_remove(ARRAY[
           CASE WHEN n.retrofit_need THEN 'retrofit_need' ELSE 'no_retrofit_need' END,
           CASE WHEN e.needs_severe THEN CASE WHEN m.severe THEN 'severe_member' ELSE 'no_severe_member' END END,
           CASE WHEN e.needs_hardship THEN CASE WHEN d.poor THEN 'hardship' ELSE 'no_hardship' END END,
           CASE WHEN h.elder_retrofit THEN 'no_second_retrofit' END,
           CASE WHEN x.repeats THEN 'no_repeat_in_plan' END,
           CASE WHEN o.upheld THEN 'no_upheld_objection' END], NULL) AS reasons
FROM household h
CROSS JOIN plan p
JOIN eligibility_rule e ON e.code = p.eligibility
CROSS JOIN LATERAL (SELECT coalesce((SELECT w.poor FROM hardship w WHERE w.name = h.hardship), false) AS poor) AS d
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(q.level <= 2), false) AS severe,
           coalesce((array_agg(left(q.name, 1) || repeat('*', greatest(length(q.name) - 1, 1)) ORDER BY (q.relation = '户主') DESC, q.id))[1], '*') AS householder,
           least(coalesce(min(q.registered_on)::timestamp AT TIME ZONE 'Asia/Shanghai', now()), now()) AS registered_at
    FROM person q WHERE q.plan_region = h.plan_region AND q.household_id = h.id) AS m
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM need w WHERE w.plan_region = h.plan_region AND w.household_id = h.id AND w.kind = 'retrofit'
                   AND w.state <> 'dropped') AS retrofit_need) AS n
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM objection w WHERE w.plan_region = h.plan_region AND w.household_id = h.id AND w.plan_id = p.id
                   AND w.state = 'upheld') AS upheld) AS o
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM case_repeat w WHERE w.plan_region = h.plan_region AND w.household_id = h.id AND w.plan_id = p.id) AS repeats) AS x;

-- A manager's exception: an approval of a case that is not eligible. (Who it is, when, and why, beside what was against it.)
CREATE SEQUENCE exception_number;
CREATE TABLE case_exception (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'exception_number')
    plan_id      smallint NOT NULL,
    case_id      bigint NOT NULL,
    case_version int NOT NULL, -- of the approval's event
    reasons      text[] NOT NULL, -- of the case then; a no_ is one against
    note         text NOT NULL,
    account_id   bigint,
    at           timestamptz NOT NULL DEFAULT now(),
    taken_back_at timestamptz,
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, case_id, case_version),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case
);
CREATE INDEX case_exception_by_plan ON case_exception (plan_id, id);
GRANT SELECT ON case_exception TO tantu_app;
ALTER TABLE case_exception ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON case_exception FOR SELECT USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_exception.plan_region AND c.id = case_exception.case_id));
INSERT INTO case_exception (plan_region, id, plan_id, case_id, case_version, reasons, note, account_id, at) -- those that were notes
SELECT c.plan_region, id_in(c.plan_region, 'exception_number'), c.plan_id, c.id, e.version, c.eligibility_reasons, c.exception_note,
       e.account_id, e.recorded_at
FROM retrofit_case c CROSS JOIN LATERAL (
    SELECT e.* FROM case_event e WHERE e.plan_region = c.plan_region AND e.case_id = c.id AND e.to_stage = 'approved' AND e.kind = 'move'
    ORDER BY e.version DESC LIMIT 1) AS e
WHERE c.exception_note IS NOT NULL;
