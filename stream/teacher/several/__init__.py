"""Several texts in one call: they are gathered, asked about together, and answered each alone.

What company spoils (an answer that is missing, doubled, numbered wrongly, cut off, or not grounded;
a call that is refused as a whole) is asked again alone: nothing is refused here for good.
"""
