"""What touches Kafka: clients, topics, topics read as logs, promotions, dead letters, lanes.

What differs from the obvious, and why, stands in docs/architecture.md.
"""
