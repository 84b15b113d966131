-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The least that should be in stock of a model or kind at a centre.

CREATE TABLE stock_minimum (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    centre_id  bigint NOT NULL REFERENCES centre,
    region     int NOT NULL REFERENCES region,
    model      text REFERENCES device_model, -- of one model, or of a kind
    measure    text REFERENCES measure,
    minimum    int NOT NULL CHECK (minimum > 0),
    told_at    timestamptz, -- that it was fallen below; NULL again when there is enough
    account_id bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    int NOT NULL DEFAULT 1,
    UNIQUE NULLS NOT DISTINCT (centre_id, model, measure),
    CHECK ((model IS NULL) <> (measure IS NULL))
);
GRANT SELECT, INSERT, DELETE ON stock_minimum TO tantu_app;
GRANT UPDATE (minimum, told_at, account_id, updated_at, version) ON stock_minimum TO tantu_app;
ALTER TABLE stock_minimum ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON stock_minimum USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);

-- How many of them are there to be handed out.
CREATE FUNCTION device_stock_of(m stock_minimum) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN m.model IS NOT NULL THEN (SELECT count(*) FROM device_item i
            WHERE i.centre_id = m.centre_id AND i.model = m.model AND i.state = 'in_stock' AND i.transfer_id IS NULL)
        ELSE (SELECT count(*) FROM device_model d JOIN device_item i ON i.centre_id = m.centre_id AND i.model = d.code AND i.state = 'in_stock'
            WHERE d.measure = m.measure AND i.transfer_id IS NULL) END::int $$;

-- Sets it, or takes it away (NULL). kind: model or measure.
CREATE FUNCTION stock_minimum_set(wanted_centre text, kind text, wanted text, fewest int, if_match int) RETURNS TABLE (verdict text, made stock_minimum)
LANGUAGE plpgsql AS $$
DECLARE
    place centre;
BEGIN
    SELECT * INTO place FROM device_centre(wanted_centre);
    SELECT * INTO made FROM stock_minimum m WHERE m.centre_id = place.id AND CASE kind WHEN 'model' THEN m.model ELSE m.measure END = wanted FOR NO KEY UPDATE;
    verdict := CASE
        WHEN kind NOT IN ('model', 'measure') THEN 'not_found'
        WHEN place.id IS NULL AND scope_role() = 'centre' AND wanted_centre IS NULL THEN 'centre_without_region'
        WHEN place.id IS NULL AND wanted_centre IS NULL THEN 'centre_required'
        WHEN place.id IS NULL THEN 'centre_unknown'
        WHEN fewest IS NULL AND made.id IS NULL THEN 'not_found'
        WHEN if_match <> coalesce(made.version, 0) THEN 'stale'
        WHEN kind = 'model' AND NOT EXISTS (SELECT FROM device_model m WHERE m.code = wanted) THEN 'not_found'
        WHEN kind = 'measure' AND NOT EXISTS (SELECT FROM measure m WHERE m.code = wanted AND m.kind = 'device') THEN 'not_found' END;
    IF verdict IS NULL AND fewest IS NULL THEN
        DELETE FROM stock_minimum m WHERE m.id = made.id;
    ELSIF verdict IS NULL THEN
        INSERT INTO stock_minimum AS m (centre_id, region, model, measure, minimum, account_id)
        VALUES (place.id, place.region, CASE kind WHEN 'model' THEN wanted END, CASE kind WHEN 'measure' THEN wanted END, fewest, scope_account())
        ON CONFLICT (centre_id, model, measure) DO UPDATE SET minimum = excluded.minimum, account_id = excluded.account_id, updated_at = now(),
            version = m.version + 1 RETURNING m.* INTO made;
    END IF;
    RETURN NEXT;
END $$;

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('reminders', 'stock_minimum_scan', 'stock_minimum_scan', '5,20,35,50 7-19 * * *', 1000000);
