SELECT at, fingerprint, incident, status, severity, item, labels, annotations, starts_at, ends_at, count, source, generator_url
FROM signalbox.alert_events
WHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')} AND 1
ORDER BY at DESC, fingerprint DESC, incident DESC, status DESC, count DESC
LIMIT 1 BY at, fingerprint, incident, status, count
LIMIT {limit:UInt32}
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

SELECT at, fingerprint, incident, status, severity, item, labels, annotations, starts_at, ends_at, count, source, generator_url
FROM signalbox.alert_events
WHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')} AND match(labels[{p0:String}], {p1:String}) AND NOT (severity = {p2:String}) AND text LIKE {p3:String} AND (at, fingerprint, incident, status, count) < ({p4:DateTime64(9, 'UTC')}, {p5:UInt64}, {p6:String}, {p7:String}, {p8:UInt32})
ORDER BY at DESC, fingerprint DESC, incident DESC, status DESC, count DESC
LIMIT 1 BY at, fingerprint, incident, status, count
LIMIT {limit:UInt32}
-- p0 = "job"
-- p1 = "^(?s:node'.*)$"
-- p2 = "info"
-- p3 = "%disk\\_full%"
-- p4 = "2026-01-01 00:00:00.000000000"
-- p5 = "1"
-- p6 = "inc"
-- p7 = "firing"
-- p8 = "2"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

