"""Asking about what a student is unsure of alone: its sure parts are shown, its choices offered.

The answer is joined with what the student is sure of. It is seen with the student's eyes, so that
nobody who judges a student asks like this.
"""
