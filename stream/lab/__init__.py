"""The laboratory, no part of the product: replay, demo, the simulated teacher, what they share."""
