"""Promises: what the student may be relied on for, proved from audits and watched while it runs.

Pure, and without numpy or scipy: distill proves with it, and so does a worker of the streaming image.
"""
