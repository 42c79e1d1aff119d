"""`silverstream demo`: the whole loop on one machine, in a few minutes, with nothing at hand.

The feed is the order desk of an imagined wholesaler (entities), or what customers write to it
(categories): names by the library faker, sentences from templates of ours. Half-way it drifts:
messages come from another system, in new formats, with names of other countries. Everything else
is the product: the broker, the workers, the retraining and its gate are started as a user would
start them.

| file | its one idea |
|---|---|
| `names` | pools of names, disjoint between feed, gold and held-out texts |
| `templates` | the order desk's sentences, disjoint between the feed and the gold |
| `feed` | names put into templates, with exact spans |
| `scripts/` | what is played, for each kind of task |
| `measure` | what the measure is called |
| `setup` | the demo's settings and corpora |
| `trends` | shares over the last records; drift read from what is wanted (pure) |
| `summary` | the figures at the end, as a table and JSON |
| `view` | what a person sees |
| `show` | the flow from cold start to summary |
"""
