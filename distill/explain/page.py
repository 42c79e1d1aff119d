"""An explanation as one page of HTML that needs nothing beside it. Pure.

Texts are strangers': every value is escaped, there is no script, and the page forbids itself to
load or run anything, should an escape ever be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from distill.explain.words import moment, record_steps

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2430; background: #f5f5f2;
       margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.text { background: #fff; border: 1px solid #dcdcd6; border-radius: 6px; padding: .75rem 1rem;
        white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: #dcebff; border-radius: 3px; padding: 0 .15em; }
mark small { color: #33527a; margin-left: .3em; }
table { border-collapse: collapse; width: 100%; background: #fff; font-size: .9rem; }
th, td { padding: .4rem .6rem; border: 1px solid #dcdcd6; text-align: left; vertical-align: top;
         overflow-wrap: anywhere; }
th { background: #ecece6; font-weight: 600; width: 7rem; }
.missing td { color: #7a4b12; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def record_page(facts: Mapping[str, Any]) -> str:
    """Render the facts of `distill.explain.record.explanation`."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    title = escape(facts["record_id"])
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{title}</h1>"
    text = facts["text"]
    if text["timestamp_ms"]:
        yield f"<p>written at {escape(moment(text['timestamp_ms']))} UTC</p>"
    if text["value"] is not None:
        yield "<h2>What stands</h2>"
        yield f'<div class="text">{marked(text["value"], standing(facts))}</div>'
    yield "<h2>How it came to be</h2>\n<table>"
    for name, words in record_steps(facts):
        kind = ' class="missing"' if name == "missing" else ""
        yield f"<tr{kind}><th>{escape(name)}</th><td>{escape(words)}</td></tr>"
    yield "</table>\n</body>\n</html>"


def standing(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what stands of the text: its event of the highest revision, else its label."""
    said: Sequence[Mapping[str, Any]] = [*facts["events"][-1:], *facts["labels"][:1]]
    return said[0] if said else {"entities": [], "categories": []}


def marked(text: str, said: Mapping[str, Any]) -> str:
    """Mark the entities in the text, and set its categories behind it; everything is escaped."""
    parts, done = [], 0
    for entity in sorted(said["entities"], key=lambda one: one["start"]):
        start, end = entity["start"], entity["end"]
        parts.append(escape(text[done:start]))
        label = escape(entity["label"])
        parts.append(f"<mark>{escape(text[start:end])}<small>{label}</small></mark>")
        done = end
    parts.append(escape(text[done:]))
    categories = [escape(category["label"]) for category in said["categories"]]
    return "".join([*parts, *(f" <mark><small>{label}</small></mark>" for label in categories)])
