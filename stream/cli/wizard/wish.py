"""The free questions: what is looked for, where, and what it may cost."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from schemas.categories import Choose, of_labels
from schemas.errors import ConfigError
from schemas.files.kind import Kind
from schemas.files.task import NAME_PATTERN, LabelSpec, Task, TaskExample
from schemas.files.task_file import ExampleFile, to_example
from schemas.masking import masked_place
from schemas.settings import DEFAULT_MODEL, KafkaSettings, TeacherSettings
from schemas.types import Entity
from stream.cli.wizard.asking import Ask, Interview, Read

KEY_VARIABLE = "SILVERSTREAM_TEACHER__API_KEY"
"""What Silverstream reads the teacher's key from."""
FEW_TEXTS = 150
"""Of fewer, the fifth that no student learns is under the least that the gate judges on."""
_KNOWN_VARIABLES = (KEY_VARIABLE, "OPENAI_API_KEY")
_NO_KEY = "-"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LEAST_KEY_CHARS = 64
"""No name of a variable is as long as this; a key may be."""
_KEY_BEGINNINGS = ("sk-", "sk_", "Bearer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person said. `examples` are texts, or texts with their whole annotation."""

    name: str
    kind: Kind
    choose: Choose | None
    looking_for: str
    labels: tuple[LabelSpec, ...]
    language: str
    examples: tuple[str | TaskExample, ...]
    topic: str
    bootstrap_servers: str
    teacher: TeacherSettings
    key_variable: str
    max_usd: float
    n_texts: int

    @property
    def texts(self) -> tuple[str, ...]:
        """The examples' texts."""
        return tuple(one if isinstance(one, str) else one.text for one in self.examples)


def asked_wish(interview: Interview, out: Path) -> Wish:
    """Ask all that costs nothing; raises as `Interview.ask`."""
    ask = interview.ask
    name = ask(Ask("name", "What shall it be called?", _name, default=_name_of(out)))
    looking_for = ask(
        Ask(
            "looking_for",
            "What do you look for, in a sentence?",
            _sentence,
            unattended="",
            hint="such as: product names and defects in Dutch support mail",
        )
    )
    kind = ask(Ask("kind", _KIND_WORDS, _kind, default="entities"))
    choose = (
        ask(Ask("choose", _CHOOSE_WORDS, _choose, default="one")) if kind != "entities" else None
    )
    language = ask(Ask("language", "In which language are the texts?", _sentence_or_fault, "en"))
    labels = _asked_labels(interview, kind, choose, looking_for)
    examples = _asked_examples(interview, _checked_task(name, kind, choose, labels, language))
    topic = ask(Ask("topic", "On which topic do the texts come?", _topic(name), default="text"))
    servers = ask(Ask("bootstrap_servers", "Where is Kafka?", _servers, default="localhost:9092"))
    teacher = _asked_teacher(interview)
    return Wish(
        name=name,
        kind=kind,
        choose=choose,
        looking_for=looking_for,
        labels=labels,
        language=language,
        examples=examples,
        topic=topic,
        bootstrap_servers=servers,
        teacher=teacher,
        key_variable=_asked_variable(interview, teacher),
        max_usd=ask(Ask("max_usd", "What may it cost at most, in US dollars?", _money, "2")),
        n_texts=_n_texts(interview),
    )


_KIND_WORDS = "Words in the text (entities), or labels of a whole text (categories)?"
_CHOOSE_WORDS = "Has a text exactly one category (one), or none, one or several (any)?"
_N_WORDS = "How many texts shall the teacher write for the first student?"
_N_HINT = (
    f"some hundreds are a beginning, and under {FEW_TEXTS} too few to judge a student; "
    "0 where you have texts of your own (silverstream bootstrap FILE)"
)


def _asked_labels(
    interview: Interview, kind: Kind, choose: Choose | None, looking_for: str
) -> tuple[LabelSpec, ...]:
    return cast(
        "tuple[LabelSpec, ...]",
        interview.ask(
            Ask(
                "labels",
                "How shall the labels be called? (with commas; Enter: the teacher proposes some)",
                lambda told: read_labels(told, kind=kind, choose=choose),
                default="" if looking_for else None,
                hint="such as: PRODUCT, DEFECT" if kind == "entities" else "such as: glad, sad",
            )
        ),
    )


def read_labels(told: Any, *, kind: Kind, choose: Choose | None) -> tuple[LabelSpec, ...]:
    """Read labels: a line of names, a list of names or of objects, or descriptions by name.

    Raises `ValueError` for what no task takes; none at all are no fault.
    """
    labels = tuple(map(_label, _label_values(told)))
    if labels:
        _checked_task("task", kind, choose, labels, "en")
    return labels


def _label_values(told: Any) -> Sequence[Any]:
    if isinstance(told, str):
        return [name for part in told.split(",") if (name := part.strip())]
    if isinstance(told, dict):
        return [{"name": name, "description": words} for name, words in told.items()]
    if isinstance(told, list):
        return told
    raise ValueError("names with commas between them, or a list")


def _label(value: Any) -> LabelSpec:
    if isinstance(value, str):
        return LabelSpec(value)
    known = {"name", "description", "examples"}
    if not isinstance(value, dict) or not {"name"} <= value.keys() <= known:
        raise ValueError("a label is a name, or has name, description and examples")
    examples = value.get("examples") or []
    strings = [value["name"], value.get("description") or "", *examples]
    if not all(isinstance(one, str) for one in strings):
        raise ValueError("a label's name, description and examples are words")
    return LabelSpec(value["name"], value.get("description") or "", tuple(examples))


def _checked_task(
    name: str, kind: Kind, choose: Choose | None, labels: Sequence[LabelSpec], language: str
) -> Task:
    """Make a task of what there is; `ValueError` for what none takes."""
    stand_in = (LabelSpec("A"), LabelSpec("B"))
    try:
        return Task(name, language, tuple(labels) or stand_in, kind=kind, choose=choose)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _asked_examples(interview: Interview, task: Task) -> tuple[str | TaskExample, ...]:
    found = list[str | TaskExample]()
    while True:
        number = len(found) + 1
        one = interview.ask(
            Ask(
                f"example {number}",
                f"Example text {number}, as it comes on the topic (Enter: no more)",
                lambda told: read_example(told, task),
                default="",
                hint="a real text says more than any description; you will be shown its labels",
            )
        )
        if one == "":
            return tuple(found)
        found.append(one)


def read_example(told: Any, task: Task) -> str | TaskExample:
    """Read a text, or an object of a text with its `entities` or `categories`.

    Entities are `{surface, label, start}`, as in a task file, or `{start, end, label}`, as in gold.
    Raises `ValueError` for what is none, or is no answer to the task.
    """
    if isinstance(told, str):
        return told.strip()
    if not isinstance(told, dict) or not isinstance(told.get("text"), str):
        words = "an example is a text, or has text and entities or categories"
        raise ValueError(words)  # noqa: TRY004 - an answer that is wrong
    if not {"entities", "categories"} & told.keys():
        return str(told["text"]).strip()
    example = _annotated(told)
    try:
        replace(task, examples=(example,))
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return example


def _annotated(told: dict[str, Any]) -> TaskExample:
    entities = told.get("entities") or []
    if entities and all(isinstance(one, dict) and "end" in one for one in entities):
        try:
            spans = [(one["start"], one["end"], one["label"]) for one in entities]
            text = told["text"]
            found = [Entity(a, b, label, text[a:b]) for a, b, label in sorted(spans)]
        except (LookupError, TypeError):
            raise ValueError("an entity has start, end and label") from None
        return TaskExample(text, tuple(found), of_labels(told.get("categories") or []))
    try:
        return to_example(ExampleFile.model_validate(told))
    except ValidationError as error:
        raise ValueError(f"no example: {error.errors()[0]['msg']}") from None
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _asked_teacher(interview: Interview) -> TeacherSettings:
    default = TeacherSettings()
    base_url = interview.ask(
        Ask(
            "teacher.base_url",
            "Where is the teacher? (any endpoint that speaks OpenAI's chat completions)",
            _base_url,
            default=default.base_url,
        )
    )
    model = interview.ask(Ask("teacher.model", "Which model?", _model, default=DEFAULT_MODEL))
    told: dict[str, Any] = {"base_url": base_url, "model": model}
    if model != DEFAULT_MODEL:
        for side in ("in", "out"):
            name = f"price_{side}_usd_per_million"
            words = f"What does it take for a million tokens {side}, in US dollars?"
            price = getattr(default, name)
            told[name] = interview.ask(Ask(f"teacher.{name}", words, _money, default=str(price)))
    return TeacherSettings.model_validate(told)


def _asked_variable(interview: Interview, teacher: TeacherSettings) -> str:
    """Ask for the name of a variable, never for the key."""
    is_default = teacher.base_url == TeacherSettings().base_url
    set_ones = [name for name in _KNOWN_VARIABLES if os.environ.get(name)]
    default = (set_ones or [KEY_VARIABLE if is_default else _NO_KEY])[0]
    words = f"Which environment variable holds its key? ({_NO_KEY}: it takes none)"
    return str(interview.ask(Ask("teacher.api_key_env", words, read_variable, default=default)))


def read_variable(told: Any) -> str:
    """Read a variable's name, or "" for none; `ValueError` for what may be a key itself."""
    name = str(told).strip()
    if name == _NO_KEY:
        return ""
    is_key = name.startswith(_KEY_BEGINNINGS) or len(name) >= _LEAST_KEY_CHARS
    if is_key or not _VARIABLE.fullmatch(name):
        # The answer is not repeated: it may be the key.
        raise ValueError("the name of a variable, such as OPENAI_API_KEY; never the key itself")
    return name


def _name(told: Any) -> str:
    name = str(told).strip()
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError("letters, digits, . _ -, and the first a letter or a digit")
    return name


def _name_of(out: Path) -> str:
    return out.name if NAME_PATTERN.fullmatch(out.name) else "stream"


def _sentence(told: Any) -> str:
    return " ".join(str(told).split())


def _sentence_or_fault(told: Any) -> str:
    words = _sentence(told)
    if not words or isinstance(told, bool):  # YAML reads `language: no` as a boolean
        raise ValueError("the language of the texts, such as en, nl, German")
    return words


def _one_of(*names: str) -> Read:
    def read(told: Any) -> str:
        word = str(told).strip().casefold()
        found = [name for name in names if word and name.startswith(word)]
        if len(found) != 1:
            raise ValueError(" or ".join(names))
        return found[0]

    return read


_kind: Read = _one_of("entities", "categories")
_choose: Read = _one_of("one", "any")


def _topic(name: str) -> Callable[[Any], str]:
    def read(told: Any) -> str:
        topic = str(told).strip()
        if not topic:
            raise ValueError("the name of a topic")
        _validated(KafkaSettings, {"text_topic": topic, "topic_prefix": prefix_of(name)})
        return topic

    return read


def prefix_of(name: str) -> str:
    """Name what stands before the topics of a task: tasks are better off apart."""
    return f"{name}."


def _servers(told: Any) -> str:
    servers = ",".join(part for one in str(told).split(",") if (part := one.strip()))
    if not servers or "://" in servers or "@" in servers:
        raise ValueError("host:port, with commas between several")
    return servers


def _base_url(told: Any) -> str:
    url = str(told).strip()
    if masked_place(url) != url:
        raise ValueError("a URL without a password or key: that stands in no file")
    return str(_validated(TeacherSettings, {"base_url": url}).base_url)


def _model(told: Any) -> str:
    if not (model := str(told).strip()):
        raise ValueError("the name of a model")
    return model


def _validated(kind: Any, values: dict[str, Any]) -> Any:
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        told = error.errors()[0]
        raise ValueError(str(told.get("ctx", {}).get("error") or told["msg"])) from None
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _money(told: Any) -> float:
    try:
        usd = float(str(told).strip().removeprefix("$"))
    except ValueError:
        raise ValueError("US dollars, such as 2 or 0.50") from None
    if not math.isfinite(usd) or usd < 0:
        raise ValueError("US dollars, 0 or more")
    return usd


def _n_texts(interview: Interview) -> int:
    n: int = interview.ask(Ask("n_texts", _N_WORDS, _number, default="800", hint=_N_HINT))
    if 0 < n < FEW_TEXTS:
        interview.tell(f"  Under {FEW_TEXTS} texts are mostly too few to judge a first student by.")
    return n


def _number(told: Any) -> int:
    words = str(told).strip().replace(",", "")
    if isinstance(told, bool) or not words.isdecimal():
        raise ValueError("a whole number, 0 or more")
    return int(words)
