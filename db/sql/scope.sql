-- SPDX-License-Identifier: Apache-2.0
-- Goes in front of every group's members; row-level security reads it. See db/connection.c.

-- name: scope_set :one public
SELECT set_config('tantu.low', $1, true), set_config('tantu.high', $2, true), set_config('tantu.role', $3, true),
       set_config('tantu.account', $4, true), set_config('tantu.contractor', $5, true), set_config('tantu.centre', $6, true);

-- name: database_answers :one public
SELECT now() AS now;

-- name: idempotency_find :one write
SELECT fingerprint, answer FROM idempotency WHERE account_id = scope_account() AND key = $1::text;
