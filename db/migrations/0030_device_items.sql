-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Assistive devices: what is asked for, the items, who has them, and what has been done to them. The rules stand in 0031 and 0032.

-- The plan that a day's work for the people of a plan's region belongs to: the one whose period has the day, else the last that began.
CREATE FUNCTION device_plan_of(of_region int, day date) RETURNS smallint LANGUAGE sql STABLE AS $$
    SELECT p.id FROM plan p WHERE p.region = of_region ORDER BY (day BETWEEN p.begins_on AND p.ends_on) DESC, p.begins_on DESC, p.id LIMIT 1 $$;

CREATE SEQUENCE device_number;         -- items
CREATE SEQUENCE device_request_number; -- requests
CREATE SEQUENCE handover_number;       -- fittings, rentals, trials, loans
CREATE SEQUENCE device_fact_number;    -- disinfections, inspections, repairs, recyclings, transfers

CREATE TABLE device_request (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'device_request_number')
    plan_id      smallint NOT NULL REFERENCES plan,
    person_id    bigint NOT NULL,
    need_id      bigint NOT NULL,
    measure      text NOT NULL REFERENCES measure,
    region       int NOT NULL REFERENCES region, -- the household's; it follows a move
    centre_id    bigint REFERENCES centre,       -- who deals with it; NULL: nobody yet
    source       text NOT NULL CHECK (source IN ('import', 'survey', 'walk_in')),
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'assessed', 'fulfilled', 'cancelled')),
    assessed_for text CHECK (assessed_for IN ('fitting', 'rental')),
    exception    text, -- why it is granted within the service life of an earlier one
    exception_by bigint REFERENCES account,
    score        int NOT NULL DEFAULT 0, -- priority
    note         text NOT NULL DEFAULT '',
    account_id   bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, person_id) REFERENCES person,
    FOREIGN KEY (plan_region, need_id) REFERENCES need,
    CHECK ((assessed_for IS NOT NULL) = (state IN ('assessed', 'fulfilled')) OR state = 'cancelled'),
    CHECK ((exception IS NULL) = (exception_by IS NULL))
);
CREATE UNIQUE INDEX device_request_open ON device_request (plan_region, need_id) WHERE state IN ('waiting', 'assessed');
CREATE INDEX device_request_by_person ON device_request (plan_region, person_id);
CREATE INDEX device_request_by_centre ON device_request (centre_id, state, id);
CREATE INDEX device_request_by_region ON device_request (region, state, id);

CREATE DOMAIN device_state AS text CHECK (VALUE IN ('in_stock', 'reserved', 'lent', 'fitted', 'returned', 'disinfecting',
    'inspecting', 'repairing', 'recycled', 'lost', 'recalled'));

-- returned_v, disinfected_v, inspected_v: the item's version when it last came back (0: never), was disinfected, passed inspection.
CREATE TABLE device_item (
    plan_region   int NOT NULL,
    id            bigint NOT NULL, -- id_in(plan_region, 'device_number')
    code          text NOT NULL UNIQUE CHECK (code ~ '^[0-9A-Za-z._-]{3,64}$'), -- on its label
    model         text NOT NULL REFERENCES device_model,
    serial        text NOT NULL,
    batch         text NOT NULL DEFAULT '',
    centre_id     bigint NOT NULL REFERENCES centre,
    region        int NOT NULL REFERENCES region, -- the centre's
    source        text NOT NULL CHECK (source IN ('purchased', 'donated')),
    donor         text NOT NULL DEFAULT '',
    acquired_on   date NOT NULL,
    price         bigint CHECK (price >= 0), -- 分
    warranty_until date,
    grade         text CHECK (grade IN ('A', 'B', 'C', 'D')), -- condition, as last inspected
    shelf         text NOT NULL DEFAULT '',
    note          text NOT NULL DEFAULT '',
    state         device_state NOT NULL,
    state_at      timestamptz NOT NULL, -- when the last change of state happened
    handover_id   bigint, -- by which its holder has it
    request_id    bigint, -- for which it is reserved
    bound_for     bigint REFERENCES centre, -- on its way there
    transfer_id   bigint,
    recall_id     bigint,
    returned_v    int NOT NULL DEFAULT 0,
    disinfected_v int NOT NULL DEFAULT 0,
    inspected_v   int NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    version       int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    -- A label does not read like the id of another item of this plan.
    CHECK (CASE WHEN code ~ '^[0-9]{16}$' THEN code = id::text OR plan_region_of(code::bigint) <> plan_region ELSE true END),
    CHECK ((state IN ('lent', 'fitted')) = (handover_id IS NOT NULL)),
    CHECK ((state = 'reserved') = (request_id IS NOT NULL)),
    CHECK ((bound_for IS NULL) = (transfer_id IS NULL)),
    CHECK (transfer_id IS NULL OR state NOT IN ('lent', 'fitted', 'reserved')),
    CHECK (recall_id IS NULL OR state NOT IN ('in_stock', 'reserved')),
    CHECK (state NOT IN ('in_stock', 'reserved', 'lent', 'fitted')
        OR returned_v = 0 OR (disinfected_v > returned_v AND inspected_v > disinfected_v))
);
CREATE UNIQUE INDEX device_item_serial ON device_item (model, serial) WHERE serial <> '';
CREATE INDEX device_item_by_centre ON device_item (centre_id, state, id);
CREATE INDEX device_item_by_region ON device_item (region, state, id);
CREATE INDEX device_item_by_model ON device_item (model, batch);
CREATE INDEX device_item_by_handover ON device_item (handover_id) WHERE handover_id IS NOT NULL;
CREATE INDEX device_item_bound ON device_item (bound_for) WHERE bound_for IS NOT NULL;

