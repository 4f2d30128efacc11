SELECT toDateTime64(intDiv(toUnixTimestamp64Milli(at), {step:Int64}) * {step:Int64} / 1000, 3, 'UTC') AS bucket, severity, count()
FROM (SELECT at, severity, item, incident, source, labels, text, status FROM signalbox.alert_events FINAL
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE status = 'firing' AND 1)
GROUP BY bucket, severity
ORDER BY bucket, severity
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

SELECT toDateTime64(intDiv(toUnixTimestamp64Milli(at), {step:Int64}) * {step:Int64} / 1000, 3, 'UTC') AS bucket, severity, count()
FROM (SELECT at, severity, item, incident, source, labels, text, status FROM signalbox.alert_events FINAL
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE status = 'firing' AND match(labels[{p0:String}], {p1:String}) AND item = {p2:String} AND text LIKE {p3:String})
GROUP BY bucket, severity
ORDER BY bucket, severity
-- p0 = "job"
-- p1 = "^(?s:node'.*)$"
-- p2 = "sw-1"
-- p3 = "%disk\\_full%"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

