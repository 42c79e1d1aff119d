"""Fakes and harnesses, shipped so that users can test with them too."""
