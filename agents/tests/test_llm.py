"""The real client against a real server, for every way in which one can fail."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import aclosing, suppress

import pytest

from agents import llm
from agents.demo import DemoResponder
from tests.hasty import sometime
from tests.stub_llm import FIXED_REPLY, tokens, wait_until

SECRET_WORDS = "my knee hurts"
SECRET_KEY = "sk-very-secret"
MESSAGES = (
    {"role": "system", "content": "You are Ada."},
    {"role": "user", "content": SECRET_WORDS},
)
BROKEN_AFTER = "".join(tokens(FIXED_REPLY)[:3])


@pytest.fixture
def provider(stub_llm):
    return llm.OpenAIProvider(base_url=stub_llm.base_url, api_key=SECRET_KEY, model="m")


def listen(provider, model=None, **parameters):
    """The pieces that come, and the failure or None."""
    pieces = []

    async def read():
        request = llm.Request(MESSAGES, model=model, **parameters)
        async for piece in provider.stream(request):
            pieces.append(piece)

    try:
        llm.run(read())
    except llm.ModelFailed as failed:
        return pieces, failed
    return pieces, None


def failure(provider, model=None):
    pieces, failed = listen(provider, model)
    return "".join(pieces), failed and failed.reason


def test_stream_yields_the_pieces_untrimmed(provider):
    pieces, failed = listen(provider, "fixed")

    assert (pieces, failed) == (tokens(FIXED_REPLY), None)


def test_stream_sends_the_request_as_it_is(provider, stub_llm):
    listen(provider)
    listen(provider, "other", temperature=0.0, max_tokens=50)

    plain = {"messages": list(MESSAGES), "model": "m", "stream": True}
    assert stub_llm.requests == [
        plain,
        {**plain, "model": "other", "temperature": 0.0, "max_tokens": 50},
    ]


@pytest.mark.parametrize(
    ("fault", "text", "reason"),
    [
        ("307", "", "refused"),
        ("401", "", "refused"),
        ("404", "", "refused"),
        ("429", "", "rate_limited"),
        ("500", "", "unreachable"),
        ("503", "", "unreachable"),
        ("cut", BROKEN_AFTER, "cut"),
        ("unfinished", BROKEN_AFTER, "cut"),
        ("error-chunk", BROKEN_AFTER, "cut"),
        ("malformed", BROKEN_AFTER, "malformed"),
        ("filtered", BROKEN_AFTER, "refused"),
        ("not-a-stream", "", "malformed"),
        ("empty", "", "empty"),
        ("blank", "  ", "empty"),
    ],
)
def test_stream_names_the_failure(provider, fault, text, reason):
    assert failure(provider, f"fault-{fault}") == (text, reason)


@pytest.mark.parametrize("fault", ["429", "500"])
def test_stream_tries_a_busy_provider_once_more(provider, stub_llm, fault):
    stub_llm.configure(mode="fixed", faults=(fault,))

    assert failure(provider) == (FIXED_REPLY, None)
    assert len(stub_llm.requests) == 2


def test_stream_of_a_script_goes_on_after_a_refusal(provider, stub_llm):
    stub_llm.configure(mode="script", replies=("one", "two"), faults=("401",))

    answers = [failure(provider) for _ in range(3)]

    assert answers == [("", "refused"), ("one", None), ("two", None)]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        ("429", 2),
        ("503", 2),
        ("307", 1),
        ("401", 1),
        ("cut", 1),
        ("malformed", 1),
        ("empty", 1),
    ],
)
def test_stream_never_asks_more_often_than_that(provider, stub_llm, fault, requests):
    failure(provider, f"fault-{fault}")

    assert len(stub_llm.requests) == requests


TOOLS = (
    {
        "type": "function",
        "function": {"name": "book", "description": "Book a table", "parameters": {}},
    },
)


def test_stream_yields_whole_tool_calls_after_the_words(provider, stub_llm):
    asked = [
        {"say": "Let me see."},
        {"name": "look_up", "arguments": {"day": "Friday"}},
        {"name": "book", "arguments": {}},
    ]
    stub_llm.configure(mode="script", replies=(asked,))

    pieces, failed = listen(provider, tools=TOOLS)

    assert (pieces, failed) == (
        [
            "Let me see.",
            llm.ToolCall("call_0", "look_up", '{"day": "Friday"}'),
            llm.ToolCall("call_1", "book", "{}"),
        ],
        None,
    )
    assert stub_llm.requests[0]["tools"] == list(TOOLS)
    assert "tool_choice" not in stub_llm.requests[0]


def test_stream_of_a_tool_call_alone_is_an_answer(provider, stub_llm):
    stub_llm.configure(mode="script", replies=([{"name": "book"}],))

    assert listen(provider) == ([llm.ToolCall("call_0", "book", "{}")], None)


def test_request_may_forbid_the_tools_that_it_shows(provider, stub_llm):
    listen(provider, tools=TOOLS, may_use_tools=False)

    assert stub_llm.requests[0]["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("fault", "reason"), [("half-a-call", "cut"), ("nameless-call", "malformed")]
)
def test_stream_yields_no_half_tool_call(provider, stub_llm, fault, reason):
    asked = [{"name": "book", "arguments": {"day": "Friday"}}]
    stub_llm.configure(mode="script", replies=(asked,), faults=(fault,))

    pieces, failed = listen(provider)

    assert (pieces, failed.reason) == ([], reason)


def test_long_arguments_are_signs_of_life(provider, stub_llm, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_TOKEN_TIMEOUT_S", 0.5)
    stub_llm.configure(
        mode="script", replies=([{"name": "a", "arguments": {"x": "y" * 300}}],)
    )

    assert sometime(lambda: listen(provider)[1] is None)


def test_stream_waits_only_so_long_for_the_first_token(provider, stub_llm, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_TOKEN_TIMEOUT_S", 0.2)

    assert failure(provider, "fault-slow") == ("", "slow")
    stub_llm.configure(mode="fixed", first_token_ms=5_000)
    assert failure(provider) == ("", "slow")


def test_stream_waits_only_so_long_for_the_next_token(provider, monkeypatch):
    monkeypatch.setattr(llm, "TOKEN_GAP_TIMEOUT_S", 0.2)

    told = (BROKEN_AFTER, "slow")
    assert sometime(lambda: failure(provider, "fault-stall") == told)


def test_stream_lasts_only_so_long(provider, stub_llm, monkeypatch):
    monkeypatch.setattr(llm, "TOTAL_TIMEOUT_S", 0.3)
    stub_llm.configure(mode="fixed", tokens_per_second=50)

    def is_cut_off():
        text, reason = failure(provider)
        return reason == "slow" and FIXED_REPLY.startswith(text) and text

    assert sometime(is_cut_off)


def test_stream_does_not_count_the_readers_own_time(provider, monkeypatch):
    monkeypatch.setattr(llm, "TOKEN_GAP_TIMEOUT_S", 0.1)

    async def read_slowly():
        pieces = []
        with suppress(llm.ModelFailed):
            async for piece in provider.stream(llm.Request(MESSAGES, model="fixed")):
                if not pieces:
                    await asyncio.sleep(0.2)
                pieces.append(piece)
        return pieces

    assert sometime(lambda: llm.run(read_slowly()) == tokens(FIXED_REPLY))


def test_stream_of_a_refused_connection_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    provider = llm.OpenAIProvider(
        base_url=f"http://127.0.0.1:{port}/v1", api_key="", model=""
    )

    assert failure(provider) == ("", "unreachable")


def test_stream_of_a_host_that_is_none_is_unreachable():
    provider = llm.OpenAIProvider(
        base_url="http://no-such-host.invalid/v1", api_key="", model=""
    )

    assert failure(provider) == ("", "unreachable")


def test_stream_left_early_closes_the_connection(provider, stub_llm):
    stub_llm.configure(mode="fixed", tokens_per_second=5)

    async def leave():
        request = llm.Request(MESSAGES)
        async with aclosing(provider.stream(request)) as pieces:
            async for _ in pieces:
                break

    llm.run(leave())

    wait_until(lambda: stub_llm.abandoned_streams == 1)
    wait_until(lambda: stub_llm.open_streams == 0)


def test_stream_of_a_cancelled_reader_closes_the_connection(provider, stub_llm):
    stub_llm.configure(mode="fixed", tokens_per_second=5)

    async def read(first_piece):
        async for _ in provider.stream(llm.Request(MESSAGES)):
            first_piece.set()

    async def cancel():
        first_piece = asyncio.Event()
        reader = asyncio.create_task(read(first_piece))
        await first_piece.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return reader.cancelled()

    assert llm.run(cancel())
    wait_until(lambda: stub_llm.abandoned_streams == 1)


def test_streams_use_one_connection_after_another(monkeypatch):
    monkeypatch.setattr(llm, "DRAIN_TIMEOUT_S", 60)

    async def ask_three_times():
        server = await asyncio.start_server(lingering_server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        provider = llm.OpenAIProvider(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="", model=""
        )
        request = llm.Request(MESSAGES)
        answers = [await llm.collect(provider, request, 60) for _ in range(3)]
        await llm.close_clients()
        server.close()
        return answers

    connections = []

    async def lingering_server(reader, writer):
        """Ends each body a moment after its last event, as servers do."""
        connections.append(writer)
        event = b'data: {"choices": [{"delta": {"content": "yes"}}]}\n\n'
        body = event + b"data: [DONE]\n\n"
        while head := await read_head(reader):
            await reader.readexactly(content_length(head))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body)
            )
            await writer.drain()
            await asyncio.sleep(0.005)
            writer.write(b"0\r\n\r\n")
        writer.close()

    assert asyncio.run(ask_three_times()) == ["yes", "yes", "yes"]
    assert len(connections) == 1


async def read_head(reader):
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def content_length(head):
    lines = head.lower().split(b"\r\n")
    return int(next(x for x in lines if x.startswith(b"content-length"))[16:])


def test_failures_say_nothing_of_key_prompt_or_reply(provider, caplog):
    caplog.set_level(logging.DEBUG)

    failures = [
        listen(provider, f"fault-{fault}")[1] for fault in ("401", "cut", "malformed")
    ]
    listen(provider, "echo")

    shown = caplog.text + "".join(f"{error!r} {error}" for error in failures)
    assert "failed: refused, status 401" in shown
    for secret in (SECRET_KEY, SECRET_WORDS, "word1", "You said"):
        assert secret not in shown


def test_model_failed_reads_like_a_sentence():
    failed = llm.ModelFailed("slow")

    assert (failed.reason, str(failed)) == (
        "slow",
        "The model took too long to answer.",
    )


def test_collect_gives_the_whole_answer(provider):
    request = llm.Request(MESSAGES, model="echo")

    answer = llm.run(llm.collect(provider, request, deadline_s=5))

    assert answer == f"You said: {SECRET_WORDS}"


def test_collect_keeps_its_deadline(provider, stub_llm):
    stub_llm.configure(mode="fixed", tokens_per_second=5)

    with pytest.raises(llm.ModelFailed) as caught:
        llm.run(llm.collect(provider, llm.Request(MESSAGES), deadline_s=0.2))

    assert caught.value.reason == "slow"
    wait_until(lambda: stub_llm.open_streams == 0)


def test_warm_up_opens_the_connection_and_fails_in_silence(provider):
    dead = llm.OpenAIProvider(base_url="http://127.0.0.1:1/v1", api_key="", model="")

    llm.run(provider.warm_up())
    llm.run(dead.warm_up())


def test_run_serves_many_threads_on_one_loop():
    async def loop_of():
        return asyncio.get_running_loop()

    loops = []
    threads = [
        threading.Thread(target=lambda: loops.append(llm.run(loop_of())))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert loops == [llm.run(loop_of())] * 5


def test_run_works_in_a_forked_process(provider):
    request = llm.Request(MESSAGES, model="echo")
    llm.run(llm.collect(provider, request, deadline_s=5))

    child = os.fork()
    if child == 0:
        answer = llm.run(llm.collect(provider, request, deadline_s=5))
        os._exit(0 if answer == f"You said: {SECRET_WORDS}" else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_clients_are_one_an_endpoint_and_loop():
    async def clients():
        a, b = (
            llm.OpenAIProvider(base_url="http://a/v1", api_key=key, model="m")
            for key in ("k", "k2")
        )
        same, other = [a._client(), a._client()], b._client()
        await llm.close_clients()
        return same[0] is same[1], same[0] is other, other.is_closed()

    assert asyncio.run(clients()) == (True, False, True)


@pytest.mark.parametrize(
    ("base_url", "api_key", "model", "label", "is_demo"),
    [
        ("", "", "", "Demo responder", True),
        ("", "k", "", "gpt-4o-mini at api.openai.com", False),
        ("http://gpu:8000/v1", "", "llama", "llama at gpu:8000", False),
        ("https://u:p@api.example.com/v1", "k", "x", "x at api.example.com", False),
    ],
)
def test_configured_provider_is_what_the_settings_name(
    settings, base_url, api_key, model, label, is_demo
):
    settings.LLM_BASE_URL = base_url
    settings.LLM_API_KEY = api_key
    settings.LLM_MODEL = model

    provider = llm.configured_provider()

    assert (provider.label, provider.is_demo) == (label, is_demo)


@pytest.fixture
def two(stub_llm):
    """Two endpoints: what the first is asked for is chosen by the model's name."""
    first, second = (
        llm.OpenAIProvider(base_url=stub_llm.base_url, api_key="k", model=model)
        for model in ("first", "echo")
    )
    return llm.WithFallback(first, second)


