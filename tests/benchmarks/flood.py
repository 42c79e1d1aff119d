"""What a flood takes of the questions, and what collapsing repeats costs on texts that are none.

`python -m tests.benchmarks.flood [CORPUS.jsonl ...]` writes JSON; some seconds, no broker.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from schemas.files.corpus import read_corpus
from schemas.near_duplicates import ONE_TEXT, NearDuplicates
from schemas.settings import QuotaSettings, RoutingSettings
from schemas.types import RoutingPolicy, text_digest
from stream.tag.routing import Router

RECORDS, FLOODED = 10_000, 10
POLICY = RoutingPolicy(threshold=0.9, audit_share=0.02, audit_seed=0)


def flood(quotas: QuotaSettings) -> dict[str, int]:
    """Let every tenth record be a flooder's, each another text and less sure than all others."""
    lot, granted = random.Random(1), Counter[str]()  # repeatable, no secret
    router = Router(RoutingSettings(budget_share=0.1, quotas=quotas))
    for number in range(RECORDS):
        flooder = number % FLOODED == 0
        confidence = lot.uniform(0.0, 0.1) if flooder else lot.uniform(0.1, 1.0)
        producer = "flooder" if flooder else f"honest {number % 7}"
        decision = router.decide(
            confidence, text_digest(f"text {number}"), POLICY, producer=producer
        )
        granted["flooder" if flooder else "others"] += decision.granted
    return dict(granted)


def repeats(path: Path) -> dict[str, Any]:
    """Ask about every text of a corpus that the last 1,000 asked about do not repeat."""
    texts = [example.text for example in read_corpus(path)]
    taken, started = NearDuplicates(similar=ONE_TEXT, most=1000), time.process_time()
    found: Counter[str] = Counter(taken.take(text) or "asked" for text in texts)
    cpu_us = (time.process_time() - started) / len(texts) * 1e6
    return {"corpus": str(path), "texts": len(texts), **found, "cpu_us_per_text": round(cpu_us)}


if __name__ == "__main__":
    figures = {
        "without_quotas": flood(QuotaSettings()),
        "with_quotas": flood(QuotaSettings(source_header="tenant")),
        "repeats": [repeats(Path(path)) for path in sys.argv[1:]],
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
