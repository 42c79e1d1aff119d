"""What travels on Kafka: names, headers, formats, Avro and the schema registry."""
