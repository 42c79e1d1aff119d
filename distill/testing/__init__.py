"""Fakes of the batch job, shipped so that users can test with them too."""
