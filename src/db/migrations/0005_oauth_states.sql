-- Consents that were begun and not finished. A row is spent by removing it.
CREATE TABLE oauth_states (
    hash       TEXT PRIMARY KEY NOT NULL, -- SHA-256 of the state, so that looking it up takes the same time for any guess
    expires_at BIGINT NOT NULL -- milliseconds since 1970
);
CREATE INDEX oauth_states_expires_at ON oauth_states (expires_at);
