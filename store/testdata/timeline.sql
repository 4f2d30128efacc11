SELECT entry
FROM signalbox.timeline FINAL
WHERE incident = {id:String}
ORDER BY seq DESC
LIMIT {limit:UInt32}
