-- The timelines of incidents; the public topic keeps them for 30 days after closing, this table longer.
CREATE TABLE IF NOT EXISTS {{.Table "timeline"}} {{.OnCluster}} (
    incident      String CODEC(ZSTD(1)),
    seq           UInt32 CODEC(Delta, ZSTD(1)),
    at            DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    author        LowCardinality(String),
    kind          LowCardinality(String),
    text          String CODEC(ZSTD(1)),
    entry         String CODEC(ZSTD(3)),                      -- the public JSON of the entry
    log_partition UInt16 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(Delta, ZSTD(1)),
    INDEX by_offset log_offset TYPE minmax GRANULARITY 1 -- after a crash: which rows of a stretch of the log are there
)
ENGINE = {{.Engine "ReplacingMergeTree" "timeline"}}
PARTITION BY toYYYYMM(at)
ORDER BY (incident, seq)
{{.TTL "timeline"}}
SETTINGS {{.Once}}
