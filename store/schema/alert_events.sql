-- What became of every alert: one row each time an alert in an incident (or outside all) changed.
-- Sorted by time because people ask for a window of it; skip indexes serve the rest. Rows that an
-- owner of the shard has published again after a crash are equal and merge into one.
CREATE TABLE IF NOT EXISTS {{.Table "alert_events"}} {{.OnCluster}} (
    at            DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)), -- nearly sorted: differences are small
    fingerprint   UInt64 CODEC(ZSTD(1)),
    incident      String CODEC(ZSTD(1)),                      -- '' when no incident holds it
    status        LowCardinality(String),
    severity      LowCardinality(String),
    item          LowCardinality(String),                     -- '' when not bound
    alertname     LowCardinality(String) MATERIALIZED labels['alertname'],
    labels        Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    annotations   Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    starts_at     DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    ends_at       DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)), -- 1970: none
    count         UInt32 CODEC(T64, ZSTD(1)),
    source        LowCardinality(String),
    generator_url String CODEC(ZSTD(1)),
    log_partition UInt16 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(Delta, ZSTD(1)),
    -- What a bare word searches, in lower case.
    text          String MATERIALIZED lowerUTF8(concat(item, ' ', arrayStringConcat(mapValues(labels), ' '), ' ', arrayStringConcat(mapValues(annotations), ' '))) CODEC(ZSTD(1)),
    INDEX by_incident incident TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_item item TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_label mapValues(labels) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_text text TYPE ngrambf_v1(3, 8192, 2, 0) GRANULARITY 4,
    INDEX by_offset log_offset TYPE minmax GRANULARITY 1 -- after a crash: which rows of a stretch of the log are there
)
ENGINE = {{.Engine "ReplacingMergeTree" "alert_events"}}
PARTITION BY toYYYYMM(at)
ORDER BY (at, fingerprint, incident, status, count)
{{.TTL "alert_events"}}
SETTINGS {{.Once}}
