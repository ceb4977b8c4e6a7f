-- Rare facts are asked for by type ("every plan commitment").
CREATE INDEX events_by_type ON events (event_type, position);