@pytest.mark.parametrize("fault", ["401", "404", "500", "empty", "blank", "malformed"])
def test_second_endpoint_answers_for_the_first(two, fault):
    words = "  " if fault == "blank" else ""
    expected = f"{words}You said: {SECRET_WORDS}"
    if fault == "malformed":
        expected, reason = BROKEN_AFTER, "malformed"
        assert failure(two, f"fault-{fault}") == (expected, reason)
        assert two.spoken_by == two.label
        return

    assert failure(two, f"fault-{fault}") == (expected, None)
    assert two.spoken_by.startswith("echo at")
    assert two.label.startswith("first at")


def test_second_endpoint_is_not_asked_for_nothing(two, stub_llm):
    stub_llm.configure(mode="fixed")

    assert failure(two) == (FIXED_REPLY, None)
    assert two.spoken_by == two.label
    assert len(stub_llm.requests) == 1


def test_both_endpoints_have_the_patience_of_one(two, stub_llm, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_TOKEN_TIMEOUT_S", 0.6)

    def is_given_up_in_time():
        stub_llm.configure(faults=("slow", "slow"))
        began = time.monotonic()
        assert failure(two) == ("", "slow")
        return time.monotonic() - began < 1.2

    assert sometime(is_given_up_in_time)


def test_slow_first_endpoint_leaves_the_second_its_time(two, stub_llm, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_TOKEN_TIMEOUT_S", 1)

    def is_answered():
        stub_llm.configure(faults=("slow",))
        return failure(two) == (f"You said: {SECRET_WORDS}", None)

    assert sometime(is_answered)


def test_configured_provider_has_the_second_endpoint_behind_it(settings):
    settings.LLM_BASE_URL = "http://a/v1"
    settings.LLM_FALLBACK_BASE_URL = "http://b/v1"

    provider = llm.configured_provider("mine")

    assert (type(provider), provider.label) == (llm.WithFallback, "mine at a")


def test_demo_responder_is_a_provider_like_any_other():
    request = llm.Request(MESSAGES)

    answer = llm.run(llm.collect(DemoResponder(0), request, deadline_s=5))

    assert answer.startswith("I am VoiceOps' built-in demo responder")


def test_what_the_sdk_looks_for_is_loaded_before_any_request():
    """Another thread that loads it later would break a request by the half of it."""
    program = (
        "import sys, django; django.setup(); import agents.llm;"
        "print(hasattr(sys.modules.get('httpx'), 'Timeout'))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.strip() == "True"
