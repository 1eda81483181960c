"""A local model endpoint for tests and benchmarks: a real server on a real socket.

It streams like an OpenAI-compatible one and misbehaves on request. In a test, use the
`stub_llm` fixture; by itself: `python -m tests.stub_llm --port 9100`.

What a request gets is chosen by its model name (`fixed`, `echo`, `fault-<fault>`),
else by the next planned fault, else by the plan (`POST /control`, a `Plan` as JSON).
`GET /control/requests` shows what was asked, `DELETE` forgets it.

A scripted reply that is a list asks for tools: `{"name", "arguments"}` each, with
words before them as `{"say"}`.
"""

import argparse
import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

# How a request begins that asks what a call came to (`agents.analysis`).
ANALYST = "You read the transcript of one telephone call"
FIXED_ANALYSIS = '{"summary": "They talked.", "outcome": "resolved", "extracted": {}}'
FIXED_REPLY = " ".join(f"word{number}" for number in range(40))
STATUS_FAULTS = {
    "307": 307,  # to the very same place
    "401": 401,
    "404": 404,
    "429": 429,
    "500": 500,
    "503": 503,
}
STREAM_FAULTS = {
    "slow",  # nothing for `stall_s`, not even headers
    "stall",  # three words, then nothing for `stall_s`
    "cut",  # three words, then the socket is closed
    "unfinished",  # three words, then a clean end without a finish
    "malformed",  # three words, then a chunk that is not JSON
    "error-chunk",  # three words, then an error object in the stream
    "filtered",  # three words, then the provider's filter ends the reply
    "empty",  # a finished reply without a word
    "blank",  # a finished reply of spaces
    "not-a-stream",  # an HTML page with status 200
}
TOOL_FAULTS = {
    "half-a-call",  # the stream ends within a tool call's arguments
    "nameless-call",  # a tool call without a name
}
FAULTS = STATUS_FAULTS.keys() | STREAM_FAULTS

Reply = str | list[dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """How to answer. `faults` are taken one a request; None in it is no fault."""

    mode: str = "echo"  # echo, fixed or script
    replies: tuple[Reply, ...] = ()  # for script; the last one is repeated
    analyses: tuple[str, ...] = (FIXED_ANALYSIS,)  # of calls; likewise
    faults: tuple[str | None, ...] = ()
    usage: bool = False  # tell the tokens to whoever asks for them
    first_token_ms: float = 0
    tokens_per_second: float = 0  # 0 is as fast as the socket takes them
    stall_s: float = 60


@dataclass
class StubLLM:
    """A running stub. `requests` are the bodies it got, oldest first."""

    base_url: str = ""
    plan: Plan = field(default_factory=Plan)
    requests: list[dict[str, Any]] = field(default_factory=list)
    open_streams: int = 0
    abandoned_streams: int = 0
    _replies_given: int = 0
    _analyses_given: int = 0
    _faults_taken: int = 0

    def configure(self, **changes: Any) -> None:
        """Start a new plan: the defaults with `changes`."""
        self.plan = Plan(**changes)
        self._replies_given = self._analyses_given = self._faults_taken = 0

    def answer(self, body: dict[str, Any]) -> tuple[Reply, str | None]:
        """The reply and the fault for one request, moving on in the plan."""
        model = str(body.get("model", ""))
        if model.startswith("fault-"):
            return FIXED_REPLY, model.removeprefix("fault-")
        fault = self._next_fault()
        if fault in STATUS_FAULTS:  # the script goes on when it is asked again
            return "", fault
        return self._reply(model, body), fault

    def _reply(self, model: str, body: dict[str, Any]) -> Reply:
        if is_analysis(body):
            turn = min(self._analyses_given, len(self.plan.analyses) - 1)
            self._analyses_given += 1
            return self.plan.analyses[turn]
        mode = model if model in {"echo", "fixed"} else self.plan.mode
        if mode == "fixed":
            return FIXED_REPLY
        if mode == "script":
            turn = min(self._replies_given, len(self.plan.replies) - 1)
            self._replies_given += 1
            return self.plan.replies[turn]
        said = [m["content"] for m in body["messages"] if m["role"] == "user"]
        return f"You said: {said[-1]}" if said else "You said nothing."

    def _next_fault(self) -> str | None:
        turn = self._faults_taken
        self._faults_taken += 1
        return self.plan.faults[turn] if turn < len(self.plan.faults) else None


def is_analysis(body: dict[str, Any]) -> bool:
    """Whether a request is about a call that is over, not in one."""
    return str(body["messages"][0].get("content") or "").startswith(ANALYST)


def application(stub: StubLLM) -> Starlette:
    async def complete(request: Request) -> Response:
        body = await request.json()
        stub.requests.append(body)
        reply, fault = stub.answer(body)
        plan = stub.plan
        if fault in STATUS_FAULTS:
            message = {"error": {"message": f"planned {fault}", "type": "planned"}}
            headers = {"Location": str(request.url)} if fault == "307" else None
            return JSONResponse(message, STATUS_FAULTS[fault], headers)
        if fault == "slow":
            await asyncio.sleep(plan.stall_s)
        if fault == "not-a-stream":
            return Response("<h1>Welcome to nginx</h1>", media_type="text/html")
        is_asked = (body.get("stream_options") or {}).get("include_usage")
        usage = [usage_chunk(body, reply)] if plan.usage and is_asked else []
        chunks = counted(stream(reply, fault, plan, usage))
        return StreamingResponse(chunks, media_type="text/event-stream")

    async def counted(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        stub.open_streams += 1
        try:
            async for chunk in chunks:
                yield chunk
        except (asyncio.CancelledError, GeneratorExit):
            stub.abandoned_streams += 1
            raise
        finally:
            stub.open_streams -= 1

    async def control(request: Request) -> Response:
        changes = await request.json()
        for name in ("replies", "analyses", "faults"):
            if name in changes:
                changes[name] = tuple(changes[name])
        stub.configure(**changes)
        return Response(status_code=204)

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            stub.requests.clear()
            return Response(status_code=204)
        return JSONResponse(stub.requests)

    async def models(request: Request) -> Response:
        names = ["echo", "fixed", *(f"fault-{fault}" for fault in sorted(FAULTS))]
        rows = [{"id": name, "object": "model", "owned_by": "stub"} for name in names]
        return JSONResponse({"object": "list", "data": rows})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
            Route("/control", control, methods=["POST"]),
            Route("/control/requests", requests, methods=["GET", "DELETE"]),
        ]
    )


