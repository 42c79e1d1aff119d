"""The teach role: deferred records to corrections and silver labels."""
