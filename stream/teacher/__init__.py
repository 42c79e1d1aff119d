"""The teacher: an LLM behind the `Teacher` protocol, its budget, cache and simulator.

Prompts and answers are pure functions of values (`prompt`, `answers`); HTTP,
clocks and files are at the edge (`openai_teacher`, `store`, `simulator`).
"""
