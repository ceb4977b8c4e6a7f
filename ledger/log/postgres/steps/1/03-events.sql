-- The position is set by append_batch under its lock: a sequence would leave gaps, and show later
-- positions before earlier ones. Names of streams stand in the rows themselves, so that a page is
-- read without a join.
CREATE TABLE events (
    position       bigint             NOT NULL PRIMARY KEY,
    stream         text   COLLATE "C" NOT NULL,
    stream_version bigint             NOT NULL,
    event_type     text   COLLATE "C" NOT NULL,
    recorded_us    bigint             NOT NULL,
    metadata       bytea              NOT NULL,
    payload        bytea              NOT NULL,
    CONSTRAINT events_by_stream UNIQUE (stream, stream_version)
);
