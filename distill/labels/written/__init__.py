"""Text from nothing: a teacher writes the texts of the cold start, labels them, doubts its labels.

Four passes, each of whose answers is kept in the run's folder before anything is made of it:
`passes` asks, `drawing` says what is asked next, `collection` takes texts in or drops them,
`doubting` finds the labels that are least sure, `rulings` applies what was said of those.
"""
