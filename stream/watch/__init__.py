"""What a worker tells of itself: Prometheus metrics and logs."""
