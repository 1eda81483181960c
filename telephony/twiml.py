"""The documents that tell the carrier what to do with a call. Pure.

Source: Twilio's pages on TwiML. The SDK writes any attribute that it is given, known
or not, so only documented ones are used here.
"""

import textwrap

from twilio.twiml.voice_response import Connect, Dial, Gather, Start, VoiceResponse

from agents.models import VoiceAgent
from telephony.words import speakable

LONGEST_SAY = 3000  # characters; Twilio takes 4,096 in one Say
WAIT_S = 1
# Say's names for the voices of ConversationRelay's providers.
SAY_VOICES = {"Google": "Google.", "Amazon": "Polly."}


def connect(
    agent: VoiceAgent, *, relay_url: str, action_url: str, greeting: str
) -> str:
    """Join the call to the live session; `action_url` is asked when that is over."""
    greeting_yields_to = agent.interruptible if agent.greeting_interruptible else "none"
    response = VoiceResponse()
    joined = Connect(action=action_url, method="POST")
    joined.conversation_relay(
        **_given(
            url=relay_url,
            welcome_greeting=speakable(greeting),
            welcome_greeting_interruptible=greeting_yields_to,
            language=agent.language,
            tts_provider=agent.tts_provider,
            voice=agent.voice,
            transcription_provider=agent.transcription_provider,
            interruptible=agent.interruptible,
            interrupt_sensitivity=agent.interrupt_sensitivity,
            # What may interrupt the agent is also told; its default is nothing.
            report_input_during_agent_speech=agent.interruptible,
            dtmf_detection=agent.dtmf_detection,
            hints=speakable(agent.hints),
            # When the agent has been heard out: silence is counted from there.
            events="speaker-events",
        )
    )
    response.append(joined)
    return response.to_xml()


def listen(
    agent: VoiceAgent,
    words: str,
    *,
    is_greeting: bool = False,
    action_url: str,
    silence_url: str,
    timeout_s: int,
) -> str:
    """Say `words`, then hear the caller out; `silence_url` if nothing comes."""
    yields = agent.interruptible != agent.Interruptible.NONE
    yields = yields and (agent.greeting_interruptible or not is_greeting)
    response = VoiceResponse()
    gather = Gather(
        **_given(
            input="speech dtmf" if agent.dtmf_detection else "speech",
            action=action_url,
            method="POST",
            timeout=timeout_s,
            speech_timeout="auto",
            barge_in=yields,
            num_digits=agent.dtmf_length if agent.dtmf_detection else None,
            language=agent.language,
            hints=speakable(agent.hints),
        )
    )
    _say(gather, words, agent)
    response.append(gather)
    response.redirect(silence_url, method="POST")
    return response.to_xml()


def recorded(document: str, *, status_url: str) -> str:
    """The same document, with the recording begun first, which is how Twilio wants it:
    what is asked for when a call is placed is ignored with a ConversationRelay.
    """
    start = Start()
    start.recording(
        channels="dual",
        recording_status_callback=status_url,
        recording_status_callback_method="POST",
        recording_status_callback_event="in-progress completed absent",
    )
    begins = f"<Response>{start.to_xml(xml_declaration=False)}"
    return document.replace("<Response>", begins, 1)


def hand_over(
    agent: VoiceAgent,
    words: str,
    *,
    number: str,
    caller_id: str,
    answered_url: str,
    action_url: str,
    longest_s: int,
) -> str:
    """Call the person at `number`, and join the two; `answered_url` is asked what that
    person hears first, `action_url` when it is over or came to nothing.
    """
    response = VoiceResponse()
    _say(response, words, agent)
    dial = Dial(
        action=action_url,
        method="POST",
        caller_id=caller_id,
        timeout=agent.transfer_timeout_s,
        time_limit=longest_s,
    )
    dial.number(number, url=answered_url, method="POST")
    response.append(dial)
    return response.to_xml()


def say(words: str, agent: VoiceAgent) -> str:
    """Say it, and leave the call as it is."""
    response = VoiceResponse()
    _say(response, words, agent)
    return response.to_xml()


def wait(url: str) -> str:
    """Ask again in a moment: the answer is being made."""
    response = VoiceResponse()
    response.pause(length=WAIT_S)
    response.redirect(url, method="POST")
    return response.to_xml()


def hang_up(words: str = "", agent: VoiceAgent | None = None) -> str:
    """Say a last sentence, if any, and end the call."""
    response = VoiceResponse()
    _say(response, words, agent)
    response.hangup()
    return response.to_xml()


def nothing() -> str:
    """Nothing more to do: the call is over."""
    return VoiceResponse().to_xml()


def _say(verb, words: str, agent: VoiceAgent | None) -> None:
    manner = (
        {} if agent is None else _given(voice=_voice(agent), language=agent.language)
    )
    for part in textwrap.wrap(speakable(words), LONGEST_SAY):
        verb.say(part, **manner)


def _voice(agent: VoiceAgent) -> str:
    prefix = SAY_VOICES.get(agent.tts_provider)
    return prefix + agent.voice if prefix and agent.voice else ""


def _given(**attributes):
    return {
        name: value for name, value in attributes.items() if value not in ("", None)
    }
