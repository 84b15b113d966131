-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The loop: return, disinfection, inspection, repair, recycling. What may follow what stands in 0031; here are the facts that an
-- event needs behind it, and what an installation asks of them: least times of a disinfection, the points of an inspection.

-- How something came back; the event is the return itself.
CREATE TABLE device_return (
    plan_region int NOT NULL,
    item_id     bigint NOT NULL,
    version     int NOT NULL, -- of the item, after it
    handover_id bigint, -- NULL: what was lost is found
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region,
    condition   text NOT NULL CHECK (condition IN ('good', 'worn', 'damaged', 'incomplete')),
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (plan_region, item_id, version),
    FOREIGN KEY (plan_region, item_id, version) REFERENCES device_event
);

-- What an installation disinfects with, and how long that must work at least.
CREATE TABLE disinfection_method (
    method     text NOT NULL CHECK (method ~ '^[a-z][a-z0-9_]{0,31}$'),
    agent      text NOT NULL CHECK (agent ~ '^[a-z][a-z0-9_]{0,31}$'),
    name_zh    text NOT NULL,
    name_ko    text NOT NULL,
    name_en    text NOT NULL,
    minutes    int NOT NULL CHECK (minutes BETWEEN 0 AND 1440),
    source     text NOT NULL DEFAULT '', -- who says so
    retired_at timestamptz,
    version    int NOT NULL DEFAULT 1,
    PRIMARY KEY (method, agent)
);
INSERT INTO disinfection_method (method, agent, name_zh, name_ko, name_en, minutes, source) VALUES
    ('wipe', 'alcohol_75', '75% 乙醇擦拭两遍', '75% 에탄올로 두 번 닦기', 'Wipe twice with 75 % ethanol', 3, '消毒剂使用指南（国卫办监督函〔2020〕147号）'),
    ('wipe', 'chlorine_500', '含氯消毒剂 500 mg/L 擦拭', '염소계 소독제 500 mg/L로 닦기', 'Wipe with chlorine, 500 mg/L', 30, 'WS/T 367—2012'),
    ('soak', 'chlorine_500', '含氯消毒剂 500 mg/L 浸泡', '염소계 소독제 500 mg/L에 담그기', 'Soak in chlorine, 500 mg/L', 30, 'WS/T 367—2012'),
    ('wipe', 'quaternary_1000', '季铵盐 1000 mg/L 擦拭', '4급 암모늄 1000 mg/L로 닦기', 'Wipe with quaternary ammonium, 1000 mg/L', 15, 'WS/T 367—2012'),
    ('wipe', 'peroxide_3', '3% 过氧化氢擦拭', '3% 과산화수소로 닦기', 'Wipe with 3 % hydrogen peroxide', 30, 'WS/T 367—2012'),
    ('heat', 'water_80', '80 ℃ 热水清洗', '80 ℃ 온수 세척', 'Wash at 80 °C', 10, 'WS/T 367—2012 (A0 = 600)'),
    ('irradiate', 'ultraviolet', '紫外线照射', '자외선 조사', 'Ultraviolet light', 30, 'WS/T 367—2012'),
    ('fumigate', 'ozone_60', '臭氧 60 mg/m³ 密闭熏蒸', '오존 60 mg/m³ 밀폐 훈증', 'Ozone in a closed chamber, 60 mg/m³', 60, 'WS/T 367—2012');
ALTER TABLE device_disinfection ADD COLUMN least_minutes int NOT NULL DEFAULT 0; -- as it was asked then
CREATE INDEX device_disinfection_by_centre ON device_disinfection (centre_id, id);
CREATE INDEX device_disinfection_running ON device_disinfection (centre_id, id) WHERE ended_at IS NULL;

-- The points of an inspection, by kind of device ('default': of every kind without its own). Each change is a new version.
CREATE TABLE device_checklist (
    measure    text NOT NULL,
    version    int NOT NULL,
    points     json NOT NULL, -- [{code, name_zh, name_ko, name_en, essential}]
    account_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (measure, version)
);
INSERT INTO device_checklist (measure, version, points) VALUES ('default', 1, '[
    {"code": "clean", "name_zh": "清洁，无异味、污渍", "name_ko": "깨끗하고 냄새와 얼룩이 없음", "name_en": "Clean, without smell or stains", "essential": true},
    {"code": "structure", "name_zh": "结构完好，无裂纹、变形、松动", "name_ko": "구조가 온전하고 금, 변형, 풀림이 없음", "name_en": "Structure sound: no cracks, nothing bent or loose", "essential": true},
    {"code": "edges", "name_zh": "无锐边、毛刺、外露尖物", "name_ko": "날카로운 모서리나 돌출물이 없음", "name_en": "No sharp edges or points", "essential": true},
    {"code": "function", "name_zh": "功能正常", "name_ko": "기능이 정상임", "name_en": "Works as it should", "essential": true},
    {"code": "complete", "name_zh": "配件、说明书齐全", "name_ko": "부속품과 설명서가 갖추어짐", "name_en": "Accessories and instructions are there", "essential": false},
    {"code": "label", "name_zh": "标签清晰可扫", "name_ko": "라벨이 선명하고 스캔됨", "name_en": "The label can be scanned", "essential": false}]'),
