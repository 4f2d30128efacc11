-- Which series had samples on a day: labels are kept once a day instead of once a sample. Sorted
-- by name first, because questions name the metric.
CREATE TABLE IF NOT EXISTS {{.Table "series"}} {{.OnCluster}} (
    day    Date,
    name   LowCardinality(String),                            -- label __name__
    id     UInt64 CODEC(ZSTD(1)),                             -- hash of the labels: nothing to gain from differences
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = {{.Engine "ReplacingMergeTree" "series"}}
PARTITION BY toYYYYMM(day)
ORDER BY (name, day, id)
{{.TTL "series"}}
SETTINGS {{.Once}}
