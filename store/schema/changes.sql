-- Changes as they were reported; a later report of the same id is a row of its own.
CREATE TABLE IF NOT EXISTS {{.Table "changes"}} {{.OnCluster}} (
    at            DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)), -- when it was reported
    id            String CODEC(ZSTD(1)),
    kind          LowCardinality(String),
    status        LowCardinality(String),
    title         String CODEC(ZSTD(1)),
    items         Array(String) CODEC(ZSTD(1)),
    labels        Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    starts_at     DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    ends_at       DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)), -- 1970: none
    author        LowCardinality(String),
    url           String CODEC(ZSTD(1)),
    log_partition UInt16 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(Delta, ZSTD(1)),
    log_index     UInt32 CODEC(T64, ZSTD(1)),                 -- place in its record
    INDEX by_item items TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_offset log_offset TYPE minmax GRANULARITY 1 -- after a crash: which rows of a stretch of the log are there
)
ENGINE = {{.Engine "ReplacingMergeTree" "changes"}}
PARTITION BY toYYYYMM(at)
ORDER BY (at, id, log_partition, log_offset, log_index)
{{.TTL "changes"}}
SETTINGS {{.Once}}