('manual_wheelchair', 1, '[
    {"code": "clean", "name_zh": "清洁，无异味、污渍", "name_ko": "깨끗하고 냄새와 얼룩이 없음", "name_en": "Clean, without smell or stains", "essential": true},
    {"code": "frame", "name_zh": "车架无裂纹、变形，折叠顺畅", "name_ko": "프레임에 금이나 변형이 없고 잘 접힘", "name_en": "Frame: no cracks, not bent, folds smoothly", "essential": true},
    {"code": "brakes", "name_zh": "两侧驻车制动可靠", "name_ko": "양쪽 브레이크가 확실히 작동함", "name_en": "Both brakes hold", "essential": true},
    {"code": "wheels", "name_zh": "车轮、手轮、脚轮转动灵活，轮胎完好", "name_ko": "바퀴와 핸드림, 캐스터가 잘 돌고 타이어가 온전함", "name_en": "Wheels, hand rims and casters run freely, tyres sound", "essential": true},
    {"code": "footrests", "name_zh": "脚踏板、扶手固定可靠", "name_ko": "발판과 팔걸이가 단단히 고정됨", "name_en": "Footrests and armrests are fixed firmly", "essential": true},
    {"code": "seat", "name_zh": "座面、靠背、安全带无破损", "name_ko": "좌석, 등받이, 안전띠에 손상이 없음", "name_en": "Seat, back and belt are not torn", "essential": true},
    {"code": "label", "name_zh": "标签清晰可扫", "name_ko": "라벨이 선명하고 스캔됨", "name_en": "The label can be scanned", "essential": false}]');
ALTER TABLE device_inspection ADD COLUMN checklist_of text NOT NULL DEFAULT 'default', ADD COLUMN checklist_version int NOT NULL DEFAULT 1,
    ADD COLUMN repair_id bigint; -- which it opened
CREATE INDEX device_inspection_by_centre ON device_inspection (centre_id, id);
CREATE INDEX device_repair_by_centre ON device_repair (centre_id, id);
CREATE INDEX device_repair_running ON device_repair (centre_id, id) WHERE ended_at IS NULL;
CREATE INDEX device_recycling_by_centre ON device_recycling (centre_id, id);

-- Numbers of certificates: of a centre and a year, without gaps.
CREATE TABLE device_certificate (
    centre_id bigint NOT NULL REFERENCES centre,
    region    int NOT NULL REFERENCES region,
    year      int NOT NULL,
    last      int NOT NULL,
    PRIMARY KEY (centre_id, year)
);

-- --- what all of them answer ---

CREATE FUNCTION device_brief(i device_item) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN i.id IS NOT NULL THEN json_build_object('id', i.id, 'code', i.code, 'model', i.model, 'serial', i.serial,
        'centre', (SELECT c.code FROM centre c WHERE c.id = i.centre_id), 'state', i.state, 'grade', i.grade, 'recall', i.recall_id,
        'version', i.version) END $$;

-- What the loop waits for; NULL: nothing of its own.
CREATE FUNCTION device_next(i device_item) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE i.state WHEN 'returned' THEN 'disinfect' WHEN 'disinfecting' THEN 'end_disinfection' WHEN 'recalled' THEN 'resolve_recall'
        WHEN 'inspecting' THEN CASE WHEN EXISTS (SELECT FROM device_inspection s WHERE s.plan_region = i.plan_region AND s.item_id = i.id
            AND s.item_version = i.version AND s.result = 'recycle') THEN 'recycle' ELSE 'inspect' END
        WHEN 'repairing' THEN CASE WHEN EXISTS (SELECT FROM device_repair p WHERE p.plan_region = i.plan_region AND p.item_id = i.id
            AND p.ended_at IS NULL) THEN 'end_repair' ELSE 'recycle' END END $$;

