-- Every input of the engine as it lies in the log, for replays of what the log no longer holds.
-- Sorted as in the log, because a replay reads a stretch of one shard in order. What adopts an
-- estate or rules never expires: it decides how everything after it is read.
CREATE TABLE IF NOT EXISTS {{.Table "events"}} {{.OnCluster}} (
    log_partition UInt16 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(Delta, ZSTD(1)),
    at            DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)), -- the record's time
    adopts        Bool,
    value         String CODEC(ZSTD(3)),                      -- the record (protobuf): large, alike, read rarely
    INDEX by_time at TYPE minmax GRANULARITY 1                -- time runs with the offset, so a window is a stretch
)
ENGINE = {{.Engine "ReplacingMergeTree" "events"}}
PARTITION BY toYYYYMM(at)
ORDER BY (log_partition, log_offset)
{{.TTL "events"}}
SETTINGS {{.Once}}
