-- How far the topics have been stored. Everything before "done" is in the tables; the block from
-- "done" to "upto" may be. Written before each block, never expires.
CREATE TABLE IF NOT EXISTS {{.Table "positions"}} {{.OnCluster}} (
    topic         LowCardinality(String),
    log_partition UInt16,
    done          UInt64,
    upto          UInt64
)
ENGINE = {{.Engine "ReplacingMergeTree" "positions" "upto"}}
ORDER BY (topic, log_partition)
