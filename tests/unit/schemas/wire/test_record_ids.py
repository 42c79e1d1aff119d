from __future__ import annotations

import hashlib

from schemas.wire.record_ids import record_id, silver_key


def test_a_record_id_names_topic_partition_and_offset() -> None:
    assert record_id("news", 3, 41) == "news-3-41"


def test_a_silver_key_tells_tasks_and_exact_texts_apart() -> None:
    digest = hashlib.sha256("é".encode()).hexdigest()
    assert silver_key("t", "é") == f"t:{digest}".encode()
    keys = {silver_key("t", "é"), silver_key("t", "e\u0301"), silver_key("u", "é")}
    assert len(keys) == 3
