-- What is known of each record in the ERP. `sending` is committed before the ERP is called: whoever finds it after a
-- crash knows that the record may exist.
CREATE TABLE deals (
    deal_key      TEXT PRIMARY KEY NOT NULL, -- lead:<id>, run:<id>, or lead:<id>:run:<id> with CRM_DEDUPE=event
    account_id    BIGINT, -- as the webhook named it; evidence, no key
    lead_id       BIGINT,
    run_id        TEXT NOT NULL, -- the run that worked on it last
    state         TEXT NOT NULL CHECK (state IN ('open', 'sending', 'done')),
    attempt       BIGINT NOT NULL DEFAULT 0, -- inserts that the ERP may have acted on
    fence         BIGINT NOT NULL DEFAULT 0, -- grows with each claim; who holds an older one changes nothing
    claimed_by    TEXT,
    claimed_until BIGINT, -- milliseconds since 1970
    look_after    BIGINT, -- not before this time does a look-up tell whether the record exists
    payload_hash  TEXT,
    erp_id        TEXT,
    reply         TEXT, -- the ERP's reply, JSON
    failure       TEXT, -- why there is no record (yet), for a person
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE INDEX deals_lead_id ON deals (lead_id);
CREATE INDEX deals_failed ON deals (updated_at) WHERE failure IS NOT NULL;
