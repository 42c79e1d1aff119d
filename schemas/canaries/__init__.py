"""Canaries: whether the teacher is still the one whose labels were learnt; pure."""
