SELECT log_offset, value
FROM signalbox.events FINAL
WHERE log_partition = {shard:UInt16} AND log_offset < {before:UInt64} AND adopts
ORDER BY log_offset
