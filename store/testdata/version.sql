SELECT data
FROM signalbox.versions
WHERE id = {id:String}
LIMIT 1
