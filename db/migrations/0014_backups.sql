-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Backups and how long uploads are kept.

-- Set in one transaction, then the file is deleted: whoever reads a row without it may count on the file.
ALTER TABLE needs_import ADD upload_gone_at timestamptz;
GRANT UPDATE (upload_gone_at) ON needs_import TO tantu_app;
CREATE INDEX needs_import_with_upload ON needs_import (finished_at) WHERE upload_gone_at IS NULL;
-- An administrator tries jobs again without seeing imports: he learns this much.
CREATE FUNCTION upload_is_gone(wanted bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM needs_import i WHERE i.id = wanted AND i.upload_gone_at IS NOT NULL) $$;

-- Which installation this is: its uploads folder says the same, and a restored copy is another one (`tantu restore` gives it
-- a new id), so that a copy started beside the original never tidies the original's folder.
CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id  uuid NOT NULL DEFAULT gen_random_uuid(),
    uploads_swept_at timestamptz,
    uploads_missing  int -- imports whose file is not there, as the last sweep found
);
INSERT INTO installation DEFAULT VALUES;
GRANT SELECT, UPDATE (uploads_swept_at, uploads_missing) ON installation TO tantu_app;

CREATE TABLE backup_record (
    name      text PRIMARY KEY,
    made_at   timestamptz NOT NULL,
    bytes     bigint NOT NULL,
    proved_at timestamptz -- restored into a scratch cluster and found whole
);
GRANT SELECT ON backup_record TO tantu_app;

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('upkeep', 'uploads_sweep', 'uploads_sweep', 'every 1 hour', 1000000);
