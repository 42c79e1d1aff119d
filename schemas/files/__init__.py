"""Files that people and the batch job write: task, corpora, manifest, few-shot examples."""
