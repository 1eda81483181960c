"""Chunks as they come off the wire, however they were cut and whoever made them."""

import pytest

from agents import chunks
from agents.chat import ModelFailed, ToolCall
from agents.chunks import EventData, ToolCallParts, read_chunk


def test_events_survive_any_splitting():
    event = '{"choices": [{"delta": {"content": "né"}}]}'.encode()
    body = b": hello\r\ndata: " + event + b"\r\n\r\nevent: x\ndata:[DONE]\n\n"
    for size in range(1, len(body)):
        data = EventData()

        pieces = [body[at : at + size] for at in range(0, len(body), size)]

        assert [found for piece in pieces for found in data.feed(piece)] == [
            event,
            b"[DONE]",
        ]


def test_events_of_an_endless_line_are_malformed():
    data = EventData()

    with pytest.raises(ModelFailed) as caught:
        for _ in range(3):
            data.feed(b"x" * chunks.MAX_LINE_BYTES)

    assert caught.value.reason == "malformed"


def part(**function):
    return {"function": function}


@pytest.mark.parametrize(
    "deltas",
    [
        [[{"index": 0, "id": "a", **part(name="f", arguments='{"x":')}]]
        + [[{"index": 0, **part(arguments=" 1}")}]],
        [[{"id": "a", **part(name="f", arguments='{"x": 1}')}]],  # whole, no index
        [[{"id": "a", **part(name="f", arguments={"x": 1})}]],  # an object
        [
            [{"index": 0, "id": "a", **part(name="f", arguments='{"x"')}],
            [{"index": 0, "id": "a", **part(name="f", arguments=": 1}")}],  # repeated
        ],
        [[{"id": "a", **part(name="f")}], [part(arguments='{"x": 1}')]],
    ],
)
def test_tool_calls_of_many_providers_are_understood(deltas):
    parts = ToolCallParts()
    for delta in deltas:
        parts.add(delta)

    assert parts.whole() == [ToolCall("a", "f", '{"x": 1}')]


def test_tool_calls_without_an_index_are_told_apart_by_their_ids():
    parts = ToolCallParts()
    parts.add([{"id": "a", **part(name="f")}])
    parts.add([{"id": "b", **part(name="g")}, part(arguments="{}")])

    assert parts.whole() == [ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")]


@pytest.mark.parametrize(
    "delta", [["f"], [None], [{"function": 7}], [{"index": [], "id": "a"}]]
)
def test_tool_calls_that_are_none_are_malformed(delta):
    with pytest.raises(ModelFailed, match="not an answer"):
        ToolCallParts().add(delta)


def test_tool_calls_without_end_are_malformed():
    parts = ToolCallParts()
    with pytest.raises(ModelFailed):
        for _ in range(10_000):
            parts.add([{"index": 0, **part(name="f", arguments="x" * 100)}])
    with pytest.raises(ModelFailed):
        ToolCallParts().add([{"index": n} for n in range(100)])


@pytest.mark.parametrize(
    ("chunk", "read"),
    [
        (b'{"choices": []}', ("", None, [])),
        (b'{"choices": [{"delta": {"content": null}}]}', ("", None, [])),
        (b'{"choices": [{"delta": {}, "finish_reason": "stop"}]}', ("", "stop", [])),
        (b'{"choices": [{"delta": {"content": " a "}}]}', (" a ", None, [])),
        (
            b'{"choices": [{"delta": null, "finish_reason": "length"}]}',
            ("", "length", []),
        ),
    ],
)
def test_chunks_of_all_kinds_are_read(chunk, read):
    assert read_chunk(chunk) == read


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'"x"',
        b'{"choices": 1}',
        b'{"choices": ["x"]}',
        b'{"choices": {"a": 1}}',
        b'{"choices": [{"delta": "x"}]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
        b'{"choices": [{"delta": {"content": ["x"]}}]}',
        b'{"choices": [{"delta": {"tool_calls": 7}}]}',
        b"\xff\xfe\xfd",
    ],
)
def test_chunks_that_are_none_are_malformed(chunk):
    with pytest.raises(ModelFailed) as caught:
        read_chunk(chunk)

    assert caught.value.reason == "malformed"
