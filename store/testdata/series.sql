SELECT id, any(labels)
FROM signalbox.series
WHERE day >= toDate({from:DateTime64(9, 'UTC')}) AND day <= toDate({to:DateTime64(9, 'UTC')}) AND name = {p0:String} AND NOT (labels[{p1:String}] = {p2:String})
GROUP BY id
LIMIT {series:UInt32}
-- p0 = "up"
-- p1 = "job"
-- p2 = "node"
-- from = "2026-01-01 00:00:00.000000000"
-- to = "2026-01-01 01:00:00.000000005"
-- limit = "10"
-- series = "10001"

