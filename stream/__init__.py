"""The streaming half of Silverstream; `app` composes a worker out of the rooms beside it.

Nothing here imports torch or transformers. docs/architecture.md says who may import whom.
"""
