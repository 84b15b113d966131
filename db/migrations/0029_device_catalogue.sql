-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Assistive devices: centres, and the catalogue of what there is: classes, models, what a plan grants of them.

-- A centre serves the people of one plan's region; plan_region is that of the persons, items and requests it deals with.
ALTER TABLE centre ADD COLUMN plan_region int, ADD COLUMN region int REFERENCES region, ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN phone text NOT NULL DEFAULT '', ADD COLUMN version int NOT NULL DEFAULT 1,
    ADD CHECK ((plan_region IS NULL) = (region IS NULL));

-- As in 0009, and 'k5' what belongs to centre 5.
CREATE OR REPLACE FUNCTION scope_whose() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT CASE current_setting('tantu.role', true) WHEN 'county' THEN '' WHEN 'manager' THEN '' WHEN 'auditor' THEN ''
                  WHEN 'system' THEN '' WHEN 'contractor' THEN 'c' || scope_contractor() WHEN 'assessor' THEN 'a' || scope_account()
                  WHEN 'centre' THEN 'k' || scope_centre() ELSE 'x' END $$;

-- ISO 9999 and GB/T 16432 renumber from edition to edition; a class is one number of one edition of one scheme.
CREATE TABLE device_class (
    scheme  text NOT NULL CHECK (scheme ~ '^[a-z0-9_-]{1,32}$'), -- iso9999, gbt16432
    edition text NOT NULL CHECK (edition ~ '^[0-9]{4}$'),
    code    text NOT NULL CHECK (code ~ '^[0-9]{2,8}$'), -- without blanks or dots
    name_zh text NOT NULL,
    name_ko text NOT NULL,
    name_en text NOT NULL,
    version int NOT NULL DEFAULT 1,
    PRIMARY KEY (scheme, edition, code)
);
-- What a class of one edition is in another: same, or narrower or wider than it, or only overlapping.
CREATE TABLE device_class_link (
    scheme     text NOT NULL,
    edition    text NOT NULL,
    code       text NOT NULL,
    to_scheme  text NOT NULL,
    to_edition text NOT NULL,
    to_code    text NOT NULL,
    relation   text NOT NULL CHECK (relation IN ('same', 'narrower', 'wider', 'overlaps')),
    PRIMARY KEY (scheme, edition, code, to_scheme, to_edition, to_code),
    FOREIGN KEY (scheme, edition, code) REFERENCES device_class,
    FOREIGN KEY (to_scheme, to_edition, to_code) REFERENCES device_class
);
-- The kind of a device, what a need names, is a measure of kind device (0015). Money in 分; rent a month.
CREATE TABLE device_model (
    code           text PRIMARY KEY CHECK (code ~ '^[a-z0-9][a-z0-9_.-]{0,47}$'),
    measure        text NOT NULL REFERENCES measure,
    name_zh        text NOT NULL,
    name_ko        text NOT NULL,
    name_en        text NOT NULL,
    maker          text NOT NULL DEFAULT '',
    class_scheme   text NOT NULL,
    class_edition  text NOT NULL,
    class_code     text NOT NULL,
    service_months int NOT NULL CHECK (service_months BETWEEN 1 AND 600), -- 使用年限
    price          bigint CHECK (price >= 0),
    subsidy        bigint NOT NULL DEFAULT 0 CHECK (subsidy >= 0),      -- of a fitting
    rent           bigint NOT NULL DEFAULT 0 CHECK (rent >= 0),
    rent_subsidy   bigint NOT NULL DEFAULT 0 CHECK (rent_subsidy >= 0), -- of a month's rent
    deposit        bigint NOT NULL DEFAULT 0 CHECK (deposit >= 0),
    loan_hours     int CHECK (loan_hours BETWEEN 1 AND 2160), -- NULL: not for short community loans
    retired_at     timestamptz,
    version        int NOT NULL DEFAULT 1,
    FOREIGN KEY (class_scheme, class_edition, class_code) REFERENCES device_class,
    CHECK (rent_subsidy <= rent)
);
CREATE INDEX device_model_by_measure ON device_model (measure);
-- What a plan says otherwise than the model; NULL: as the model.
CREATE TABLE device_term (
    plan_id        smallint NOT NULL REFERENCES plan,
    model          text NOT NULL REFERENCES device_model,
    service_months int CHECK (service_months BETWEEN 1 AND 600),
    subsidy        bigint CHECK (subsidy >= 0),
    rent           bigint CHECK (rent >= 0),
    rent_subsidy   bigint CHECK (rent_subsidy >= 0),
    deposit        bigint CHECK (deposit >= 0),
    version        int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_id, model)
);

GRANT SELECT, INSERT, UPDATE ON device_class, device_class_link, device_model, device_term TO tantu_app;
GRANT DELETE ON device_class_link, device_term TO tantu_app;
GRANT UPDATE (plan_region, region, name, address, phone, version) ON centre TO tantu_app;

ALTER TABLE device_class ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_class_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_model ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_term ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON device_class FOR SELECT USING (true);
CREATE POLICY writing ON device_class USING ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY reading ON device_class_link FOR SELECT USING (true);
CREATE POLICY writing ON device_class_link USING ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY reading ON device_model FOR SELECT USING (true);
CREATE POLICY writing ON device_model USING ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY reading ON device_term FOR SELECT USING (true);
CREATE POLICY writing ON device_term USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
