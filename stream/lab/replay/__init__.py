"""`silverstream replay`: the whole system, for real, over a labelled corpus, faster than life.

Nothing is simulated but the teacher's mind: the texts go through Kafka, `run tag`,
`run teach`, `teacher-sim`, `bootstrap` and `distill` are the processes that a user would
start, and the replay is one more client that produces texts and reads what comes back.

| file | its one idea |
|---|---|
| `options` | what was asked for, checked |
| `plan` | the order of the stream, the cold start, the rounds |
| `workspace` | the work folder: settings, task file, the teacher's answers |
| `children` | processes that end with us, their logs, how they died |
| `system` | broker, topics, workers and jobs as a user would start them |
| `observations` | what came back, counted (pure) |
| `client` | producing texts and reading the output topics |
| `scoring` | strict F1 of the stream and of the teacher (pure) |
| `rounds` | one round after the other |
| `ceiling` | students trained on all gold, to compare with |
| `result` | the JSON |
| `report` | the HTML page |
"""
