-- The estates and rules that records have adopted, whole. An id follows from the bytes, so storing
-- one again changes nothing. They never expire, as the records that adopt them do not.
CREATE TABLE IF NOT EXISTS {{.Table "versions"}} {{.OnCluster}} (
    id   String,
    data String CODEC(ZSTD(3)) -- megabytes of text, read rarely
)
ENGINE = {{.Engine "ReplacingMergeTree" "versions"}}
ORDER BY id
SETTINGS index_granularity = 1, {{.Once}}
