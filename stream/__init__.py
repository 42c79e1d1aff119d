"""The streaming half of Silverstream: lanes, routing, the teach agent, hot swap, the command line.

`student`, `teacher` and `kafka` are rooms that do not know each other; the
modules beside them put them together, and `app` composes one worker out of
them all. Nothing here imports torch or transformers.
"""
