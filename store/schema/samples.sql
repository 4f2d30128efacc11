-- Telemetry: one row a sample. Sorted by series, then time: a question reads stretches of a few
-- series, and neighbours in a column are alike.
CREATE TABLE IF NOT EXISTS {{.Table "samples"}} {{.OnCluster}} (
    series UInt64 CODEC(Delta, ZSTD(1)),                      -- long runs of one value
    at     DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),  -- scraped at a steady pace
    value  Float64 CODEC(Gorilla, ZSTD(1))                    -- close to the one before
)
ENGINE = {{.Engine "ReplacingMergeTree" "samples"}}
PARTITION BY toMonday(at)                                     -- few parts in a block, whole parts to drop
ORDER BY (series, at)
{{.TTL "samples"}}
SETTINGS ttl_only_drop_parts = 1, {{.Once}}
