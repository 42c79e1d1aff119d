"""A local OpenAI-compatible server that replays labelled answers, with faults to order.

It finds the text, or the several, in our own prompt (`stream.teacher.several.chat`), answers in
the asked JSON form with `usage`, and refuses a text that it has no answer for. What it
does with a request follows from the seed, the text and how often that text was asked
about, so runs repeat whatever the order of requests; only the rate limits depend on time.

`GET /stats` counts what was asked and what was answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from schemas.errors import ConfigError
from stream.lab.teacher_sim.answers import Answers, Repertoire
from stream.lab.teacher_sim.batches import Batches
from stream.lab.teacher_sim.dialect import Dialect, Reply
from stream.lab.teacher_sim.dialects import DIALECTS
from stream.lab.teacher_sim.faults import Fault, SimulatorSettings
from stream.lab.teacher_sim.rationing import Ration
from stream.lab.teacher_sim.script import Script
from stream.lab.teacher_sim.spoilt_parts import spoilt_parts
from stream.teacher.kinds.kind import ENTITIES, TeacherKind
from stream.teacher.question import extract_asked
from stream.teacher.retries import Clock
from stream.teacher.several.chat import fenced_texts, joined_answers, told_of_each
from stream.teacher.unsure.marks import extract_marks

_BYTES_PER_TOKEN = 4
_MAX_REQUEST_BYTES = 128 * 2**20


def teacher_sim_app(
    answers: Answers,
    settings: SimulatorSettings | None = None,
    *,
    kind: TeacherKind = ENTITIES,
    script: Script | None = None,
    clock: Clock | None = None,
) -> web.Application:
    """Build the server: `/v1/chat/completions`, `/v1/models`, files, batches, and `/stats`.

    The `script` answers what is not about one text.

    Raises `ConfigError` for dialects that say answers of another kind.
    """
    settings = settings or SimulatorSettings()
    for name in settings.dialects:
        if not DIALECTS[name].says(kind.name):
            raise ConfigError(f"the dialect {name!r} is of another kind than {kind.name}")
    known = Repertoire(answers, kind)
    simulator = _Simulator(known, script or Script(kind), settings, clock or Clock())
    app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    app.router.add_post("/v1/chat/completions", simulator.complete)
    app.router.add_get("/v1/models", simulator.models)
    app.router.add_get("/stats", simulator.stats)
    app.router.add_route("*", "/redirected", simulator.redirected)
    simulator.batches.add_to(app)
    return app


@asynccontextmanager
async def serving(
    app: web.Application, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve `app`; gives the base URL for `teacher.base_url`. Port 0 takes a free one."""
    # Cancelled handlers: a client that gave up on a hanging answer leaves nothing behind.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    try:
        yield await _listen(runner, host, port)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    bound = runner.addresses[0]
    return f"http://{_url_host(bound[0])}:{bound[1]}/v1"


