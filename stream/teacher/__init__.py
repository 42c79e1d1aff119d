"""The teacher: an LLM behind the `Teacher` protocol, its budget and its cache.

Prompts and answers are pure functions of values (`prompt`, `answers`); HTTP,
clocks and files are at the edge (`openai_teacher`, `store`).
"""