-- One row each time an item is handed to somebody: fitting (it is his), rental, trial, loan (of a few hours or days, without request).
-- ended: it came back, or is lost. A rental is closed in a second step, the others when they end.
CREATE TABLE handover (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'handover_number')
    kind         text NOT NULL CHECK (kind IN ('fitting', 'rental', 'trial', 'loan')),
    item_id      bigint NOT NULL,
    person_id    bigint, -- NULL: a loan to somebody who is not registered
    borrower     text NOT NULL DEFAULT '', -- who that is
    phone        text NOT NULL DEFAULT '',
    request_id   bigint,
    centre_id    bigint NOT NULL REFERENCES centre,
    region       int NOT NULL REFERENCES region, -- the person's, else the centre's
    happened_at  timestamptz NOT NULL,
    due_at       timestamptz,
    ended_at     timestamptz, -- when it came back or was found to be lost
    ended        text CHECK (ended IN ('returned', 'lost')),
    closed_at    timestamptz,
    note         text NOT NULL DEFAULT '',
    account_id   bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item,
    FOREIGN KEY (plan_region, person_id) REFERENCES person,
    FOREIGN KEY (plan_region, request_id) REFERENCES device_request,
    CHECK ((kind = 'loan') = (request_id IS NULL)),
    CHECK (person_id IS NOT NULL OR (kind = 'loan' AND borrower <> '')),
    CHECK (kind = 'fitting' OR due_at IS NOT NULL),
    CHECK ((ended IS NULL) = (ended_at IS NULL)),
    CHECK (closed_at IS NULL OR ended IS NOT NULL)
);
CREATE UNIQUE INDEX handover_holder ON handover (plan_region, item_id) WHERE ended IS NULL; -- one holder
CREATE INDEX handover_by_item ON handover (plan_region, item_id, id);
CREATE INDEX handover_by_person ON handover (plan_region, person_id) WHERE person_id IS NOT NULL;
CREATE INDEX handover_by_request ON handover (plan_region, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX handover_by_centre ON handover (centre_id, kind, id);
CREATE INDEX handover_by_region ON handover (region, kind, id);
CREATE INDEX handover_due ON handover (due_at) WHERE ended IS NULL AND due_at IS NOT NULL;

CREATE TABLE device_disinfection ( -- 洗消: a batch, whose items its events name
    plan_region int NOT NULL,
    id          bigint NOT NULL,
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region,
    method      text NOT NULL,
    agent       text NOT NULL,
    began_at    timestamptz NOT NULL,
    ended_at    timestamptz,
    account_id  bigint NOT NULL,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    CHECK (ended_at >= began_at)
);
CREATE TABLE device_inspection (
    plan_region  int NOT NULL,
    id           bigint NOT NULL,
    item_id      bigint NOT NULL,
    item_version int NOT NULL, -- of the item that was looked at: what happened to it later is not vouched for
    centre_id    bigint NOT NULL REFERENCES centre,
    region       int NOT NULL REFERENCES region,
    happened_at  timestamptz NOT NULL,
    checklist    json NOT NULL,
    grade        text CHECK (grade IN ('A', 'B', 'C', 'D')),
    result       text NOT NULL CHECK (result IN ('pass', 'repair', 'recycle')),
    account_id   bigint NOT NULL,
    note         text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item,
    CHECK (result <> 'pass' OR grade IS NOT NULL)
);
CREATE INDEX device_inspection_by_item ON device_inspection (plan_region, item_id);
CREATE TABLE device_repair (
    plan_region    int NOT NULL,
    id             bigint NOT NULL,
    item_id        bigint NOT NULL,
    handover_id    bigint, -- of who has the item and keeps it: a service to him. NULL: in the loop
    centre_id      bigint NOT NULL REFERENCES centre,
    region         int NOT NULL REFERENCES region,
    fault          text NOT NULL,
    in_warranty    boolean NOT NULL,
    began_at       timestamptz NOT NULL,
    ended_at       timestamptz,
    outcome        text CHECK (outcome IN ('mended', 'beyond_repair')),
    repairer       text NOT NULL DEFAULT '',
    parts          json NOT NULL DEFAULT '[]', -- [{name, quantity, cost}]
    labour         bigint CHECK (labour >= 0), -- 分
    cost           bigint CHECK (cost >= 0),   -- 分, all of it
    warranty_until date, -- of the repair
    account_id     bigint NOT NULL,
    note           text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    version        int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item,
    CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    CHECK (ended_at >= began_at)
);
CREATE UNIQUE INDEX device_repair_open ON device_repair (plan_region, item_id) WHERE ended_at IS NULL;
CREATE INDEX device_repair_by_item ON device_repair (plan_region, item_id);
CREATE TABLE device_recycling (
    plan_region int NOT NULL,
    id          bigint NOT NULL,
    item_id     bigint NOT NULL,
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region,
    happened_at timestamptz NOT NULL,
    reason      text NOT NULL,
    parts       json NOT NULL DEFAULT '[]', -- recovered: [{name, quantity}]
    certificate text NOT NULL, -- its number
    account_id  bigint NOT NULL,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, item_id),
    UNIQUE (plan_region, certificate),
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item
);
CREATE TABLE device_transfer (
    plan_region  int NOT NULL,
    id           bigint NOT NULL,
    from_centre  bigint NOT NULL REFERENCES centre,
    to_centre    bigint NOT NULL REFERENCES centre,
    from_region  int NOT NULL REFERENCES region,
    to_region    int NOT NULL REFERENCES region,
    sent_at      timestamptz NOT NULL,
    account_id   bigint NOT NULL,
    note         text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    CHECK (from_centre <> to_centre)
);
CREATE INDEX device_transfer_from ON device_transfer (from_centre, id);
CREATE INDEX device_transfer_to ON device_transfer (to_centre, id);