CREATE FUNCTION id_named(wanted text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN wanted ~ '^[0-9]{16}$' THEN wanted::bigint END $$;
-- As device_item_locked, without the lock.
CREATE FUNCTION device_found(wanted text) RETURNS device_item LANGUAGE sql STABLE AS $$
    SELECT d FROM device_item d WHERE d.code = wanted
    UNION ALL SELECT d FROM device_item d WHERE d.plan_region = plan_region_of(id_named(wanted)) AND d.id = id_named(wanted)
    LIMIT 1 $$;

-- As device_refusal, before there is a proof: it is made by who asks.
CREATE FUNCTION device_barred(i device_item, action text, happened timestamptz, said text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(device_refusal(i, action, happened, said, NULL, NULL), 'device_unproved') $$;

CREATE TYPE device_return_answer AS (
    _verdict text, _field text, item json, handover json, condition text, note text, next text, allowed text[], version int);
CREATE FUNCTION device_return_shown(i device_item, h handover, verdict text, field text, cond text, said text) RETURNS device_return_answer
LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, device_brief(i), CASE WHEN h.id IS NOT NULL THEN json_build_object('id', h.id, 'kind', h.kind, 'request', h.request_id,
            'holder', (SELECT left(x.name, 1) || repeat('*', length(x.name) - 1) FROM (SELECT coalesce(
                (SELECT p.name FROM person p WHERE p.plan_region = h.plan_region AND p.id = h.person_id), h.borrower) AS name) AS x),
            'happened_at', h.happened_at, 'due_at', h.due_at, 'ended_at', h.ended_at, 'to_close', h.kind = 'rental' AND h.ended IS NOT NULL AND h.closed_at IS NULL) END,
        cond, coalesce(said, ''), device_next(i), device_allowed(i), i.version)::device_return_answer $$;

-- A scan: whatever hand-over the item is out by has ended; what was lost is found.
CREATE FUNCTION device_return(wanted text, cond text, said text, happened timestamptz) RETURNS device_return_answer LANGUAGE plpgsql AS $$
DECLARE
    i device_item;
    h handover;
    verdict text;
    asked bigint;
    at timestamptz := coalesce(happened, now());
BEGIN
    -- The request is locked first: a fitting that is undone gives it back.
    i := device_found(wanted);
    SELECT o.request_id INTO asked FROM handover o WHERE o.plan_region = i.plan_region AND o.id = i.handover_id;
    PERFORM FROM device_request r WHERE asked IS NOT NULL AND r.plan_region = plan_region_of(asked) AND r.id = asked FOR NO KEY UPDATE;
    i := device_item_locked(wanted);
    SELECT * INTO h FROM handover o WHERE o.plan_region = i.plan_region AND o.item_id = i.id
        AND CASE i.state WHEN 'lost' THEN o.id = (device_last(i, 'lose')).handover_id AND (o.kind <> 'rental' OR o.closed_at IS NULL)
            ELSE o.id = i.handover_id END
    ORDER BY o.id DESC LIMIT 1 FOR NO KEY UPDATE;
    verdict := CASE WHEN i.id IS NULL THEN 'not_found'
        WHEN i.state NOT IN ('lent', 'fitted', 'lost') THEN 'device_not_out'
        WHEN h.id IS NULL THEN device_barred(i, 'find', at, coalesce(said, cond))
        ELSE handover_end_refusal(h, i, 'returned', at, said) END;
    IF verdict IS NULL THEN
        IF h.id IS NULL THEN
            i := device_do(i, 'find', at, coalesce(said, cond), NULL, NULL);
        ELSE
            UPDATE handover o SET ended = 'returned', ended_at = at WHERE o.plan_region = h.plan_region AND o.id = h.id RETURNING * INTO h;
            UPDATE rental k SET condition = cond, return_note = coalesce(said, '') WHERE h.kind = 'rental' AND k.plan_region = h.plan_region AND k.handover_id = h.id;
            SELECT * INTO i FROM device_item d WHERE d.plan_region = i.plan_region AND d.id = i.id;
        END IF;
        INSERT INTO device_return (plan_region, item_id, version, handover_id, centre_id, region, condition, note)
        VALUES (i.plan_region, i.id, i.version, h.id, i.centre_id, i.region, cond, coalesce(said, ''));
    END IF;
    RETURN device_return_shown(i, h, verdict, '/happened_at', cond, said);
END $$;

-- Who scanned a return by mistake takes it back while nothing else has happened to the item.
CREATE FUNCTION device_unreturn(wanted text) RETURNS device_return_answer LANGUAGE plpgsql AS $$
DECLARE
    i device_item;
    h handover;
    e device_event;
    r device_request;
    verdict text;
BEGIN
    i := device_found(wanted);
    SELECT q.* INTO r FROM device_event v JOIN handover o ON o.plan_region = v.plan_region AND o.id = v.handover_id
        JOIN device_request q ON q.plan_region = o.plan_region AND q.id = o.request_id
    WHERE v.plan_region = i.plan_region AND v.item_id = i.id AND v.version = i.version FOR NO KEY UPDATE OF q;
    i := device_item_locked(wanted);
    SELECT * INTO e FROM device_event v WHERE v.plan_region = i.plan_region AND v.item_id = i.id AND v.version = i.version;
    SELECT * INTO h FROM handover o WHERE o.plan_region = e.plan_region AND o.id = e.handover_id FOR NO KEY UPDATE;
    verdict := CASE WHEN i.id IS NULL THEN 'not_found'
        WHEN e.action <> 'return' OR e.from_state = 'lost' OR h.ended IS DISTINCT FROM 'returned' THEN 'nothing_to_take_back'
        WHEN e.account_id <> scope_account() THEN 'not_your_action'
        WHEN h.kind = 'rental' AND h.closed_at IS NOT NULL THEN 'handover_over'
        WHEN h.kind = 'fitting' AND NOT fitting_undone(h) AND service_life_barred(r, china_date(now())) IS NOT NULL THEN 'within_service_life'
        WHEN fitting_undone(h) AND (r.id IS DISTINCT FROM h.request_id OR r.state <> 'assessed') THEN 'request_not_assessed'
        ELSE device_barred(i, 'unreturn', greatest(now(), h.ended_at), NULL) END;
    IF verdict IS NULL THEN
        UPDATE handover o SET ended = NULL, ended_at = NULL WHERE o.plan_region = h.plan_region AND o.id = h.id RETURNING * INTO h;
        SELECT * INTO i FROM device_item d WHERE d.plan_region = i.plan_region AND d.id = i.id;
    END IF;
    RETURN device_return_shown(i, h, verdict, '/item', NULL, NULL);
END $$;

-- --- disinfection ---

-- The items that a list of scans names, whoever may see them; NULL id: nobody knows it.
CREATE FUNCTION devices_named(items json) RETURNS TABLE (name text, plan_region int, id bigint) LANGUAGE sql STABLE AS $$
    SELECT g.item, coalesce(a.plan_region, b.plan_region), coalesce(a.id, b.id)
    FROM (SELECT DISTINCT x.item FROM json_to_recordset(items) AS x (item text)) AS g
    LEFT JOIN device_item a ON a.code = g.item
    LEFT JOIN device_item b ON a.id IS NULL AND b.plan_region = plan_region_of(id_named(g.item)) AND b.id = id_named(g.item) $$;

CREATE TYPE disinfection_answer AS (
    _verdict text, _field text, _items json, _least_minutes int, id bigint, centre text, method text, agent text, least_minutes int,
    began_at timestamptz, ended_at timestamptz, items json, note text, account bigint, version int);

-- Where each item of a batch stands: running, done, failed (and why), left (lost meanwhile).
CREATE FUNCTION disinfection_items(d device_disinfection) RETURNS TABLE (item_id bigint, began_at timestamptz, outcome text, reason text)
LANGUAGE sql STABLE AS $$
    SELECT b.item_id, b.happened_at, CASE a.action WHEN 'disinfected' THEN 'done' WHEN 'soil' THEN 'failed' ELSE
            CASE WHEN a.version IS NULL THEN 'running' ELSE 'left' END END, nullif(a.note, '')
    FROM device_event b LEFT JOIN LATERAL (
        SELECT e.action, e.note, e.version FROM device_event e WHERE e.plan_region = b.plan_region AND e.item_id = b.item_id AND e.version > b.version
          AND e.from_state = 'disinfecting' AND e.to_state <> 'disinfecting' ORDER BY e.version LIMIT 1) AS a ON true
    WHERE b.plan_region = d.plan_region AND b.reference = d.id AND b.action = 'disinfect' $$;

CREATE FUNCTION disinfection_shown(d device_disinfection, verdict text, field text, refused json) RETURNS disinfection_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, refused, CASE verdict WHEN 'disinfection_too_short' THEN d.least_minutes END, d.id,
        (SELECT c.code FROM centre c WHERE c.id = d.centre_id), d.method, d.agent, d.least_minutes, d.began_at, d.ended_at,
        (SELECT coalesce(json_agg(json_build_object('item', i.id, 'code', i.code, 'model', i.model, 'state', i.state, 'began_at', x.began_at,
                'outcome', x.outcome, 'reason', x.reason) ORDER BY i.id), '[]')
         FROM disinfection_items(d) AS x JOIN device_item i ON i.plan_region = d.plan_region AND i.id = x.item_id),
        d.note, d.account_id, d.version)::disinfection_answer $$;

