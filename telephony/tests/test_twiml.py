"""The documents as the carrier reads them."""

import xml.etree.ElementTree as ET

import pytest

from agents.models import VoiceAgent
from simulator.twiml_schema import ATTRIBUTES
from telephony import twiml

URLS = {"action_url": "https://v.example/a", "relay_url": "wss://v.example/r"}


def connected(agent, greeting="Hello"):
    document = twiml.connect(agent, greeting=greeting, **URLS)
    return ET.fromstring(document)[0]


def listening(agent, words="Hello"):
    document = twiml.listen(
        agent,
        words,
        action_url="https://v.example/a?after=1",
        silence_url="https://v.example/a?after=1&silent_s=5",
        timeout_s=5,
    )
    return ET.fromstring(document)


def test_connect_says_all_that_the_agent_wants():
    agent = VoiceAgent(
        language="de-DE",
        voice="de-DE-Neural2-A",
        hints="Brightside, Dr. Ångström",
        interruptible="speech",
        interrupt_sensitivity="low",
        dtmf_detection=False,
    )

    connect = connected(agent, "Guten Tag & <willkommen>")

    assert (connect.tag, connect.attrib) == (
        "Connect",
        {"action": "https://v.example/a", "method": "POST"},
    )
    assert [(verb.tag, verb.attrib) for verb in connect] == [
        (
            "ConversationRelay",
            {
                "url": "wss://v.example/r",
                "welcomeGreeting": "Guten Tag & <willkommen>",
                "welcomeGreetingInterruptible": "speech",
                "language": "de-DE",
                "ttsProvider": "Google",
                "voice": "de-DE-Neural2-A",
                "transcriptionProvider": "Deepgram",
                "interruptible": "speech",
                "interruptSensitivity": "low",
                "reportInputDuringAgentSpeech": "speech",
                "dtmfDetection": "false",
                "hints": "Brightside, Dr. Ångström",
                "events": "speaker-events",
            },
        )
    ]


def test_connect_lets_a_greeting_be_heard_to_its_end():
    given = connected(VoiceAgent(greeting_interruptible=False))[0].attrib

    assert given["welcomeGreetingInterruptible"] == "none"
    assert given["interruptible"] == "any"


def test_connect_leaves_out_what_is_empty():
    given = connected(VoiceAgent(), greeting="")[0].attrib

    assert given.keys() & {"welcomeGreeting", "voice", "hints"} == set()


def test_listen_says_and_hears():
    agent = VoiceAgent(language="en-GB", hints="check-up", voice="en-GB-Wavenet-A")

    gather, redirect = listening(agent)

    assert (gather.tag, gather.attrib) == (
        "Gather",
        {
            "input": "speech dtmf",
            "action": "https://v.example/a?after=1",
            "method": "POST",
            "timeout": "5",
            "speechTimeout": "auto",
            "bargeIn": "true",
            "language": "en-GB",
            "hints": "check-up",
        },
    )
    assert [(say.text, say.attrib) for say in gather] == [
        ("Hello", {"voice": "Google.en-GB-Wavenet-A", "language": "en-GB"})
    ]
    assert (redirect.text, redirect.attrib) == (
        "https://v.example/a?after=1&silent_s=5",
        {"method": "POST"},
    )


def test_listen_is_not_cut_off_by_who_may_not():
    gather = listening(VoiceAgent(interruptible="none", dtmf_detection=False))[0]

    assert (gather.attrib["bargeIn"], gather.attrib["input"]) == ("false", "speech")


def test_listen_without_words_only_hears():
    assert list(listening(VoiceAgent(), "")[0]) == []


def test_long_words_are_said_in_parts():
    said = [say.text for say in listening(VoiceAgent(), "word " * 1500)[0]]

    assert [len(part) <= twiml.LONGEST_SAY for part in said] == [True] * 3
    assert " ".join(said).split() == ["word"] * 1500


@pytest.mark.parametrize("nonsense", ["\0", "\x08", "\ud800", "\uffff", "]]>", "&#0;"])
def test_any_words_make_a_document(nonsense):
    agent = VoiceAgent(hints=nonsense)
    for document in (
        twiml.connect(agent, greeting=nonsense, **URLS),
        twiml.hang_up(nonsense),
    ):
        document.encode()
        assert ET.fromstring(document).tag == "Response"


def test_only_documented_attributes_are_used():
    agent = VoiceAgent(voice="v", hints="h", dtmf_length=4)
    documents = [
        twiml.connect(agent, greeting="Hello", **URLS),
        ET.tostring(listening(agent)),
        twiml.wait("https://v.example/a"),
        twiml.hang_up("Goodbye", agent),
        twiml.hang_up(),
        twiml.nothing(),
        twiml.say("A caller.", agent),
        twiml.hand_over(
            agent,
            "I connect you.",
            number="+14155550188",
            caller_id="+14155550142",
            answered_url="https://v.example/w",
            action_url="https://v.example/a",
            longest_s=60,
        ),
    ]
    for document in documents:
        for verb in ET.fromstring(document).iter():
            assert verb.attrib.keys() <= ATTRIBUTES[verb.tag], verb.tag


def test_say_knows_no_voice_of_elevenlabs():
    agent = VoiceAgent(tts_provider="ElevenLabs", voice="secret-id")

    assert listening(agent)[0][0].attrib == {"language": "en-US"}


def test_wait_asks_again():
    assert twiml.wait("https://v.example/a?x=1&y=2").endswith(
        '<Response><Pause length="1" />'
        '<Redirect method="POST">https://v.example/a?x=1&amp;y=2</Redirect></Response>'
    )


def test_hang_up_needs_no_words():
    assert twiml.hang_up().endswith("<Response><Hangup /></Response>")
    assert twiml.nothing().endswith("<Response />")
