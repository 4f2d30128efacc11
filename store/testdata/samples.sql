SELECT series, at, value
FROM signalbox.samples
PREWHERE series IN (SELECT id FROM signalbox.series
WHERE day >= toDate({from:DateTime64(9, 'UTC')}) AND day <= toDate({to:DateTime64(9, 'UTC')}) AND name = {p0:String} AND NOT (labels[{p1:String}] = {p2:String}))
WHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
ORDER BY series, at
LIMIT 1 BY series, at
LIMIT {limit:UInt32}
-- p0 = "up"
-- p1 = "job"
-- p2 = "node"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "10"
-- series = "10001"