-- A recall is of all of a model, of a batch, or of a range of serials, wherever they are in its region.
CREATE TABLE device_recall (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region      int NOT NULL REFERENCES region,
    high        int NOT NULL,
    model       text NOT NULL REFERENCES device_model,
    batch       text,
    serial_from text, -- both or none: by length, then as text
    serial_to   text,
    reason      text NOT NULL,
    due_on      date NOT NULL, -- by when all of them are dealt with
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    ended_note  text,
    version     int NOT NULL DEFAULT 1,
    CHECK ((serial_from IS NULL) = (serial_to IS NULL))
);
CREATE INDEX device_recall_open ON device_recall (model) WHERE ended_at IS NULL;
-- Whether a recall means an item of that model, batch and serial in that place. Serials compare as numbers do: SN9 before SN10.
CREATE FUNCTION device_recall_means(r device_recall, model text, batch text, serial text, place int) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT r.ended_at IS NULL AND r.model = model AND place BETWEEN r.region AND r.high AND (r.batch IS NULL OR r.batch = batch)
        AND (r.serial_from IS NULL OR (serial <> '' AND (length(serial), serial COLLATE "C") >= (length(r.serial_from), r.serial_from COLLATE "C")
            AND (length(serial), serial COLLATE "C") <= (length(r.serial_to), r.serial_to COLLATE "C"))) $$;
-- What became of each item that it meant. One row an item and recall, until it is resolved the item goes nowhere.
CREATE TABLE device_recall_item (
    plan_region int NOT NULL,
    item_id     bigint NOT NULL,
    recall_id   bigint NOT NULL REFERENCES device_recall,
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region, -- the centre's
    found_at    timestamptz NOT NULL DEFAULT now(),
    found_with  bigint, -- the handover of who had it
    resolved_at timestamptz,
    resolution  text CHECK (resolution IN ('repaired', 'harmless', 'recycled', 'lost', 'withdrawn')),
    note        text NOT NULL DEFAULT '',
    account_id  bigint,
    version     int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, item_id, recall_id),
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item,
    CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX device_recall_item_by_recall ON device_recall_item (recall_id, plan_region, item_id);
