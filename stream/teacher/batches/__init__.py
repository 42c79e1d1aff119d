"""The slower lane to the teacher: files of requests, answered within hours (the Batch API)."""
