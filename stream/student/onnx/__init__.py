"""What may be in a model file: read in its one canonical form, and held against an allow-list."""
