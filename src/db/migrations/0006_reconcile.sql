-- How far reconciliation has come: one row.
CREATE TABLE reconcile_cursor (
    id         BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    started_at BIGINT NOT NULL, -- milliseconds since 1970; nothing that happened before is looked at
    cursor_at  BIGINT NOT NULL, -- everything up to here was read
    swept_at   BIGINT NOT NULL -- when the last long look back was
);

-- Events of amoCRM's feed that are settled: sent on, or of no concern.
CREATE TABLE reconcile_events (
    event_id    TEXT PRIMARY KEY NOT NULL,
    happened_at BIGINT NOT NULL
);
CREATE INDEX reconcile_events_happened_at ON reconcile_events (happened_at);

-- When we were last told of a lead, by a webhook or by reconciliation.
CREATE TABLE lead_notices (
    lead_id    BIGINT PRIMARY KEY NOT NULL,
    noticed_at BIGINT NOT NULL
);
CREATE INDEX lead_notices_noticed_at ON lead_notices (noticed_at);
