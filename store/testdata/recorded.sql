SELECT log_offset, value
FROM signalbox.events
WHERE log_partition = {shard:UInt16} AND log_offset < {before:UInt64} AND NOT adopts
AND at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
ORDER BY log_offset
LIMIT 1 BY log_offset