-- Locks the items named in the order of their ids; answers those that may not be disinfected in `d`, each with its reason.
CREATE FUNCTION disinfection_refused(d device_disinfection, items json, at timestamptz) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    refused json;
BEGIN
    PERFORM FROM device_item i JOIN devices_named(items) AS n ON n.plan_region = i.plan_region AND n.id = i.id ORDER BY i.plan_region, i.id FOR NO KEY UPDATE OF i;
    SELECT json_agg(json_build_object('item', x.name, 'code', x.code, 'state', x.state) ORDER BY x.name) INTO refused FROM (
        SELECT n.name, i.state, CASE WHEN i.id IS NULL THEN 'not_found'
            WHEN d.centre_id <> i.centre_id THEN 'device_of_another_centre'
            ELSE device_barred(i, 'disinfect', at, NULL) END AS code
        FROM devices_named(items) AS n LEFT JOIN device_item i ON i.plan_region = n.plan_region AND i.id = n.id) AS x WHERE x.code IS NOT NULL;
    RETURN refused;
END $$;
CREATE FUNCTION disinfection_put_in(d device_disinfection, items json, at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO device_event (plan_region, item_id, action, happened_at, reference)
    SELECT DISTINCT n.plan_region, n.id, 'disinfect', at, d.id FROM devices_named(items) AS n $$;

-- Why a batch may not be over at `ended`; NULL: it may. began: of what was put in last and is to be disinfected by it; NULL: nothing is.
CREATE FUNCTION disinfection_end_refusal(d device_disinfection, began timestamptz, ended timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN ended > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN ended < d.began_at THEN 'ended_before_begin'
        WHEN ended < began + make_interval(mins => d.least_minutes) THEN 'disinfection_too_short' END AS verdict $$;

CREATE FUNCTION disinfection_begin(items json, how text, what text, began timestamptz, ended timestamptz, said text) RETURNS disinfection_answer
LANGUAGE plpgsql AS $$
DECLARE
    d device_disinfection;
    m disinfection_method;
    place device_item;
    refused json;
    verdict text;
BEGIN
    SELECT * INTO m FROM disinfection_method x WHERE x.method = how AND x.agent = what AND x.retired_at IS NULL;
    SELECT i.* INTO place FROM devices_named(items) AS n JOIN device_item i ON i.plan_region = n.plan_region AND i.id = n.id ORDER BY i.id LIMIT 1;
    d.plan_region := place.plan_region;
    d.centre_id := place.centre_id;
    d.region := place.region;
    d.method := how;
    d.agent := what;
    d.began_at := coalesce(began, now());
    d.ended_at := ended;
    d.least_minutes := m.minutes;
    verdict := CASE WHEN json_array_length(items) = 0 THEN 'list_empty'
        WHEN m.method IS NULL THEN 'method_unknown'
        WHEN d.began_at > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN ended IS NOT NULL THEN disinfection_end_refusal(d, d.began_at, ended) END;
    IF verdict IS NULL THEN
        refused := disinfection_refused(d, items, d.began_at);
        verdict := CASE WHEN refused IS NOT NULL THEN 'items_refused' END;
    END IF;
    IF verdict IS NULL THEN
        INSERT INTO device_disinfection (plan_region, id, centre_id, region, method, agent, least_minutes, began_at, ended_at, account_id, note)
        VALUES (d.plan_region, id_in(d.plan_region, 'device_fact_number'), d.centre_id, d.region, how, what, d.least_minutes, d.began_at, ended,
            scope_account(), coalesce(said, '')) RETURNING * INTO d;
        PERFORM disinfection_put_in(d, items, d.began_at);
        IF ended IS NOT NULL THEN
            INSERT INTO device_event (plan_region, item_id, action, happened_at, reference)
            SELECT DISTINCT n.plan_region, n.id, 'disinfected', ended, d.id FROM devices_named(items) AS n;
        END IF;
    END IF;
    RETURN disinfection_shown(d, verdict, CASE verdict WHEN 'list_empty' THEN '/items' WHEN 'happened_in_future' THEN CASE WHEN d.began_at > now() THEN '/began_at' ELSE '/ended_at' END END, refused);
END $$;

CREATE FUNCTION disinfection_locked(wanted bigint) RETURNS device_disinfection LANGUAGE sql AS $$
    SELECT d FROM device_disinfection d WHERE d.plan_region = plan_region_of(wanted) AND d.id = wanted FOR NO KEY UPDATE $$;

CREATE FUNCTION disinfection_add(wanted bigint, items json, happened timestamptz) RETURNS disinfection_answer LANGUAGE plpgsql AS $$
DECLARE
    d device_disinfection := disinfection_locked(wanted);
    at timestamptz := coalesce(happened, now());
    refused json;
    verdict text;
BEGIN
    verdict := CASE WHEN d.id IS NULL THEN 'not_found'
        WHEN d.ended_at IS NOT NULL THEN 'disinfection_over'
        WHEN json_array_length(items) = 0 THEN 'list_empty'
        WHEN at > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN at < d.began_at THEN 'happened_before_last' END;
    IF verdict IS NULL THEN
        refused := disinfection_refused(d, items, at);
        verdict := CASE WHEN refused IS NOT NULL THEN 'items_refused' END;
    END IF;
    IF verdict IS NULL THEN
        PERFORM disinfection_put_in(d, items, at);
        UPDATE device_disinfection x SET version = x.version + 1 WHERE x.plan_region = d.plan_region AND x.id = d.id RETURNING * INTO d;
    END IF;
    RETURN disinfection_shown(d, verdict, CASE verdict WHEN 'list_empty' THEN '/items' END, refused);
END $$;

-- failed: [{item, reason}], which are to be disinfected again. Each item must have been in it for the least time.
CREATE FUNCTION disinfection_end(wanted bigint, if_match int, ended timestamptz, failed json, said text) RETURNS disinfection_answer LANGUAGE plpgsql AS $$
DECLARE
    d device_disinfection := disinfection_locked(wanted);
    at timestamptz := coalesce(ended, now());
    bad json := coalesce(failed, '[]');
    refused json;
    verdict text;
BEGIN
    PERFORM FROM device_item i WHERE i.plan_region = d.plan_region AND i.id IN (SELECT x.item_id FROM disinfection_items(d) AS x WHERE x.outcome = 'running')
    ORDER BY i.id FOR NO KEY UPDATE;
    SELECT json_agg(json_build_object('item', n.name, 'code', 'not_in_batch', 'state', NULL) ORDER BY n.name) INTO refused FROM devices_named(bad) AS n
    WHERE n.id IS NULL OR n.id NOT IN (SELECT x.item_id FROM disinfection_items(d) AS x WHERE x.outcome = 'running');
    verdict := CASE WHEN d.id IS NULL THEN 'not_found'
        WHEN if_match <> d.version THEN 'stale'
        WHEN d.ended_at IS NOT NULL THEN 'disinfection_over'
        WHEN refused IS NOT NULL THEN 'items_refused'
        ELSE disinfection_end_refusal(d, (SELECT max(x.began_at) FROM disinfection_items(d) AS x WHERE x.outcome = 'running'
            AND x.item_id NOT IN (SELECT n.id FROM devices_named(bad) AS n)), at) END;
    IF verdict IS NULL THEN
        UPDATE device_disinfection x SET ended_at = at, note = coalesce(said, x.note), version = x.version + 1
        WHERE x.plan_region = d.plan_region AND x.id = d.id RETURNING * INTO d;
        INSERT INTO device_event (plan_region, item_id, action, happened_at, reference, note)
        SELECT d.plan_region, x.item_id, CASE WHEN f.id IS NULL THEN 'disinfected' ELSE 'soil' END, at, d.id, coalesce(f.reason, '')
        FROM disinfection_items(d) AS x LEFT JOIN (SELECT n.id, max(r.reason) AS reason FROM devices_named(bad) AS n
            JOIN json_to_recordset(bad) AS r (item text, reason text) ON r.item = n.name GROUP BY n.id) AS f ON f.id = x.item_id
        WHERE x.outcome = 'running' ORDER BY x.item_id;
    END IF;
    RETURN disinfection_shown(d, verdict, '/ended_at', refused);
END $$;

-- --- inspection ---

-- The points that are asked of a kind of device now.
CREATE FUNCTION device_checklist_of(kind text) RETURNS device_checklist LANGUAGE sql STABLE AS $$
    SELECT c FROM device_checklist c WHERE c.measure IN (kind, 'default') ORDER BY c.measure = kind DESC, c.version DESC LIMIT 1 $$;

-- What was asked, with what was found: every point of the list once. all_ok: points that are not named are in order.
CREATE FUNCTION device_checked(c device_checklist, given json, all_ok boolean) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_agg(json_build_object('code', p.code, 'name_zh', p.name_zh, 'name_ko', p.name_ko, 'name_en', p.name_en, 'essential', p.essential,
        'ok', coalesce(g.ok, CASE WHEN all_ok THEN true END), 'note', coalesce(g.note, '')) ORDER BY p.number)
    FROM ROWS FROM (json_to_recordset(c.points) AS (code text, name_zh text, name_ko text, name_en text, essential boolean)) WITH ORDINALITY
        AS p (code, name_zh, name_ko, name_en, essential, number)
    LEFT JOIN (SELECT x.code, bool_and(x.ok) AS ok, string_agg(x.note, E'\n') AS note
        FROM json_to_recordset(given) AS x (code text, ok boolean, note text) GROUP BY x.code) AS g ON g.code = p.code $$;
CREATE FUNCTION device_points(checked json, what text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(p.code) FROM json_to_recordset(checked) AS p (code text, essential boolean, ok boolean)
    WHERE CASE what WHEN 'missing' THEN p.ok IS NULL WHEN 'essential' THEN p.essential AND NOT p.ok ELSE NOT p.ok END $$;

CREATE TYPE device_inspection_answer AS (
    _verdict text, _field text, _points text[], id bigint, item json, checklist_of text, checklist_version int, checklist json, grade text, result text,
    note text, happened_at timestamptz, repair bigint, next text, allowed text[]);

CREATE FUNCTION device_in_warranty(i device_item, day date) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (i.warranty_until >= day) IS TRUE OR EXISTS (SELECT FROM device_repair p WHERE p.plan_region = i.plan_region AND p.item_id = i.id
        AND p.outcome = 'mended' AND p.warranty_until >= day) $$;

CREATE FUNCTION device_repair_opens(i device_item, what text, warranty boolean, who text, began timestamptz, said text) RETURNS device_repair
LANGUAGE sql AS $$
    INSERT INTO device_repair (plan_region, id, item_id, handover_id, centre_id, region, fault, in_warranty, began_at, repairer, account_id, note)
    VALUES (i.plan_region, id_in(i.plan_region, 'device_fact_number'), i.id, i.handover_id, i.centre_id, i.region, what,
        coalesce(warranty, device_in_warranty(i, china_date(began))), began, coalesce(who, ''), scope_account(), coalesce(said, '')) RETURNING * $$;
CREATE FUNCTION device_repair_runs(i device_item) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM device_repair p WHERE p.plan_region = i.plan_region AND p.item_id = i.id AND p.ended_at IS NULL) $$;

CREATE FUNCTION device_inspect(wanted text, given json, all_ok boolean, mark text, what text, said text, happened timestamptz)
RETURNS device_inspection_answer LANGUAGE plpgsql AS $$
DECLARE
    i device_item := device_item_locked(wanted);
    c device_checklist := device_checklist_of((SELECT m.measure FROM device_model m WHERE m.code = i.model));
    s device_inspection;
    p device_repair;
    checked json := device_checked(c, coalesce(given, '[]'), all_ok);
    faults text[] := device_points(checked, 'failed');
    at timestamptz := coalesce(happened, now());
    verdict text;
BEGIN
    verdict := CASE WHEN i.id IS NULL THEN 'not_found'
        WHEN i.state IN ('in_stock', 'recalled') THEN device_barred(i, 'inspect', at, said)
        ELSE device_barred(i, 'pass', at, said) END;
    IF verdict IS NULL THEN
        verdict := CASE
        WHEN EXISTS (SELECT FROM json_to_recordset(given) AS g (code text) WHERE g.code NOT IN (
            SELECT x.code FROM json_to_recordset(checked) AS x (code text))) THEN 'checklist_unknown'
        WHEN device_points(checked, 'missing') IS NOT NULL THEN 'checklist_incomplete'
        WHEN what = 'pass' AND device_points(checked, 'essential') IS NOT NULL THEN 'essential_failed'
        WHEN what = 'pass' AND mark IS NULL THEN 'grade_required'
        WHEN what <> 'pass' AND faults IS NULL AND NOT coalesce(said ~ '\S', false) THEN 'note_required'
        WHEN what = 'repair' AND device_repair_runs(i) THEN 'repair_open' END;
    END IF;
    IF verdict IS NULL THEN
        IF i.state IN ('in_stock', 'recalled') THEN
            i := device_do(i, 'inspect', at, said, NULL, NULL);
        END IF;
        IF what = 'repair' THEN
            p := device_repair_opens(i, coalesce(nullif(said, ''), (SELECT string_agg(x.name_zh || CASE WHEN x.note <> '' THEN '：' || x.note ELSE '' END, '；')
                FROM json_to_recordset(checked) AS x (name_zh text, ok boolean, note text) WHERE NOT x.ok)), NULL, NULL, at, NULL);
        END IF;
        INSERT INTO device_inspection (plan_region, id, item_id, item_version, centre_id, region, happened_at, checklist, checklist_of,
            checklist_version, grade, result, repair_id, account_id, note)
        VALUES (i.plan_region, id_in(i.plan_region, 'device_fact_number'), i.id, i.version, i.centre_id, i.region, at, checked, c.measure,
            c.version, mark, what, p.id, scope_account(), coalesce(said, '')) RETURNING * INTO s;
        IF what = 'pass' THEN
            i := device_do(i, 'pass', at, said, s.id, NULL);
        ELSIF what = 'repair' THEN
            i := device_do(i, 'repair', at, said, p.id, NULL);
        END IF;
    END IF;
    RETURN (verdict, CASE verdict WHEN 'note_required' THEN '/note' WHEN 'checklist_incomplete' THEN '/checklist' ELSE '/happened_at' END,
        CASE verdict WHEN 'checklist_incomplete' THEN device_points(checked, 'missing') WHEN 'essential_failed' THEN device_points(checked, 'essential') END,
        s.id, device_brief(i), c.measure, c.version, checked, s.grade, s.result, s.note, s.happened_at, s.repair_id, device_next(i),
        device_allowed(i))::device_inspection_answer;
END $$;

-- --- repair ---

CREATE TYPE device_repair_answer AS (
    _verdict text, _field text, id bigint, item json, handover bigint, fault text, in_warranty boolean, began_at timestamptz, ended_at timestamptz,
    outcome text, repairer text, parts json, labour bigint, cost bigint, warranty_until date, note text, account bigint, next text, version int);
CREATE FUNCTION device_repair_shown(i device_item, p device_repair, verdict text, field text) RETURNS device_repair_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, p.id, device_brief(i), p.handover_id, p.fault, p.in_warranty, p.began_at, p.ended_at, p.outcome, p.repairer, p.parts,
        p.labour, p.cost, p.warranty_until, p.note, p.account_id, device_next(i), p.version)::device_repair_answer $$;

-- In the loop: from stock, from an inspection, from a recall. Of what somebody has: a service to him, who keeps it.
CREATE FUNCTION device_repair_open(wanted text, what text, warranty boolean, who text, began timestamptz, said text) RETURNS device_repair_answer
LANGUAGE plpgsql AS $$
DECLARE
    i device_item := device_item_locked(wanted);
    p device_repair;
    at timestamptz := coalesce(began, now());
    verdict text;
BEGIN
    verdict := CASE WHEN i.id IS NULL THEN 'not_found'
        WHEN device_repair_runs(i) THEN 'repair_open'
        WHEN i.handover_id IS NOT NULL THEN device_barred(i, 'serviced', at, said)
        ELSE device_barred(i, 'repair', at, said) END;
    IF verdict IS NULL THEN
        p := device_repair_opens(i, what, warranty, who, at, said);
        IF i.handover_id IS NULL THEN
            i := device_do(i, 'repair', at, what, p.id, NULL);
        END IF;
    END IF;
    RETURN device_repair_shown(i, p, verdict, '/began_at');
END $$;

-- cost: of the parts and the labour together; what is given must be that sum.
CREATE FUNCTION device_repair_end(wanted bigint, if_match int, what text, ended timestamptz, used json, work bigint, whole bigint, who text,
    until date, said text) RETURNS device_repair_answer LANGUAGE plpgsql AS $$
DECLARE
    p device_repair;
    i device_item;
    at timestamptz := coalesce(ended, now());
    parts_cost numeric := (SELECT coalesce(sum(x.cost), 0) FROM json_to_recordset(coalesce(used, '[]')) AS x (cost numeric));
    verdict text;
BEGIN
    SELECT d.* INTO i FROM device_repair r JOIN device_item d ON d.plan_region = r.plan_region AND d.id = r.item_id
    WHERE r.plan_region = plan_region_of(wanted) AND r.id = wanted FOR NO KEY UPDATE OF d;
    SELECT * INTO p FROM device_repair r WHERE r.plan_region = i.plan_region AND r.id = wanted AND r.item_id = i.id FOR NO KEY UPDATE;
    verdict := CASE WHEN p.id IS NULL THEN 'not_found'
        WHEN if_match <> p.version THEN 'stale'
        WHEN p.ended_at IS NOT NULL THEN 'repair_over'
        WHEN at > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN at < p.began_at THEN 'ended_before_begin'
        WHEN whole <> parts_cost + coalesce(work, 0) THEN 'cost_differs'
        WHEN until < china_date(at) OR (until IS NOT NULL AND what <> 'mended') THEN 'warranty_backwards'
        WHEN i.state = 'repairing' AND what = 'mended' THEN device_barred(i, 'mended', at, said)
        WHEN i.handover_id = p.handover_id THEN device_barred(i, 'serviced', at, said) END;
    IF verdict IS NULL THEN
        UPDATE device_repair r SET ended_at = at, outcome = what, parts = coalesce(used, '[]'), labour = coalesce(work, 0),
            cost = parts_cost + coalesce(work, 0), repairer = coalesce(who, r.repairer), warranty_until = until, note = coalesce(said, r.note),
            version = r.version + 1
        WHERE r.plan_region = p.plan_region AND r.id = p.id RETURNING * INTO p;
        -- (What was lost or came back meanwhile has no event of it.)
        IF i.handover_id = p.handover_id THEN
            i := device_do(i, 'serviced', at, said, p.id, NULL);
        ELSIF i.state = 'repairing' AND what = 'mended' THEN
            i := device_do(i, 'mended', at, said, p.id, NULL);
        END IF;
    END IF;
    RETURN device_repair_shown(i, p, verdict, CASE WHEN verdict IN ('happened_in_future', 'happened_before_last') THEN '/ended_at' END);
END $$;

-- --- recycling ---

-- The next number of a centre's certificates; one that somebody gave by hand is passed over.
CREATE FUNCTION device_certificate_next(place centre, of_region int, day date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    number text;
    counted int;
BEGIN
    LOOP
        INSERT INTO device_certificate AS c (centre_id, region, year, last) VALUES (place.id, place.region, extract(year FROM day)::int, 1)
        ON CONFLICT (centre_id, year) DO UPDATE SET last = c.last + 1 RETURNING c.last INTO counted;
        number := place.code || '-' || extract(year FROM day)::int || '-' || lpad(counted::text, greatest(4, length(counted::text)), '0');
        EXIT WHEN NOT device_certificate_taken(of_region, number);
    END LOOP;
    RETURN number;
END $$;
-- (Whoever gave it out, also another centre.)
CREATE FUNCTION device_certificate_taken(of_region int, number text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM device_recycling y WHERE y.plan_region = of_region AND y.certificate = number) $$;

CREATE TYPE device_recycling_answer AS (
    _verdict text, _field text, id bigint, item json, reason text, parts json, certificate text, happened_at timestamptz, note text, account bigint);
CREATE FUNCTION device_recycle(wanted text, why text, recovered json, number text, said text, happened timestamptz) RETURNS device_recycling_answer
LANGUAGE plpgsql AS $$
DECLARE
    i device_item := device_item_locked(wanted);
    y device_recycling;
    at timestamptz := coalesce(happened, now());
    verdict text;
BEGIN
    verdict := CASE WHEN i.id IS NULL THEN 'not_found' ELSE device_barred(i, 'recycle', at, said) END;
    IF verdict IS NULL THEN
        verdict := CASE WHEN why = 'other' AND NOT coalesce(said ~ '\S', false) THEN 'note_required'
        WHEN number IS NOT NULL AND device_certificate_taken(i.plan_region, number) THEN 'certificate_taken' END;
    END IF;
    IF verdict IS NULL THEN
        UPDATE device_repair p SET ended_at = greatest(at, p.began_at), outcome = 'beyond_repair', labour = 0, cost = 0, version = p.version + 1
        WHERE p.plan_region = i.plan_region AND p.item_id = i.id AND p.ended_at IS NULL;
        INSERT INTO device_recycling (plan_region, id, item_id, centre_id, region, happened_at, reason, parts, certificate, account_id, note)
        VALUES (i.plan_region, id_in(i.plan_region, 'device_fact_number'), i.id, i.centre_id, i.region, at, why, coalesce(recovered, '[]'),
            coalesce(number, device_certificate_next((SELECT c FROM centre c WHERE c.id = i.centre_id), i.plan_region, china_date(at))),
            scope_account(), coalesce(said, '')) RETURNING * INTO y;
        i := device_do(i, 'recycle', at, said, y.id, NULL);
    END IF;
    RETURN (verdict, CASE verdict WHEN 'note_required' THEN '/note' ELSE '/happened_at' END, y.id, device_brief(i), y.reason, y.parts, y.certificate,
        y.happened_at, y.note, y.account_id)::device_recycling_answer;
END $$;

GRANT SELECT, INSERT ON device_return, device_checklist TO tantu_app;
GRANT INSERT (least_minutes) ON device_disinfection TO tantu_app;
GRANT INSERT (checklist_of, checklist_version, repair_id) ON device_inspection TO tantu_app;
GRANT SELECT, INSERT, UPDATE ON disinfection_method, device_certificate TO tantu_app;
ALTER TABLE device_return ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_checklist ENABLE ROW LEVEL SECURITY;
ALTER TABLE disinfection_method ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_certificate ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_return USING (scope_has(centre_id, region));
CREATE POLICY scope ON device_certificate USING (scope_has(centre_id, region));
CREATE POLICY reading ON device_checklist FOR SELECT USING (true);
CREATE POLICY adding ON device_checklist FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY reading ON disinfection_method FOR SELECT USING (true);
CREATE POLICY adding ON disinfection_method FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY changing ON disinfection_method FOR UPDATE USING ((SELECT scope_role()) IN ('admin', 'system'));
-- An auditor reads.
CREATE POLICY adding_by_whom ON device_return AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY adding_by_whom ON device_certificate AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY changing_by_whom ON device_certificate AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK ((SELECT scope_role()) <> 'auditor');
