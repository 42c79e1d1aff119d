"""What is asked of a text, one file a kind: how it is put into words, and how answers are read.

`kind` has the seam and chooses; prompt, client, ledger and simulator ask the seam alone.
"""
