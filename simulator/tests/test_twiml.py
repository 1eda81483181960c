"""Reading TwiML and the session's frames: text in, values out."""

import pytest

from simulator import frames
from simulator.twiml import (
    BadDocument,
    Connect,
    Dial,
    Document,
    Gather,
    Hangup,
    Pause,
    Redirect,
    Reject,
    Say,
    parse,
)


def test_parse_reads_every_verb():
    document = parse(
        "<?xml version='1.0' encoding='UTF-8'?><Response>"
        "<Say voice='a' loop='2'>Hello <break/><emphasis>you</emphasis></Say>"
        "<Pause length='3'/>"
        "<Gather input='dtmf speech' action='/a' timeout='4' numDigits='1'"
        " finishOnKey='*' bargeIn='false' actionOnEmptyResult='true'>"
        "<Say>Well?</Say></Gather>"
        "<Dial action='/d' timeout='9'><Number>+14155550100</Number></Dial>"
        "<Redirect method='GET'>/next</Redirect><Reject reason='busy'/><Hangup/>"
        "</Response>"
    )

    assert document == Document(
        verbs=(
            Say("Hello you", loop=2),
            Pause(3),
            Gather(
                takes=frozenset({"dtmf", "speech"}),
                action="/a",
                timeout_s=4,
                num_digits=1,
                finish_on_key="*",
                barge_in=False,
                action_on_empty_result=True,
                prompts=(Say("Well?"),),
            ),
            Dial(("+14155550100",), action="/d", timeout_s=9),
            Redirect("/next", "GET"),
            Reject("busy"),
            Hangup(),
        )
    )


def test_parse_reads_a_relay_with_its_parameters():
    document = parse(
        "<Response><Connect action='/after'><ConversationRelay url='wss://a.test/r'>"
        "<Language code='de-DE'/><Parameter name='id' value='7'/>"
        "</ConversationRelay></Connect></Response>"
    )

    attributes = {"url": "wss://a.test/r"}
    connect = Connect("wss://a.test/r", attributes, {"id": "7"}, action="/after")
    assert document == Document(verbs=(connect,))


def test_parse_warns_of_what_twilio_does_not_have():
    document = parse(
        "<Response><Say voise='a'>Hi</Say><Connect><ConversationRelay url='wss://a'"
        " interruptable='any'/></Connect><Start><Stream/></Start><Shout/></Response>"
    )

    assert document.warnings == (
        "Say has no attribute 'voise'",
        "ConversationRelay has no attribute 'interruptable'",
        "<Shout> is not known here",
    )
    assert document.notes == ("<Stream> is not acted out by this simulator",)
    assert document.has_unknown_verb is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "<Response>",
        "<response/>",
        "<!DOCTYPE x [<!ENTITY y 'z'>]><Response/>",
        "<Response>" + " " * 70_000 + "</Response>",
    ],
)
def test_parse_refuses_what_is_no_document(text):
    with pytest.raises(BadDocument):
        parse(text)


@pytest.mark.parametrize(
    ("raw", "frame"),
    [
        ('{"type": "text", "token": " Hi"}', frames.Text(" Hi")),
        (
            '{"type": "text", "token": "", "last": true, "interruptible": false}',
            frames.Text("", last=True, interruptible=False),
        ),
        ('{"type": "play", "source": "http://a"}', frames.Recording("http://a")),
        ('{"type": "sendDigits", "digits": "12w#"}', frames.Digits("12w#")),
        ('{"type": "language", "ttsLanguage": "de-DE"}', frames.Language(None)),
        ('{"type": "end"}', frames.End()),
        ('{"type": "end", "handoffData": "{}"}', frames.End("{}")),
    ],
)
def test_frame_is_read(raw, frame):
    assert frames.parse(raw) == frame


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00",
        "",
        "7",
        "{}",
        '{"type": ["text"]}',
        '{"type": "interrupt"}',
        '{"type": "text"}',
        '{"type": "text", "token": 7}',
        '{"type": "text", "token": "a", "last": "yes"}',
        '{"type": "sendDigits", "digits": "12a"}',
        '{"type": "language"}',
        '{"type": "end", "handoffData": {"why": "done"}}',
    ],
)
def test_bad_frame_is_refused(raw):
    with pytest.raises(frames.BadFrame):
        frames.parse(raw)
