SELECT row
FROM signalbox.incident_revisions
WHERE id = {id:String} OR number = {id:String}
ORDER BY revision DESC
LIMIT 1 BY id, revision
LIMIT {limit:UInt32}
