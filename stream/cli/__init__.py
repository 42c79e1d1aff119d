"""The command line, and the compositions of everything: replay, demo, doctor."""
