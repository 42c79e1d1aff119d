"""The contracts: what travels, what lies on disk, and how either is read.

Everything here is a value or a function of values; only `registry` talks to anyone. The
other rooms import this one, and it imports none of them (their errors excepted).

* `types`: the frozen values that travel; `avro/<name>/v<n>.avsc` their schemas.
* `codec`: bytes to values and back, over `avro_schemas`, `avro_values` and `avro_bytes`;
  `registry`: the schema registry, if there is one; `compatibility`: what may change.
* `inputs`: texts from the input topic, as plain text, JSON or Avro.
* `topics`, `headers`: names on the wire.
* `task`, `manifest`, `corpus`, `settings`: files that people and the distill job write.
* `bio`: words and spans.

Two things differ from the obvious. Bytes are walked by a strict check of ours before
fastavro decodes them, because fastavro takes a union index of -1 for the last branch and
counts 2^40 nulls one by one: whatever strangers publish must end as one `DecodeError`,
soon. And timestamps are plain longs, not `timestamp-millis`: as such a logical type, a
long outside the years 1 to 9999 cannot be decoded in Python at all.
"""
