"""The notes after the drift, out of another system: no pool has one of another's."""

from __future__ import annotations

from collections.abc import Mapping

from stream.lab.demo.names import Pool
from stream.lab.demo.scripts.message_templates import MESSAGE, ByPool

LATE_FRAMES = (
    f"[{{time}}] {MESSAGE}",
    f"{MESSAGE} // {{company}}",
    f"web;{{number}};{{city}};{MESSAGE}",
    f"<{{person}}> {MESSAGE}",
    f"{{time}} #{{number}} {MESSAGE}",
)

LATE: Mapping[Pool, ByPool] = {
    "feed": {
        "complaint": (
            "RMA item={product} cond=DOA",
            "RMA {product} short-shipped, agent={person}",
            "sev2 {product} dead on arr",
            "esc lvl2 {person}: ETA missed x{number}",
            "CSAT=1 {product}",
            "RMA qty={number} cond=dented loc={city}",
            "sev1 dup charge acct={number}",
            "esc {company}: no callback since {day}",
        ),
        "order": (
            "PO#{number} {product} qty={number}",
            "PO {product} x{number} shipto={city}",
            "+{number} pcs {product} acct={company}",
            "req qty={number} {product} ETA {day}",
            "PO rpt last: {product}",
            "basket={product},{product} chk=OK",
            "+1 {product} rcpt={person}",
            "SO draft {product} qty={number}",
        ),
        "question": (
            "RFI {product} dims",
            "RFI stock {product} @ {city}",
            "?? leadtime {city}",
            "RFQ {product} vol={number}",
            "?? compat {product} / {product}",
            "info req: hrs {day}",
            "RFI contact for {company}",
            "info req: docs {product}",
        ),
        "praise": (
            "NPS=10 {product}",
            "CSAT=5 agent={person}",
            "+++ {person} top",
            "NPS=9 dlv {city} on time",
            "kudos -> {person}",
            "+++ {product} runs fine",
            "CSAT=5 {product} ty",
            "kudos team {city}",
        ),
        "cancellation": (
            "CXL PO#{number}",
            "CXL {product} qty={number}",
            "void SO {number} {product}",
            "acct={company} churn eff. {day}",
            "CXL all acct={number}",
            "void shipto={city}",
            "churn {person} plan={product}",
            "opt-out list={number}",
        ),
    },
    "gold": {
        "complaint": (
            "RMA#{number} {product} cond=cracked",
            "sev1 {product} no power",
            "esc lvl1 agent={person}: late",
            "CSAT=1 dlv {city}",
        ),
        "order": (
            "PO acct={company} {product} x{number}",
            "+{number} {product} shipto={city}",
            "SO {product} qty={number} rcpt={person}",
            "req {product} x{number} by {day}",
        ),
        "question": (
            "RFI leadtime {product}",
            "?? stock {city}",
            "RFQ {product}, {product}",
            "info req: contact {city}",
        ),
        "praise": (
            "NPS=10 agent={person}",
            "kudos {company}",
            "+++ dlv {city}",
            "CSAT=5 {product} vg",
        ),
        "cancellation": (
            "CXL shipto={city} {product}",
            "void PO#{number}",
            "churn acct={company}",
            "CXL plan={product} eff. {day}",
        ),
    },
    "held_out": {
        "complaint": (
            "RMA {product} cond=wrong item",
            "sev2 acct={number} dup bill",
            "esc {person}: {product} late",
            "CSAT=1 agent={person}",
        ),
        "order": (
            "PO {company} qty={number} {product}",
            "+{number} pcs {product} ETA {day}",
            "SO#{number} {product}",
            "req {product} qty={number} shipto={city}",
        ),
        "question": (
            "RFI {product} weight",
            "?? {product} in {city}",
            "RFQ vol={number} {product}",
            "info req: leadtime {city}",
        ),
        "praise": (
            "NPS=10 {city}",
            "kudos {person} for {product}",
            "+++ {company}",
            "CSAT=5 dlv {day}",
        ),
        "cancellation": (
            "CXL {product} acct={company}",
            "void {product} x{number}",
            "churn {company} eff. {day}",
            "CXL SO {number}",
        ),
    },
}
