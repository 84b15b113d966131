-- SPDX-License-Identifier: Apache-2.0
-- What commands ask over a connection of their own (db/direct.h); not prepared by the server.

-- name: account_named :one start
SELECT id FROM account WHERE name = $1::text;
