"""What touches Kafka: clients, topics, lanes, dead letters, logs, the embedded broker.

Where this differs from the first design, and why:

* Backpressure does not pause partitions. aiokafka 0.14 throws away what it has fetched
  for a partition when that is paused, and fetches it again. Each lane asks `getmany` for its
  own partition, and only when it wants a batch; aiokafka then holds one fetch (1 MiB) per
  partition and sends no other. The bound is the same, the work is done once.
* A fenced lane asks the group whether it still owns its partition before it halts. The broker
  also fences a producer whose transaction timed out, as in an outage longer than
  `transaction_timeout_ms`, and that must pass by itself.
* An output that the broker refuses, as too large say, becomes a dead letter, found by
  sending the batch again record by record.
"""
