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
