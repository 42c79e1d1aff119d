"""The sentences of the demo. `{person}`, `{company}`, `{city}` and `{product}` become entities.

The other slots are filled with words that are none. The templates that judge a student
(`GOLD_…`) are not those of the feed.
"""

from __future__ import annotations

FEED_EARLY = (
    "{person} of {company} ordered {number} units of the {product} for {city}.",
    "Please call {person} back about the {product} before {day}.",
    "{company} wants the invoice sent to {person} in {city}.",
    "Delivery to {city} is late, {person} is not happy at all.",
    "The {product} arrived broken, says {person} from the {city} branch.",
    "{person} and {person} will visit {company} on {day}.",
    "Our {job} {person} has moved from {city} to {city}.",
    "Can {company} return {number} boxes of the {product}?",
    "Is the {product} in stock again? {company} has asked twice.",
    "On {day} {company} opens a new warehouse near {city}.",
    "Thanks {person}, the {product} works fine now.",
    "I spoke with {person}, the {job}, about the contract with {company}.",
    "The {job} in {city} needs a spare part for the {product}.",
    "{company} cancelled order {number} without giving a reason.",
    "Nobody from {company} picked up the phone on {day}.",
    "Mr {person} paid for the {product} in cash.",
    "Meeting moved to {day}, same room, bring the numbers please.",
    "Thanks, that is all for now. Have a good weekend!",
    "The price list for May and June is attached.",
    "Reminder: Order {number} is still open.",
    "Good morning, could somebody look at Ticket {number}?",
    "{person} would like a quote for the {product} and the {product}.",
    "According to {person}, {company} will leave {city} next year.",
    "We met {person} at the Spring Trade Fair in {city}.",
    "Ship the {product} to {person}, {company}, {city}.",
    "Complaint: {person} received a {product} instead of a {product}.",
)

GOLD_EARLY = (
    "Yesterday {person} asked whether {company} still sells the {product}.",
    "A truck from {city} brought {number} pieces of the {product}.",
    "{company} and {company} share an office in {city}.",
    "Has anybody seen the letter that {person} wrote on {day}?",
    "The {job} told {person} that the {product} is sold out.",
    "From {day} on, {person} works for {company}.",
    "We cannot deliver to {city} in March, sorry.",
    "Mrs {person} will pick up her {product} at our shop in {city}.",
    "The {product} was tested by {company} for {number} hours.",
    "Payment {number} is overdue since {day}.",
    "Why did {company} send the {product} back to {city}?",
    "Great service, {person} answered every question.",
)

FEED_LATE = (
    "[{time}] ORD#{number} cust={person} firm={company} ship-to={city} item={product}",
    "[{time}] RET#{number} item={product} reason=damaged agent={person}",
    "FROM: {person} // {company} RE: {product} x{number}",
    "FROM: {person} // {city} RE: late again, call back",
    "!! URGENT !! {product} missing in {city}, tell {person}",
    "upd {time}: {company} -> {city}, {number} pcs {product}",
    "{product};{number};{city};{company};{person}",
    "{person};{company};no reply;{day}",
    "contact <{person}> @ {company} ({city}) re {product}",
    "[{time}] PING ok latency={number}ms",
    "stock {product}: {number} left, next from {city}",
    "@{company} pls confirm {product} / {product} by {day}",
    "[{time}] CALL in={person} out={person} dur={number}s",
    "loc={city} wh={number} op={person} st=OK",
    "* {company} * new address: {city} * valid from {day}",
)

GOLD_LATE = (
    "[{time}] INV#{number} payer={company} signed={person} town={city}",
    "TO: {person} // {company} RE: {product} not found",
    "{city};{product};{number};{person}",
    "?? {person} asks: {product} or {product} ??",
    "[{time}] MOVE item={product} from={city} to={city}",
    "note {time}: {person} left {company}",
    "@{person} pls check {company} / {city} by {day}",
    "eta {city}: {day}, load {product} x{number}, {company}",
)

FILLERS: dict[str, tuple[str, ...]] = {
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "job": ("buyer", "driver", "Sales Manager", "accountant", "Regional Director", "plumber"),
}
