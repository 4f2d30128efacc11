-- Which versions of the schema have been applied.
CREATE TABLE IF NOT EXISTS history.migrations ON CLUSTER main (
    version    UInt32,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/migrations', '{replica}')
ORDER BY version;

-- How far the topics have been stored. Everything before "done" is in the tables; the block from
-- "done" to "upto" may be. Written before each block, never expires.
CREATE TABLE IF NOT EXISTS history.positions ON CLUSTER main (
    topic         LowCardinality(String),
    log_partition UInt16,
    done          UInt64,
    upto          UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/positions', '{replica}', upto)
ORDER BY (topic, log_partition);

-- What became of every alert: one row each time an alert in an incident (or outside all) changed.
-- Sorted by time because people ask for a window of it; skip indexes serve the rest. Rows that an
-- owner of the shard has published again after a crash are equal and merge into one.
CREATE TABLE IF NOT EXISTS history.alert_events ON CLUSTER main (
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/alert_events', '{replica}')
PARTITION BY toYYYYMM(at)
ORDER BY (at, fingerprint, incident, status, count)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- Every revision of every incident. opened_at never changes, so the revisions of one incident lie
-- side by side, the last one first when read backwards.
CREATE TABLE IF NOT EXISTS history.incident_revisions ON CLUSTER main (
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/incident_revisions', '{replica}')
PARTITION BY toYYYYMM(opened_at)
ORDER BY (opened_at, id, revision)
TTL toDateTime(updated_at) + INTERVAL 90 DAY
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- The timelines of incidents; the public topic keeps them for 30 days after closing, this table longer.
CREATE TABLE IF NOT EXISTS history.timeline ON CLUSTER main (
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/timeline', '{replica}')
PARTITION BY toYYYYMM(at)
ORDER BY (incident, seq)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- Changes as they were reported; a later report of the same id is a row of its own.
CREATE TABLE IF NOT EXISTS history.changes ON CLUSTER main (
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/changes', '{replica}')
PARTITION BY toYYYYMM(at)
ORDER BY (at, id, log_partition, log_offset, log_index)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- Every input of the engine as it lies in the log, for replays of what the log no longer holds.
-- Sorted as in the log, because a replay reads a stretch of one shard in order. What adopts an
-- estate or rules never expires: it decides how everything after it is read.
CREATE TABLE IF NOT EXISTS history.events ON CLUSTER main (
    log_partition UInt16 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(Delta, ZSTD(1)),
    at            DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)), -- the record's time
    adopts        Bool,
    value         String CODEC(ZSTD(3)),                      -- the record (protobuf): large, alike, read rarely
    INDEX by_time at TYPE minmax GRANULARITY 1                -- time runs with the offset, so a window is a stretch
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/events', '{replica}')
PARTITION BY toYYYYMM(at)
ORDER BY (log_partition, log_offset)
TTL toDateTime(at) + INTERVAL 30 DAY DELETE WHERE NOT adopts
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- The estates and rules that records have adopted, whole. An id follows from the bytes, so storing
-- one again changes nothing. They never expire, as the records that adopt them do not.
CREATE TABLE IF NOT EXISTS history.versions ON CLUSTER main (
    id   String,
    data String CODEC(ZSTD(3)) -- megabytes of text, read rarely
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/versions', '{replica}')
ORDER BY id
SETTINGS index_granularity = 1, replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- Which series had samples on a day: labels are kept once a day instead of once a sample. Sorted
-- by name first, because questions name the metric.
CREATE TABLE IF NOT EXISTS history.series ON CLUSTER main (
    day    Date,
    name   LowCardinality(String),                            -- label __name__
    id     UInt64 CODEC(ZSTD(1)),                             -- hash of the labels: nothing to gain from differences
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/series', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (name, day, id)
TTL day + INTERVAL 30 DAY
SETTINGS replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

-- Telemetry: one row a sample. Sorted by series, then time: a question reads stretches of a few
-- series, and neighbours in a column are alike.
CREATE TABLE IF NOT EXISTS history.samples ON CLUSTER main (
    series UInt64 CODEC(Delta, ZSTD(1)),                      -- long runs of one value
    at     DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),  -- scraped at a steady pace
    value  Float64 CODEC(Gorilla, ZSTD(1))                    -- close to the one before
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/history/samples', '{replica}')
PARTITION BY toMonday(at)                                     -- few parts in a block, whole parts to drop
ORDER BY (series, at)
TTL toDateTime(at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800;

