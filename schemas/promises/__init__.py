"""Promises: what the student may be relied on for, proved from audits, watched while it runs.

Pure, and without numpy or scipy: distill proves with it, and a worker of the streaming image
watches with it.
"""