async def run_simulator(
    app: web.Application, *, host: str, port: int, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve until `stop` is set; `ready` is called with the base URL."""
    async with serving(app, host=host, port=port) as url:
        ready(url)
        await stop.wait()


class _Simulator:
    def __init__(
        self, known: Repertoire, script: Script, settings: SimulatorSettings, clock: Clock
    ) -> None:
        self._known = known
        self._script = script
        self._settings = settings
        self._clock = clock
        self._times_asked: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._allowance = _Allowance(settings.requests_per_s, clock)
        self._ration = Ration(settings.per_minute, clock)
        self.batches = Batches(self.answered, settings, clock, self._counts)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self._counts["requests"] += 1
        asked = await _read_question(request)
        if not self._allowance.take():
            return self._too_many()
        wait_s = self._ration.take(asked.tokens + asked.most_out)
        headers = self._ration.headers()
        response = await self._after_limits(request, asked, wait_s)
        if not response.prepared:
            response.headers.update(headers)
        return response

    async def _after_limits(
        self, request: web.Request, asked: _Question, wait_s: float | None
    ) -> web.StreamResponse:
        if wait_s is not None:
            return self._too_many(wait_s)
        if asked.question is not None:
            self._counts[f"question {asked.question.get('ask')}"] += 1
        self._counts["texts"] += len(asked.told)
        lot = self._lot(asked.text)
        fault = self._fault(lot("fault"))
        self._counts[fault or "unharmed"] += 1
        await self._clock.sleep(self._latency_s(lot("latency")))
        dialect = None if fault else self._dialect(lot("dialect"))
        return await self._respond(request, asked, fault, dialect)

    def answered(self, chat: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Answer a line of a batch; None for none, ever."""
        try:
            asked = _question_in(chat)
        except web.HTTPBadRequest as error:
            return 400, {"error": {"message": error.text, "type": "simulated"}}
        self._counts["texts"] += len(asked.told)
        lot = self._lot(asked.text)
        fault = self._fault(lot("fault"))
        self._counts[fault or "unharmed"] += 1
        if fault in {"hang", "html", "redirect"}:
            return None
        if fault is not None and fault.isdecimal():
            return int(fault), _ERROR
        dialect = None if fault else self._dialect(lot("dialect"))
        reply = self._spoken(asked, dialect) or Reply(self._completion(asked, fault))
        return reply.status, reply.body

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "teacher-sim", "object": "model"}]}
        )

    async def stats(self, _request: web.Request) -> web.Response:
        granted = {f"granted {kind}": n for kind, n in self._ration.granted.items()}
        return web.json_response({**self._counts, **granted})

    async def redirected(self, _request: web.Request) -> web.Response:
        self._counts["redirected"] += 1
        return web.json_response({})

    def _lot(self, text: str) -> Callable[[str], float]:
        """Numbers in [0, 1), by seed, text, how often it was asked about, and a purpose."""
        self._times_asked[text] += 1
        told = f"{self._settings.seed} {self._times_asked[text]} {text}"

        def draw(purpose: str) -> float:
            digest = hashlib.blake2b(f"{purpose} {told}".encode(), digest_size=6).digest()
            return int.from_bytes(digest, "big") / 2**48

        return draw

    def _fault(self, drawn: float) -> Fault | None:
        for fault, share in self._settings.faults.items():
            if drawn < share:
                return fault
            drawn -= share
        return None

    def _dialect(self, drawn: float) -> Dialect | None:
        names = self._settings.dialects
        return DIALECTS[names[int(drawn * len(names))]] if names else None

    def _latency_s(self, drawn: float) -> float:
        return self._settings.latency_s * (1 + self._settings.jitter * (2 * drawn - 1))

    async def _respond(
        self, request: web.Request, asked: _Question, fault: Fault | None, dialect: Dialect | None
    ) -> web.StreamResponse:
        match fault:
            case "429":
                return self._too_many()
            case "400" | "401" | "500":
                return _error(int(fault))
            case "html":
                return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
            case "redirect":
                return web.Response(status=307, headers={"Location": "/redirected"})
            case "hang":
                await asyncio.Event().wait()
        reply = self._spoken(asked, dialect) or Reply(self._completion(asked, fault))
        body = json.dumps(reply.body, ensure_ascii=False).encode()
        if fault == "drip":
            return await self._drip(request, body)
        return web.Response(body=body, status=reply.status, content_type="application/json")

    def _too_many(self, wait_s: float | None = None) -> web.Response:
        self._counts["turned_away"] += 1
        wish = self._settings.retry_after
        if wish is not None and wait_s is not None:
            wish = str(math.ceil(wait_s))
        return _error(429, headers={} if wish is None else {"Retry-After": wish})

    def _spoken(self, asked: _Question, dialect: Dialect | None) -> Reply | None:
        """Answer in the dialect; None where there is none, or no answer to put into it."""
        answer = self._answer(asked)
        of_one_text = asked.question is None and not asked.several and not any(asked.marks)
        if dialect is None or answer is None or (dialect.kind is not None and not of_one_text):
            return None
        self._counts[f"dialect {dialect.name}"] += 1
        reply = dialect.speak(answer, asked.text)
        if "choices" not in reply.body:
            return reply
        return Reply({**self._frame(asked, _tokens(answer)), **reply.body}, reply.status)

    def _answer(self, asked: _Question) -> str | None:
        if asked.question is not None:
            return self._script.answer(asked.question, asked.text)
        return self._said(asked, self._known.answer)

    def _said(self, asked: _Question, answer: Callable[[str], str | None]) -> str | None:
        """Answer about one text, or about those of several that there is an answer to."""
        answers = [
            self._known.answer_about(text, marks) if marks else answer(text)
            for text, marks in zip(asked.told, asked.marks, strict=True)
        ]
        return joined_answers(answers) if asked.several else answers[0]

    def _completion(self, asked: _Question, fault: Fault | None) -> dict[str, Any]:
        answer = self._answer(asked)
        refused = answer is None or fault == "refusal"
        content = None if refused else _spoilt(answer or "", fault)
        if content is not None and asked.several:
            content = spoilt_parts(content, fault)
        if fault == "swapped":
            content = self._known.about_another(asked.text)
        elif fault == "mislabelled" and not asked.question:
            content = self._said(asked, self._known.mislabelled)
        self._counts["refused" if refused else "answered"] += 1
        choice = {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": content,
                "refusal": "I cannot help with that." if refused else None,
            },
            "finish_reason": _FINISH_REASONS.get(fault, "stop"),
        }
        return {**self._frame(asked, _tokens(content or "")), "choices": [choice]}

    def _frame(self, asked: _Question, tokens_out: int) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self._counts['requests']}",
            "object": "chat.completion",
            "created": int(self._clock.now()),
            "model": asked.model,
            "usage": {
                "prompt_tokens": asked.tokens,
                "completion_tokens": tokens_out,
                "total_tokens": asked.tokens + tokens_out,
            },
        }

    async def _drip(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for byte in body:
            await response.write(bytes([byte]))
            await asyncio.sleep(self._settings.drip_s)
        await response.write_eof()
        return response


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    model: str
    tokens: int
    most_out: int
    """How many tokens the answer may have."""
    question: dict[str, Any] | None
    """The data of a question that is not about texts to be labelled."""
    told: Sequence[str]
    """The texts that are to be labelled."""
    marks: Sequence[dict[str, Any] | None]
    """What a student says of each, where only that is asked about."""
    several: bool


async def _read_question(request: web.Request) -> _Question:
    try:
        chat = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(text="no chat-completions request") from None
    return _question_in(chat)


def _question_in(chat: Any) -> _Question:
    """Read a chat; an unknown form of it is answered with 400."""
    try:
        messages = chat["messages"]
        content = messages[-1]["content"]
        texts = fenced_texts(content)
        each = told_of_each(content)
        told = sum(len(str(message.get("content", "")).encode()) for message in messages)
        model = str(chat["model"])
        most_out = int(chat.get("max_tokens") or chat.get("max_completion_tokens") or 0)
        question = extract_asked(messages)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise web.HTTPBadRequest(text="no chat-completions request") from None
    if texts is None or chat.get("stream"):
        raise web.HTTPBadRequest(text="only the prompts of Silverstream are answered, unstreamed")
    return _Question(
        "\n".join(texts),
        model,
        told // _BYTES_PER_TOKEN + 1,
        most_out,
        question,
        told=() if question else texts,
        marks=[found[1] if (found := extract_marks(one)) else None for one in each or [content]],
        several=each is not None,
    )


class _Allowance:
    """A token bucket that holds one second's worth of requests."""

    def __init__(self, per_s: float | None, clock: Clock) -> None:
        self._per_s = per_s
        self._clock = clock
        self._most = max(per_s or 1.0, 1.0)
        self._left = self._most
        self._at = clock.monotonic()

    def take(self) -> bool:
        if self._per_s is None:
            return True
        now = self._clock.monotonic()
        self._left = min(self._left + (now - self._at) * self._per_s, self._most)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


_FINISH_REASONS: dict[Fault | None, str] = {"truncated": "length", "filtered": "content_filter"}


def _spoilt(content: str, fault: Fault | None) -> str | None:
    match fault:
        case "malformed":
            return f"Sure! Here it is: {content.removeprefix('{')}"
        case "truncated":
            return content[: len(content) // 2]
        case "filtered" | "null":
            return None
        case _:
            return content


_ERROR: dict[str, Any] = {"error": {"message": "simulated", "type": "simulated", "code": None}}


def _error(status: int, *, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(_ERROR, status=status, headers=headers)


def _tokens(text: str) -> int:
    return len(text.encode()) // _BYTES_PER_TOKEN + 1


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
