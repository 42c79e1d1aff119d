"""The distill role of a worker: when a round is due, and running it as a process of its own."""
