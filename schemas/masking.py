"""What people and logs see of a place that may hold a login, a key or a signature.

Logins are cut at the *last* `@` of the word, not where RFC 3986 ends them: whoever forgot to
percent-encode a `/`, `?` or `@` in a password must not see the rest of it in a log. What is masked
too much is a path with an `@` in it, which is no harm.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "****"
_HARMLESS: Final = frozenset({"api-version"})
"""Names in a query whose values tell nobody anything that they may not know."""
# One slash: what became of a URL that somebody took for a path.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}"
_LOGIN = re.compile(rf"({_SCHEME})\S*@")
_BARE_LOGIN = re.compile(r"(?<![^\s,])[^\s,:/@]+:[^\s,]*@")
_QUERY = re.compile(rf"({_SCHEME}[^\s?#'\"]*)[?#][^\s'\"]*")
_PART = re.compile(r"([^=&;]*=)?([^&;]+)")


def masked_place(text: str) -> str:
    """Give a URL for people: login, values of the query and fragment as `****`.

    Words that are no URL come back as they are, but for a login without a scheme (`me:key@host`).
    """
    text = _LOGIN.sub(rf"\1{MASK}@", text)
    if not re.match(_SCHEME, text):
        return _BARE_LOGIN.sub(f"{MASK}@", text)
    head, mark, query = text.partition("?")
    if not mark:
        head, mark, query = text.partition("#")
        return head + (mark and mark + MASK)
    query, fragment, _ = query.partition("#")
    return head + mark + _PART.sub(_masked_part, query) + (fragment and fragment + MASK)


def without_logins(text: str) -> str:
    """Take the logins out of the URLs in a text."""
    return _LOGIN.sub(r"\1", text)


def without_queries(text: str) -> str:
    """Take queries and fragments off the URLs in a text."""
    return _QUERY.sub(r"\1", text)


def _masked_part(part: re.Match[str]) -> str:
    name, value = part[1] or "", part[2]
    return name + (value if name.removesuffix("=").lower() in _HARMLESS else MASK)
