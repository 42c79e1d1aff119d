"""The sentences of the messages, by pool and category: no pool has one of another's.

A frame goes around each; what is in it says nothing of the category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from stream.lab.demo.names import Pool

MESSAGE = "<message>"
"""Where a frame takes the message."""

ByPool: TypeAlias = Mapping[str, Sequence[str]]
"""Sentences by category."""

EARLY_FRAMES = (
    MESSAGE,
    f"Hello, {MESSAGE}",
    f"Dear team, {MESSAGE} Regards, {{person}}",
    f"{MESSAGE} {{person}}, {{company}}",
    f"Good morning from {{city}}. {MESSAGE}",
    f"This is {{person}}, customer {{number}}. {MESSAGE}",
)

LATE_FRAMES = (
    f"[{{time}}] {MESSAGE}",
    f"{MESSAGE} // {{company}}",
    f"web;{{number}};{{city}};{MESSAGE}",
    f"<{{person}}> {MESSAGE}",
    f"{{time}} #{{number}} {MESSAGE}",
)

EARLY: Mapping[Pool, ByPool] = {
    "feed": {
        "complaint": (
            "The {product} arrived broken and nobody apologised.",
            "I have been waiting for my {product} for {number} days, this is a disgrace.",
            "You charged me twice for the {product}.",
            "The box from {city} was damaged and half of it was missing.",
            "Your driver was rude to {person} on {day}.",
            "The {product} stopped working after one day, I am very unhappy.",
            "Once more the wrong {product} was delivered to us.",
            "Nobody answers the phone, your service is terrible.",
            "The {product} makes an awful noise and smells of smoke.",
            "We are disappointed, the invoice is wrong again.",
        ),
        "order": (
            "Please send {number} units of the {product} to {city}.",
            "We would like to order {number} boxes of the {product}.",
            "I want to buy a {product}, ship it to {person} please.",
            "Put us down for another {number} pieces of the {product}.",
            "{company} needs {number} more of the {product} by {day}.",
            "Kindly book the {product} for {company} and send the invoice to {city}.",
            "I will take the {product} and the {product}, please.",
            "Same order as last month for {company}: {number} of the {product}.",
            "Please reserve {number} units of the {product} in our name.",
            "Add a {product} to our next delivery on {day}.",
        ),
        "question": (
            "Is the {product} in stock in {city}?",
            "How long does delivery to {city} take?",
            "Could you tell me who my contact at {company} is?",
            "What does the {product} weigh?",
            "Do you ship on {day} too?",
            "When will the price list for next year come out?",
            "Which {product} fits the old model?",
            "Does the {product} come with a cable?",
            "I wonder whether {company} sells spare parts for the {product}.",
            "Where can I find the manual for the {product}?",
        ),
        "praise": (
            "The {product} works perfectly, thank you so much.",
            "{person} was very kind and helped us at once.",
            "Great service, we are delighted with the {product}.",
            "I just want to say how happy we are with {company}.",
            "Fast delivery to {city}, well done!",
            "Many compliments to {person}, the best adviser we ever had.",
            "We love the new {product}, it is excellent.",
            "Everything came on time and nicely packed, bravo.",
            "Five stars for the friendly people in {city}.",
            "The {product} is even better than we hoped.",
        ),
        "cancellation": (
            "Please cancel order {number} for the {product}.",
            "We no longer need the {product}, take it off our order.",
            "I want to end my contract with {company} on {day}.",
            "Stop the delivery to {city}, we have changed our minds.",
            "{company} withdraws from the purchase of the {product}.",
            "Kindly close my account {number}.",
            "Do not send the {product}, the project was called off.",
            "I hereby terminate the service plan for the {product}.",
            "Remove all open orders of {company} from your books.",
            "I unsubscribe from the monthly parcel as of {day}.",
        ),
    },
    "gold": {
        "complaint": (
            "My {product} came with a crack and a missing screw.",
            "It is the third time that {city} gets the wrong goods.",
            "I am angry, {person} promised a call and never rang.",
            "The {product} is faulty and I want that put right.",
        ),
        "order": (
            "{company} would like {number} of the {product}, deliver to {city}.",
            "Please ship a {product} to our branch in {city}.",
            "We need {number} units of the {product}, send the invoice to {person}.",
            "I order {number} pieces of the {product} for {day}.",
        ),
        "question": (
            "Can you tell us when the {product} will be in stock?",
            "Who is responsible for deliveries to {city}?",
            "How much is the {product} for {company}?",
            "Do you know whether the {product} fits a small room?",
        ),
        "praise": (
            "We are very happy with the {product}, great work.",
            "Thank you, {person}, that was excellent help.",
            "The people at {company} are wonderful.",
            "Perfect, the {product} arrived early and runs well.",
        ),
        "cancellation": (
            "I would like to cancel the {product} that I ordered on {day}.",
            "Please stop order {number}, we do not need it any more.",
            "{company} ends the contract for the {product}.",
            "Take {company} off the list, we terminate our account.",
        ),
    },
    "held_out": {
        "complaint": (
            "What arrived in {city} was damaged, and the {product} is useless.",
            "This is unacceptable, we still wait for the {product}.",
            "The {product} broke on {day} and nobody cares.",
            "{company} was billed for a {product} that never came.",
        ),
        "order": (
            "Please deliver {number} of the {product} to {company}.",
            "We want to buy {number} units of the {product} for {city}.",
            "Could {person} get two more boxes of the {product} sent by {day}, please.",
            "Book {number} pieces of the {product} for us.",
        ),
        "question": (
            "What is the price of the {product}?",
            "Does {company} deliver to {city} on {day}?",
            "Where do I see the status of shipment {number}?",
            "Is there a bigger {product}?",
        ),
        "praise": (
            "Thanks to {person} for the great advice.",
            "The {product} is fantastic, we love it.",
            "Very friendly service in {city}, we will recommend you.",
            "Well done, the {product} came sooner than we hoped.",
        ),
        "cancellation": (
            "Cancel the {product} for {company}, please.",
            "I do not want the {product} any longer, stop the parcel.",
            "We withdraw order {number}.",
            "Please end my subscription on {day}.",
        ),
    },
}

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
