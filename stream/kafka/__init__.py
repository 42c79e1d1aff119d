"""What touches Kafka: clients, topics, lanes, dead letters, logs, the embedded broker."""
