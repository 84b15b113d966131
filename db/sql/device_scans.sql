-- SPDX-License-Identifier: Apache-2.0
-- Scans. What is looked for, and in which order, is in migration 0035.

-- part: scan_columns
a.kind, a.items, a.person, a.request, a.handover, a.transfer, a.disinfection, a.taking AS stock_taking, a.elsewhere

-- name: device_scan :one
-- $1 what was scanned, folded
SELECT {{scan_columns}} FROM scan_of($1::text) AS a;

-- name: device_scan_person :one write
-- $1 the same, when it reads like a citizen ID or a certificate, $2 the keyed hash of that ID
SELECT {{scan_columns}} FROM scan_of_person($1::text, $2::bytea) AS a;
