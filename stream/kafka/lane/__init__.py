"""One lane an input partition: fetch, process, deliver, commit, with either guarantee."""
