-- Webhook bodies as they came in: evidence, and what a person needs when one could not be read.
CREATE TABLE webhook_bodies (
    id          TEXT PRIMARY KEY NOT NULL,
    received_at BIGINT NOT NULL, -- milliseconds since 1970
    content     BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('read', 'partly', 'unparsable')),
    problem     TEXT
);
CREATE INDEX webhook_bodies_received_at ON webhook_bodies (received_at);

-- What amoCRM was promised and Inngest does not have yet: one row per lead.
CREATE TABLE inbox (
    id            TEXT PRIMARY KEY NOT NULL, -- a ULID; also the id of the event, so that a resend is recognised
    body_id       TEXT NOT NULL REFERENCES webhook_bodies (id),
    lead_id       BIGINT NOT NULL,
    payload       TEXT NOT NULL, -- the data of the event, JSON
    received_at   BIGINT NOT NULL,
    attempts      BIGINT NOT NULL DEFAULT 0,
    last_error    TEXT,
    parked_at     BIGINT, -- set: Inngest refuses the event for good, a person must look
    parked_reason TEXT
);
CREATE INDEX inbox_body_id ON inbox (body_id);
CREATE INDEX inbox_waiting ON inbox (id) WHERE parked_at IS NULL;
