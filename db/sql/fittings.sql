-- SPDX-License-Identifier: Apache-2.0
-- Fittings and trials. Their rules are in migrations 0032 and 0036.

-- name: fitting_make :write
-- $3 request, $4 item, $5 happened at, $6 signature, $7 signer, $8 note
WITH answer AS (
    SELECT * FROM device_hand_over(jsonb_populate_record(NULL::handover, jsonb_build_object('kind', 'fitting', 'request_id', $3::bigint,
        'happened_at', $5::timestamptz, 'note', $8::text)), $4::text, $6::json, $7::text)
)

-- name: fitting_get :one write
-- $1 fitting: with the person's whole name and the signature; the reading is recorded
WITH hit AS (
    SELECT h AS one FROM handover h WHERE h.plan_region = plan_region_of($1::bigint) AND h.id = $1::bigint AND h.kind IN ('fitting', 'trial')
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'person of a fitting', (one).person_id, (one).region FROM hit
)
SELECT s.*, i.serial, n.name AS "for.name", n.phone AS "for.phone", g.signer AS "signature.signer", g.signed_at AS "signature.at", g.strokes AS "signature.strokes"
FROM hit h CROSS JOIN LATERAL fitting_shown(h.one, NULL, NULL, NULL) AS s
JOIN device_item i ON i.plan_region = (h.one).plan_region AND i.id = (h.one).item_id
LEFT JOIN person n ON n.plan_region = (h.one).plan_region AND n.id = s.person
LEFT JOIN handover_signature g ON g.plan_region = (h.one).plan_region AND g.handover_id = s.id AND g.kind = s.kind;
