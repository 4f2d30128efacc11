-- Every revision of every incident. opened_at never changes, so the revisions of one incident lie
-- side by side, the last one first when read backwards.
CREATE TABLE IF NOT EXISTS {{.Table "incident_revisions"}} {{.OnCluster}} (
    opened_at     DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    id            String CODEC(ZSTD(1)),
    revision      UInt32 CODEC(Delta, ZSTD(1)),
    updated_at    DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    number        String CODEC(ZSTD(1)),
    state         LowCardinality(String),
    severity      LowCardinality(String),
    priority      UInt8,
    title         String CODEC(ZSTD(1)),
    cause         LowCardinality(String),                     -- item of the first cause
    site          LowCardinality(String),
    team          LowCardinality(String),
    services      Array(LowCardinality(String)) CODEC(ZSTD(1)),
    items         Array(String) CODEC(ZSTD(1)),
    alerts        UInt32 CODEC(T64, ZSTD(1)),
    merged_into   String CODEC(ZSTD(1)),
    row           String CODEC(ZSTD(3)),                      -- the public JSON of the row: long and alike
    log_partition UInt16 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(Delta, ZSTD(1)),
    text          String MATERIALIZED lowerUTF8(concat(number, ' ', title, ' ', cause, ' ', arrayStringConcat(items, ' '))) CODEC(ZSTD(1)),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 4,
    INDEX by_number number TYPE bloom_filter(0.001) GRANULARITY 4,
    INDEX by_item items TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_offset log_offset TYPE minmax GRANULARITY 1 -- after a crash: which rows of a stretch of the log are there
)
ENGINE = {{.Engine "ReplacingMergeTree" "incident_revisions"}}
PARTITION BY toYYYYMM(opened_at)
ORDER BY (opened_at, id, revision)
{{.TTL "incident_revisions"}}
SETTINGS {{.Once}}
