ALTER TABLE outbox ADD COLUMN not_before BIGINT;

CREATE TABLE renewal (
    id TEXT NOT NULL PRIMARY KEY,
    resource TEXT NOT NULL,
    not_after BIGINT NOT NULL,
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    concerns_until BIGINT NOT NULL,
    attempt TEXT NOT NULL,
    UNIQUE (resource, not_after, number)
);

CREATE UNIQUE INDEX renewal_open ON renewal (resource) WHERE state IN ('stored', 'accepted');

CREATE TABLE renewal_ledger (
    happened_at BIGINT NOT NULL,
    attempt TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (happened_at, attempt)
);

CREATE INDEX renewal_ledger_attempt ON renewal_ledger (attempt, happened_at);

CREATE TABLE renewal_turn (
    one BIGINT NOT NULL PRIMARY KEY,
    turn BIGINT NOT NULL
);

INSERT INTO renewal_turn (one, turn) VALUES (1, 0);
