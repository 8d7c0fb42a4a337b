CREATE TABLE scope (
    scope TEXT NOT NULL PRIMARY KEY,
    attempted_at BIGINT,
    listed_at BIGINT,
    listing_took BIGINT,
    key_failure TEXT,
    listing_failures BIGINT NOT NULL,
    listing_failure TEXT,
    look_failure TEXT,
    excluded BIGINT NOT NULL,
    filtered_by BIGINT NOT NULL
);

CREATE TABLE resource (
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    facts TEXT NOT NULL,
    reading TEXT,
    failure TEXT,
    failures_in_a_row BIGINT NOT NULL,
    looked_at BIGINT,
    next_look_at BIGINT,
    carried BIGINT NOT NULL,
    PRIMARY KEY (scope, id)
);

CREATE TABLE regions (
    scope TEXT NOT NULL PRIMARY KEY,
    listed_at BIGINT NOT NULL,
    asked_for BIGINT NOT NULL
);
