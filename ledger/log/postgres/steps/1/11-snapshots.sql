-- The latest state of each long stream, made from its events and held against them when it is used;
-- may be emptied at any time. Each row is replaced as its stream grows, so room is left in the pages.
CREATE TABLE snapshots (
    stream        text COLLATE "C" NOT NULL PRIMARY KEY,
    version       bigint           NOT NULL,
    code          bytea            NOT NULL,
    record_digest bytea            NOT NULL,
    state         bytea            NOT NULL,
    digest        bytea            NOT NULL
) WITH (fillfactor = 50);
