-- SPDX-License-Identifier: Apache-2.0
-- Attempts to sign in, counted so that every server process knows of them; and what became of an account.
-- compatible_from: 7

-- Names and addresses are kept as keyed hashes only. A row is written before the password is looked at, so
-- that many attempts at once are not one.
CREATE TABLE sign_in_attempt (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    account_key bytea NOT NULL CHECK (length(account_key) = 32),
    address_key bytea NOT NULL CHECK (length(address_key) = 32),
    account_id  bigint REFERENCES account, -- NULL: there is no such account
    succeeded   boolean -- NULL: not known yet, or nobody waited for it
);
CREATE INDEX sign_in_attempt_by_pair ON sign_in_attempt (account_key, address_key, at);
CREATE INDEX sign_in_attempt_by_account ON sign_in_attempt (account_key, at);
CREATE INDEX sign_in_attempt_by_address ON sign_in_attempt (address_key, at);
CREATE INDEX sign_in_attempt_of_account ON sign_in_attempt (account_id);
CREATE INDEX sign_in_attempt_by_age ON sign_in_attempt (at);

-- Five seconds after so many failures, twice as long after each one more, never longer than `most`.
CREATE FUNCTION sign_in_delay(failures bigint, tries int, most interval) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN failures < tries THEN interval '0'
                  ELSE least(most, interval '5 seconds' * power(2, least(failures - tries, 20))) END $$;

CREATE TABLE account_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    account_id bigint NOT NULL REFERENCES account,
    what       text NOT NULL CHECK (what IN ('locked_out', 'unlocked')),
    by_account bigint REFERENCES account -- NULL: nobody's doing
);
CREATE INDEX account_event_by_account ON account_event (account_id, id);

ALTER TABLE sign_in_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON sign_in_attempt USING ((SELECT scope_role()) IN ('admin', 'system'));
CREATE POLICY scope ON account_event USING ((SELECT scope_role()) IN ('admin', 'system'));

GRANT SELECT, INSERT, DELETE, UPDATE (succeeded) ON sign_in_attempt TO tantu_app;
GRANT SELECT, INSERT ON account_event TO tantu_app;
