"""The batch job: from silver labels to the next student, or to a reasoned refusal.

::

    silver-labels ─▶ snapshot ─▶ splits ─▶ train ─▶ export, calibrate ─▶ evaluate ─▶ gate
                                                                                    │
                                promotions ◀─ bundle store ◀────── promoted ────────┤
                                decision.json ◀────────────────── either way ───────┘

`round` walks this line once; docs/architecture.md has the walk, and what differs from the obvious.
"""
