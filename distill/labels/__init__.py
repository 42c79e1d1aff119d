"""From the labels topic to the labels of a round: journal, snapshot, splits, judges, cold start."""
