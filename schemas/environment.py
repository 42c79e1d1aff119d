"""The environment variables that are ours: one that is nearly a setting is refused.

Any name that begins with `SILVERSTREAM_` is meant for us, so it names a setting or it is a mistake.
Two kinds are not: those that Kubernetes adds for a Service whose name begins with `silverstream`,
and those of the tests and their tools.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import BaseModel

from schemas.errors import ConfigError

PREFIX: Final = "SILVERSTREAM_"
OTHERS: Final = frozenset(
    {
        "SILVERSTREAM_CONFIG",
        "SILVERSTREAM_DATA",
        "SILVERSTREAM_KAFKA_LIBS",
        "SILVERSTREAM_RECORDS",
        "SILVERSTREAM_REGISTRY_APP",
        "SILVERSTREAM_REQUIRE",
    }
)
"""No settings, and ours all the same: the settings file, and what the tests use."""
_NEAR: Final = 0.8
"""How alike two words are of which one is taken for the other, misspelt."""
_SERVICE = re.compile(r"(\w+?)_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_\w+)?)")


def variables(settings: type[BaseModel], old_names: Collection[str]) -> frozenset[str]:
    """Name every variable that sets something; `old_names` are dotted paths."""
    old = (PREFIX + name.replace(".", "__").upper() for name in old_names)
    return frozenset((*_variables(settings, PREFIX), *old))


def refuse_misspelt(environment: Mapping[str, str], known: frozenset[str]) -> None:
    """Raise `ConfigError` for the variables that are nearly one of the `known`.

    Names are compared as the settings read them, in either case; values are not told.
    """
    names = {name.upper() for name in environment}
    faults = [_fault(name, known) for name in sorted(names) if _is_misspelt(name, names, known)]
    if faults:
        raise ConfigError(f"environment: {'; '.join(faults)}")


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{variable}__")


def _is_misspelt(name: str, names: Collection[str], known: frozenset[str]) -> bool:
    if name in known or name in OTHERS:
        return False
    if not name.startswith(PREFIX):  # SILVERSTEAM_TEACHER__MODEL
        return name.startswith("SILVER") and _letters(_corrected(name)) in map(_letters, known)
    service = _SERVICE.fullmatch(name)
    return service is None or f"{service[1]}_SERVICE_HOST" not in names


def _fault(name: str, known: frozenset[str]) -> str:
    by_letters = {_letters(one): one for one in sorted(known | OTHERS)}
    near = difflib.get_close_matches(_letters(_corrected(name)), by_letters, n=1, cutoff=_NEAR)
    advice = (
        f"did you mean {by_letters[near[0]]}?" if near else "`silverstream config show` has all"
    )
    return f"{name} is no setting: {advice}"


def _corrected(name: str) -> str:
    first, _, rest = name.partition("_")
    is_near = difflib.SequenceMatcher(None, first, PREFIX[:-1]).ratio() > _NEAR
    return PREFIX + rest if is_near else name


def _letters(name: str) -> str:
    """Leave what stays when underscores are the mistake: `TEACHER_MODEL`."""
    return name.removeprefix(PREFIX).replace("_", "")
