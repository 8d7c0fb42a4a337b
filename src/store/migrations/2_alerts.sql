CREATE TABLE alert_memory (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    urgency BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    parts_done BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    settled_at BIGINT,
    last_error TEXT,
    message TEXT NOT NULL
);

CREATE INDEX outbox_waiting ON outbox (state, channel, urgency, created_at, id, next_at) WHERE settled_at IS NULL;

CREATE INDEX outbox_history ON outbox (state, created_at, id, channel);

CREATE TABLE silence (
    id TEXT NOT NULL PRIMARY KEY,
    ends_at BIGINT NOT NULL,
    silence TEXT NOT NULL
);

CREATE TABLE channel_note (
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (channel, key)
);

CREATE TABLE kept (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
