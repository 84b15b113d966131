-- SPDX-License-Identifier: Apache-2.0
-- The two roles and the database; run by psql as superuser, as often as you like. Everything else is granted by migrations.
-- tantu_owner owns the database and migrates it; tantu_app serves and may do only what migrations grant.
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', name)
FROM unnest(ARRAY['tantu_owner', 'tantu_app']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
SELECT 'CREATE DATABASE tantu OWNER tantu_owner TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''C.UTF-8'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'tantu')
\gexec
ALTER DATABASE tantu OWNER TO tantu_owner;
REVOKE ALL ON DATABASE tantu FROM PUBLIC;
GRANT CONNECT ON DATABASE tantu TO tantu_app;
