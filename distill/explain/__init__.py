"""Looking back: how a record came to be what it is, and how a student came to be.

Edges are `traces` (what Kafka still has of a record) and `rounds` (what the archive has of rounds);
`record` and `lineage` put what was read into facts, `words` and `page` show these: pure.
"""
