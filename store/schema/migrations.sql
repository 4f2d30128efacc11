-- Which versions of the schema have been applied.
CREATE TABLE IF NOT EXISTS {{.Table "migrations"}} {{.OnCluster}} (
    version    UInt32,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = {{.Engine "ReplacingMergeTree" "migrations"}}
ORDER BY version
