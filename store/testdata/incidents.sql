SELECT opened_at, id, row
FROM signalbox.incident_revisions
WHERE (opened_at, id, revision) IN (
    SELECT opened_at, id, revision
    FROM (
        SELECT * EXCEPT row, text FROM signalbox.incident_revisions
        PREWHERE opened_at >= {from:DateTime64(9, 'UTC')} AND opened_at < {to:DateTime64(9, 'UTC')}
        ORDER BY opened_at DESC, id DESC, revision DESC
        LIMIT 1 BY opened_at, id
    )
    WHERE 1
    ORDER BY opened_at DESC, id DESC
    LIMIT {limit:UInt32}
)
ORDER BY opened_at DESC, id DESC
LIMIT 1 BY opened_at, id
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

SELECT opened_at, id, row
FROM signalbox.incident_revisions
WHERE (opened_at, id, revision) IN (
    SELECT opened_at, id, revision
    FROM (
        SELECT * EXCEPT row, text FROM signalbox.incident_revisions
        PREWHERE opened_at >= {from:DateTime64(9, 'UTC')} AND opened_at < {to:DateTime64(9, 'UTC')}
        ORDER BY opened_at DESC, id DESC, revision DESC
        LIMIT 1 BY opened_at, id
    )
    WHERE NOT (arrayExists(x -> match(x, {p0:String}), items)) AND priority <= {p1:Float64} AND text LIKE {p2:String} AND (opened_at, id) < ({p3:DateTime64(9, 'UTC')}, {p4:String})
    ORDER BY opened_at DESC, id DESC
    LIMIT {limit:UInt32}
)
ORDER BY opened_at DESC, id DESC
LIMIT 1 BY opened_at, id
-- p0 = "^(?s:sw-.*)$"
-- p1 = "2"
-- p2 = "%disk\\_full%"
-- p3 = "2026-01-01 00:00:00.000000000"
-- p4 = "inc"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