async def stream(
    reply: Reply, fault: str | None, plan: Plan, usage: list[bytes]
) -> AsyncIterator[bytes]:
    if fault in {"empty", "blank"}:
        reply = "" if fault == "empty" else "  "
    yield chunk({"role": "assistant", "content": ""})
    await asyncio.sleep(plan.first_token_ms / 1000)
    if not isinstance(reply, str):
        for part in tool_parts(reply, fault):
            yield part
        return
    for position, token in enumerate(tokens(reply)):
        if position == 3 and fault in STREAM_FAULTS:
            if fault == "stall":
                await asyncio.sleep(plan.stall_s)
            elif fault == "cut":
                raise ConnectionAbortedError("planned")
            elif fault == "malformed":
                yield b'data: {"choices": [{"delta"\n\n'
            elif fault == "error-chunk":
                yield b'data: {"error": {"message": "planned"}}\n\n'
            elif fault == "filtered":
                yield chunk({}, finish="content_filter")
            return
        if position and plan.tokens_per_second:
            await asyncio.sleep(1 / plan.tokens_per_second)
        yield chunk({"content": token})
    yield chunk({}, finish="stop")
    for last in usage:
        yield last
    yield b"data: [DONE]\n\n"


def tool_parts(reply: list[dict[str, Any]], fault: str | None) -> Iterator[bytes]:
    """Tool calls as OpenAI streams them: the name first, the arguments in bits."""
    said = [asked["say"] for asked in reply if "say" in asked]
    yield from (chunk({"content": words}) for words in said)
    asked_for = [asked for asked in reply if "say" not in asked]
    for index, asked in enumerate(asked_for):
        name = None if fault == "nameless-call" else asked["name"]
        function = {"name": name, "arguments": ""}
        begun = {"index": index, "id": f"call_{index}", "type": "function"}
        yield chunk({"content": None, "tool_calls": [begun | {"function": function}]})
        arguments = asked.get("arguments", {})
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        for start in range(0, len(text), 5):
            if fault == "half-a-call" and start:
                return
            part = {"index": index, "function": {"arguments": text[start : start + 5]}}
            yield chunk({"tool_calls": [part]})
    yield chunk({}, finish="tool_calls")
    yield b"data: [DONE]\n\n"


def usage_chunk(body: dict[str, Any], reply: Reply) -> bytes:
    """As OpenAI ends a stream when it is asked to: no choices, but the tokens."""
    asked = sum(len(str(message.get("content"))) for message in body["messages"])
    usage = {"prompt_tokens": asked // 4, "completion_tokens": len(str(reply)) // 4}
    data = {"object": "chat.completion.chunk", "choices": [], "usage": usage}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def tokens(text: str) -> list[str]:
    """`text` in words, each with the space before it."""
    words = text.split(" ")
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    data = {
        "id": "chatcmpl-stub",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "stub",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(data).encode() + b"\n\n"


@contextmanager
def running(stub: StubLLM, port: int = 0) -> Iterator[StubLLM]:
    """Serve `stub` from a thread, on a free port unless one is given."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        host, port = listener.getsockname()
        stub.base_url = f"http://{host}:{port}/v1"
        server = uvicorn.Server(server_settings(stub))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield stub
        finally:
            server.should_exit = server.force_exit = True
            thread.join(timeout=5)


def server_settings(stub: StubLLM) -> uvicorn.Config:
    # Planned cuts are exceptions to the server: they don't belong in a test's output.
    return uvicorn.Config(
        application(stub), log_level="critical", timeout_graceful_shutdown=0
    )


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60) -> None:
    """Return once `is_so()`; raise TimeoutError if it never is."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.005)


@pytest.fixture(scope="session")
def stub_llm_server() -> Iterator[StubLLM]:
    with running(StubLLM()) as stub:
        yield stub


@pytest.fixture
def stub_llm(stub_llm_server: StubLLM) -> StubLLM:
    """The shared stub with a fresh plan and no memory."""
    stub_llm_server.configure()
    stub_llm_server.requests.clear()
    stub_llm_server.abandoned_streams = 0
    return stub_llm_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--mode", default="echo", choices=["echo", "fixed"])
    parser.add_argument("--first-token-ms", type=float, default=0)
    parser.add_argument("--tokens-per-second", type=float, default=0)
    given = parser.parse_args()
    plan = Plan(
        mode=given.mode,
        first_token_ms=given.first_token_ms,
        tokens_per_second=given.tokens_per_second,
    )
    stub = StubLLM(plan=plan)
    uvicorn.run(application(stub), port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
