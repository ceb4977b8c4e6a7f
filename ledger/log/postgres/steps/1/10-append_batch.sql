-- Appends several decisions, each all or none and with an outcome of its own.
--
-- The rules are those of ledger/log/planning.py. What is named often comes once and is referred to
-- by its place, from 1; what belongs to the appends comes in one array for all of them, and for
-- each the place of its last element. `twins` has the place of the append before that carries the
-- same digest, 0 where there is none.
--
-- An append was accepted where `conflicts` is 0 and `stored_hashes` NULL; repeats an earlier request,
-- whose positions are given, where `stored_hashes` is set; and was refused where `conflicts` has the
-- place of a stream that is not at the guarded version.
CREATE FUNCTION append_batch(
    proposed_us    bigint,
    streams        text[],
    event_types    text[],
    guard_ends     int[],
    guard_streams  int[],
    guard_versions bigint[],
    event_ends     int[],
    event_streams  int[],
    event_kinds    int[],
    event_metadata bytea[],
    event_payloads bytea[],
    digests        bytea[],
    hashes         bytea[],
    twins          int[],
    OUT first_positions bigint[],
    OUT last_positions  bigint[],
    OUT stored_hashes   bytea[],
    OUT conflicts       int[],
    OUT stored_us       bigint,
    OUT now_us          bigint
)
LANGUAGE plpgsql
SET search_path FROM CURRENT
-- Plans are kept, and the first ones are made while the tables are small.
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    appends  CONSTANT int := cardinality(guard_ends);
    total    CONSTANT int := cardinality(event_streams);
    place    bigint := 0;
    stream   int;
    twin     int;
    guard    int := 0;
    event    int := 0;
    refused  boolean;
    versions bigint[];
    spoilt   boolean[] := array_fill(false, ARRAY[cardinality(streams)]);
    positions      bigint[] := array_fill(NULL::bigint, ARRAY[total]);
    event_versions bigint[] := positions;
BEGIN
    PERFORM lock_append();

    SELECT e.position, e.recorded_us INTO place, stored_us
    FROM events AS e ORDER BY e.position DESC LIMIT 1;
    place := coalesce(place, 0);
    now_us := clock_us();
    stored_us := greatest(stored_us, least(proposed_us, now_us));

    SELECT array_agg(s.version ORDER BY s.nth) INTO versions
    FROM (
        SELECT w.nth, coalesce(
            (SELECT max(e.stream_version) FROM events AS e WHERE e.stream = w.name), 0
        ) AS version
        FROM unnest(streams) WITH ORDINALITY AS w (name, nth)
    ) AS s;

    SELECT array_agg(r.first_position ORDER BY w.nth), array_agg(r.last_position ORDER BY w.nth),
        array_agg(r.content_hash ORDER BY w.nth)
    INTO first_positions, last_positions, stored_hashes
    FROM unnest(digests) WITH ORDINALITY AS w (digest, nth)
    LEFT JOIN LATERAL (
        SELECT * FROM requests WHERE request_digest = w.digest LIMIT 1
    ) AS r ON true;

    conflicts := array_fill(0, ARRAY[appends]);
    FOR i IN 1 .. appends LOOP
        refused := first_positions[i] IS NOT NULL;
        twin := twins[i];
        IF NOT refused AND twin > 0 AND first_positions[twin] IS NOT NULL THEN
            first_positions[i] := first_positions[twin];
            last_positions[i] := last_positions[twin];
            stored_hashes[i] := coalesce(stored_hashes[twin], hashes[twin]);
            refused := true;
        END IF;
        WHILE NOT refused AND guard < guard_ends[i] LOOP
            guard := guard + 1;
            stream := guard_streams[guard];
            IF versions[stream] <> guard_versions[guard] OR spoilt[stream] THEN
                conflicts[i] := stream;
                refused := true;
            END IF;
        END LOOP;
        guard := guard_ends[i];
        IF refused THEN
            -- A later decision of this batch may have been taken on the effects of this one.
            WHILE event < event_ends[i] LOOP
                event := event + 1;
                spoilt[event_streams[event]] := true;
            END LOOP;
            CONTINUE;
        END IF;
        first_positions[i] := place + 1;
        WHILE event < event_ends[i] LOOP
            event := event + 1;
            stream := event_streams[event];
            place := place + 1;
            versions[stream] := versions[stream] + 1;
            positions[event] := place;
            event_versions[event] := versions[stream];
        END LOOP;
        last_positions[i] := place;
    END LOOP;

    INSERT INTO events
        (position, stream, stream_version, event_type, recorded_us, metadata, payload)
    SELECT w.position, streams[w.stream], w.version, event_types[w.kind], stored_us,
        w.metadata, w.payload
    FROM unnest(
        positions, event_streams, event_versions, event_kinds, event_metadata, event_payloads
    ) AS w (position, stream, version, kind, metadata, payload)
    WHERE w.position IS NOT NULL;

    INSERT INTO requests (first_position, last_position, request_digest, content_hash)
    SELECT w.first_position, w.last_position, w.digest, w.hash
    FROM unnest(first_positions, last_positions, digests, hashes, stored_hashes, conflicts)
        AS w (first_position, last_position, digest, hash, stored_hash, conflict)
    WHERE w.first_position IS NOT NULL AND w.stored_hash IS NULL AND w.digest IS NOT NULL;
END
$$;
