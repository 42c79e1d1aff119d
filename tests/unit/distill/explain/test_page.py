from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from distill.explain.page import marked, record_page
from distill.explain.record import Rationale, explanation
from distill.explain.traces import Traces
from schemas.types import Category, Entity
from schemas.wire.record_ids import Place
from stream.testing.messages import a_label, an_event

EVIL = "<script>alert(1)</script> & \"Ada\" <img src=x onerror='alert(2)'>"
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "mark", "small",
    "table", "tr", "th", "td",
}  # fmt: skip


class Tags(HTMLParser):
    """The tags of a page, and whatever its texts say."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def page(**changes: Any) -> tuple[str, Tags]:
    """The page of a record in which everything that others wrote is evil."""
    event = an_event(
        reason=EVIL, student_version=EVIL, teacher_model=EVIL, prompt_version=EVIL, **changes
    )
    label = a_label(text=EVIL, teacher_model=EVIL, prompt_version=EVIL, **changes)
    letter = {"code": EVIL, "message": EVIL, "at_ms": ""}
    traces = Traces(
        "text-0-0",
        Place("text", 0, 0),
        "there",
        [],
        text=EVIL,
        timestamp_ms=1,
        events=(event,),
        labels=(label,),
        letters=(letter,),
    )
    facts = explanation(
        traces,
        learnt=[],
        todays=(),
        asked=None,
        prices={"": (0.4, 1.6)},
        rationale=Rationale(said=EVIL, model=EVIL, at_ms=1, usd=0.0),
        missing=[EVIL],
    )
    html, found = record_page(facts), Tags()
    found.feed(html)
    return html, found


@pytest.mark.parametrize(
    "said",
    [
        {"entities": (Entity(10, 40, "<b>", EVIL[10:40], 0.5),)},
        {"categories": (Category("<b onclick=alert(3)>"),)},
    ],
)
def test_nothing_that_others_wrote_becomes_a_tag(said: Any) -> None:
    html, found = page(**said)
    assert found.tags <= ALLOWED
    assert found.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "<script" not in html
    assert EVIL in found.text


def test_the_page_loads_and_runs_nothing() -> None:
    html, found = page()
    assert "default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;" in html
    assert not {"src", "href"} & found.attributes
    assert "url(" not in html
    assert "@import" not in html


def test_entities_are_marked_where_they_stand() -> None:
    said = {
        "entities": [
            {"start": 8, "end": 12, "label": "LOC"},
            {"start": 0, "end": 3, "label": "PER"},
        ],
        "categories": [],
    }
    assert marked("Ada & in Oslo", {**said, "entities": said["entities"][1:]}) == (
        "<mark>Ada<small>PER</small></mark> &amp; in Oslo"
    )
    assert marked("Ada met Oslo", said) == (
        "<mark>Ada<small>PER</small></mark> met <mark>Oslo<small>LOC</small></mark>"
    )


def test_categories_stand_behind_the_text() -> None:
    said = {"entities": [], "categories": [{"label": "very <glad>"}]}
    assert marked("Yes", said) == "Yes <mark><small>very &lt;glad&gt;</small></mark>"
