"""Later revisions: what was published, looked at again by the student, teacher and people of today.

Pure are `times` and `rulings` (what is asked), `standing` (what is on `entities` for each record),
`deciding` and `changes` (what differs); `reading` and `publishing` are the edges to Kafka, `run`
puts them together. Nothing is remembered between two runs: what stands on `entities` tells what is
done, so a run that died is simply run again.
"""
