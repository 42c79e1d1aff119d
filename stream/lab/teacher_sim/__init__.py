"""An OpenAI-compatible server that replays labelled answers, with latency and faults to order."""
