"""What is asked of a teacher that writes texts: plans, names, texts, verdicts. Pure.

Each file has a question's words and reads its answer. Sources: attributes drawn first and texts
afterwards, Yu et al. (2023), "AttrPrompt", arXiv 2306.15895; entities listed first, and doubted
labels asked about again, Heng et al. (2024), "ProgGen", arXiv 2403.11103.
"""
