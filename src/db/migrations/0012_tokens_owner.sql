-- Whose the token pair is. Rows from before have no owner and are taken to be of the configured integration.
ALTER TABLE tokens ADD COLUMN client_id TEXT;
ALTER TABLE tokens ADD COLUMN host TEXT; -- of the account
-- Why amoCRM refused the refresh token; NULL while it can be spent. It is not offered again, by any process.
ALTER TABLE tokens ADD COLUMN refused TEXT;
-- Each AMOCRM_REFRESH_TOKEN that was spent, refused, or configured while another pair was stored.
CREATE TABLE token_seeds (
    fingerprint TEXT PRIMARY KEY NOT NULL -- SHA-256
);
