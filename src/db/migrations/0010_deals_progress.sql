-- The row of a deal begins at the webhook and says where the deal is: waiting, sent to Inngest, failed and why.
ALTER TABLE deals ADD COLUMN event_name TEXT;
ALTER TABLE deals ADD COLUMN payload TEXT; -- the data of the event by which the deal is sent again, JSON
ALTER TABLE deals ADD COLUMN names_stage BIGINT NOT NULL DEFAULT 1; -- 0: the report names no stage, and the lead must be read
ALTER TABLE deals ADD COLUMN event_id TEXT; -- the newest event of the deal
ALTER TABLE deals ADD COLUMN reported_at BIGINT; -- when the lead was last reported, by a webhook or by reconciliation
ALTER TABLE deals ADD COLUMN forwarded_at BIGINT; -- when Inngest accepted the newest event
ALTER TABLE deals ADD COLUMN due_at BIGINT; -- when the deal is sent again, unless it waits for something
ALTER TABLE deals ADD COLUMN sends BIGINT NOT NULL DEFAULT 0; -- how often it was sent again since it was reported
ALTER TABLE deals ADD COLUMN waits_for TEXT; -- erp, amocrm, consent or person: it is not sent again before that
ALTER TABLE deals ADD COLUMN ended TEXT; -- dismissed or not_needed: it gets no record
CREATE INDEX deals_due ON deals (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deals_unfinished ON deals (created_at) WHERE state <> 'done' AND ended IS NULL;

-- A deal that failed under an earlier version goes again by itself.
UPDATE deals SET event_name = 'amocrm/webhook', payload = '{"leadId":' || lead_id || '}', due_at = updated_at
    WHERE state <> 'done' AND lead_id IS NOT NULL AND deal_key = 'lead:' || lead_id;
-- A run of crm/create-deal does not: its event was not kept.
UPDATE deals SET waits_for = 'person' WHERE state <> 'done' AND payload IS NULL;

-- The inbox holds the events of all deals, also those that are sent again and came with no webhook. What Inngest refuses is
-- not parked here any more: the deal says so. What was parked is tried once more.
CREATE TABLE events (
    id            TEXT PRIMARY KEY NOT NULL, -- a ULID; also the id of the event, so that a resend is recognised
    body_id       TEXT REFERENCES webhook_bodies (id),
    deal_key      TEXT, -- NULL: stored by an earlier version
    lead_id       BIGINT,
    name          TEXT NOT NULL DEFAULT 'amocrm/webhook', -- replicas of the earlier version give none
    payload       TEXT NOT NULL, -- the data of the event, JSON
    received_at   BIGINT NOT NULL,
    attempts      BIGINT NOT NULL DEFAULT 0,
    last_error    TEXT,
    claimed_until BIGINT -- which replica is sending it: until then no other one does
);
INSERT INTO events (id, body_id, lead_id, payload, received_at, attempts, last_error, claimed_until)
    SELECT id, body_id, lead_id, payload, received_at, attempts, last_error, claimed_until FROM inbox;
DROP TABLE inbox;
ALTER TABLE events RENAME TO inbox;
CREATE INDEX inbox_body_id ON inbox (body_id);

-- The table lead_notices is not read any more. It stays for one version, because replicas of the earlier one write it while
-- they are being replaced.
