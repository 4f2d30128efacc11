SELECT at, id, kind, status, title, items, labels, starts_at, ends_at, author, url, log_partition, log_offset, log_index
FROM signalbox.changes FINAL
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE 1
ORDER BY at DESC, id DESC, log_partition DESC, log_offset DESC, log_index DESC
LIMIT {limit:UInt32}
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

SELECT at, id, kind, status, title, items, labels, starts_at, ends_at, author, url, log_partition, log_offset, log_index
FROM signalbox.changes FINAL
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE arrayExists(x -> x = {p0:String}, items) AND lowerUTF8(title) LIKE {p1:String} AND (at, id, log_partition, log_offset, log_index) < ({p2:DateTime64(9, 'UTC')}, {p3:String}, {p4:UInt16}, {p5:UInt64}, {p6:UInt32})
ORDER BY at DESC, id DESC, log_partition DESC, log_offset DESC, log_index DESC
LIMIT {limit:UInt32}
-- p0 = "sw-1"
-- p1 = "%disk\\_full%"
-- p2 = "2026-01-01 00:00:00.000000000"
-- p3 = "deploy-1"
-- p4 = "0"
-- p5 = "7"
-- p6 = "0"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

