"""What is wrong with a file that people wrote, in words that quote nothing of it.

What stands on a line that is no YAML, or where a name should stand, may be a key: a missing space
(`api_key:sk-...`) makes a name of it.
"""

from __future__ import annotations

import re

import yaml
from pydantic import ValidationError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def yaml_fault(error: ValueError | RecursionError | yaml.YAMLError) -> str:
    """Say where the YAML is wrong; never its words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"it is not valid YAML{where}"


def validation_faults(error: ValidationError, *, whole: str) -> list[str]:
    """Say of each value where it stands and what is wrong; `whole` names what all is part of."""
    return [
        f"{'.'.join(map(_name, item['loc'])) or whole}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]


def _name(part: int | str) -> str:
    if isinstance(part, int) or _NAME.fullmatch(part):
        return str(part)
    return "(what is no name: is a space missing?)"
