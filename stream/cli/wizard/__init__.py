"""`silverstream new`: from a person's sentence to a serving stream.

The story (`story`) is a plain function that asks and pays as it goes. What was said and what was
paid for stands in a session file, and the story is told anew from the beginning whenever it must
be, with what is known already: so a session that was cut off goes on, nothing is asked or paid
twice, and to go back is to forget the last answer. Lines of text at a prompt are all that it
needs, so it takes no library for terminals: it works over ssh, for screen readers and at a pipe.
"""
