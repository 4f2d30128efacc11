SELECT tupleElement(max((upto, done)) AS p, 2), tupleElement(p, 1)
FROM signalbox.positions
WHERE topic = {topic:String} AND log_partition = {partition:UInt16}
