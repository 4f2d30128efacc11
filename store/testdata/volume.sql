SELECT toDateTime64(intDiv(toUnixTimestamp64Milli(began), {step:Int64}) * {step:Int64} / 1000, 3, 'UTC') AS bucket, grade, count()
FROM (SELECT min(at) AS began, argMin(severity, at) AS grade FROM signalbox.alert_events
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE status = 'firing' AND 1
GROUP BY cityHash64(fingerprint, incident, count))
GROUP BY bucket, grade
ORDER BY bucket, grade
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

SELECT toDateTime64(intDiv(toUnixTimestamp64Milli(began), {step:Int64}) * {step:Int64} / 1000, 3, 'UTC') AS bucket, grade, count()
FROM (SELECT min(at) AS began, argMin(severity, at) AS grade FROM signalbox.alert_events
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE status = 'firing' AND match(labels[{p0:String}], {p1:String}) AND item = {p2:String} AND text LIKE {p3:String}
GROUP BY cityHash64(fingerprint, incident, count))
GROUP BY bucket, grade
ORDER BY bucket, grade
-- p0 = "job"
-- p1 = "^(?s:node'.*)$"
-- p2 = "sw-1"
-- p3 = "%disk\\_full%"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "100"

