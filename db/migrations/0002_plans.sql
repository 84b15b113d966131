-- SPDX-License-Identifier: Apache-2.0
-- Plans, their indicators and the split of their targets. A new plan or period is a row, not code.

CREATE TABLE eligibility_rule (
    code           text PRIMARY KEY,
    needs_severe   boolean NOT NULL, -- a member of level 一级 or 二级
    needs_hardship boolean NOT NULL  -- 低保, 低保边缘, 特困 or 防返贫监测
);
INSERT INTO eligibility_rule VALUES
    ('severe_and_poor', true, true), ('poor', false, true), ('any', false, false);

CREATE TABLE hardship (
    name  text PRIMARY KEY,
    poor  boolean NOT NULL
);
INSERT INTO hardship VALUES ('低保', true), ('低保边缘', true), ('特困', true), ('防返贫监测', true), ('一般', false);

CREATE TABLE plan (
    id              smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code            text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_-]{1,31}$'),
    name_zh         text NOT NULL,
    name_ko         text NOT NULL,
    name_en         text NOT NULL,
    region          int NOT NULL REFERENCES region,
    begins_on       date NOT NULL,
    ends_on         date NOT NULL,
    who_counts      text NOT NULL, -- in the plan's own words
    eligibility     text NOT NULL REFERENCES eligibility_rule,
    notice_days     int NOT NULL DEFAULT 0 CHECK (notice_days BETWEEN 0 AND 365),
    subsidy_ceiling bigint CHECK (subsidy_ceiling >= 0), -- 分 a household; NULL: none set
    version         int NOT NULL DEFAULT 1,
    CHECK (begins_on <= ends_on)
);

CREATE TABLE indicator (
    plan_id         smallint NOT NULL REFERENCES plan,
    code            text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{1,47}$'),
    name_zh         text NOT NULL,
    name_ko         text NOT NULL,
    name_en         text NOT NULL,
    unit            text NOT NULL CHECK (unit IN ('household', 'percent', 'person', 'piece')),
    target          numeric(12, 2) NOT NULL CHECK (target >= 0),
    direction       text NOT NULL CHECK (direction IN ('at_least', 'more_than')),
    per             text NOT NULL CHECK (per IN ('period', 'year')),
    binding         boolean NOT NULL,
    baseline        numeric(12, 2), -- what an earlier period reached; never part of these totals
    baseline_period text,
    version         int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_id, code)
);

-- county 0: all counties; year 0: all years. What is not split is the remainder.
CREATE TABLE target_split (
    plan_id   smallint NOT NULL,
    indicator text NOT NULL,
    county    int NOT NULL,
    year      smallint NOT NULL CHECK (year = 0 OR year BETWEEN 2000 AND 2100),
    value     int NOT NULL CHECK (value >= 0),
    PRIMARY KEY (plan_id, indicator, county, year),
    FOREIGN KEY (plan_id, indicator) REFERENCES indicator,
    CHECK (county <> 0 OR year <> 0)
);

-- Plans, indicators and splits are no secret within the service: everybody reads them, a manager writes his own.
ALTER TABLE plan ENABLE ROW LEVEL SECURITY;
ALTER TABLE indicator ENABLE ROW LEVEL SECURITY;
ALTER TABLE target_split ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION scope_manages(place int) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT scope_role() IN ('admin', 'system')
          OR (scope_role() = 'manager' AND place BETWEEN scope_low() AND scope_high()) $$;
CREATE POLICY reading ON plan FOR SELECT USING (true);
CREATE POLICY adding ON plan FOR INSERT WITH CHECK (scope_manages(region));
CREATE POLICY changing ON plan FOR UPDATE USING (scope_manages(region));
CREATE POLICY reading ON indicator FOR SELECT USING (true);
CREATE POLICY adding ON indicator FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON indicator FOR UPDATE
    USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY reading ON target_split FOR SELECT USING (true);
CREATE POLICY adding ON target_split FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON target_split FOR UPDATE
    USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY removing ON target_split FOR DELETE
    USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));

GRANT SELECT ON eligibility_rule, hardship TO tantu_app;
GRANT SELECT, INSERT ON plan, indicator TO tantu_app;
GRANT UPDATE (name_zh, name_ko, name_en, begins_on, ends_on, who_counts, eligibility, notice_days,
    subsidy_ceiling, version) ON plan TO tantu_app;
GRANT UPDATE (name_zh, name_ko, name_en, target, direction, binding, baseline, baseline_period, version)
    ON indicator TO tantu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON target_split TO tantu_app;
