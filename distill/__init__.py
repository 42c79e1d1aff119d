"""The batch job: from silver labels to the next student, or to a reasoned refusal.

::

    silver-labels ─▶ snapshot ─▶ splits ─▶ train ─▶ export, calibrate ─▶ evaluate ─▶ gate
                                                                                    │
                                promotions ◀─ bundle store ◀────── promoted ────────┤
                                decision.json ◀────────────────── either way ───────┘

`round` runs this line once and is all that the command line needs: `stand` (what there is to go
by), `making`, `trial`, `promote`, `archive`. `bootstrap` makes the first labels, `rollback` goes
back. What decides is pure and stands alone: `scoring` (strict span F1 and
its bootstrap intervals), `splits` (which label serves which purpose, by hash), `judges` (who
judges), `gate` (may the challenger replace the champion). Kafka sits behind `journal`,
torch behind `making`: both are protocols, with fakes in `fakes`.

Decisions that the design page leaves open:

* **One log, first writer wins.** `promotions` has no transactions to lean on (the embedded broker
  has none), so each entry carries its sequence number and the earliest entry with the next
  number counts; a writer reads back what it wrote and says so when it lost.
* **The first student** has no champion to beat and, without gold, no audits to be judged on: the
  held-back fifth of the cold-start labels judges it, against `gate.min_f1`. Calibration uses
  these labels too, but it maps the confidence alone and moves no span, so F1 on them is honest.
* **A changed task is another question.** Labels made under another task digest are left out and
  counted; a champion of another task digest is no champion of this one.
* **Refused candidates keep their manifest and decision for ever**, their weights for a few rounds.
"""
