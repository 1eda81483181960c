"""The offline demo responder: no network and no model, the same answer every time.

It lets a fresh installation take calls before anybody has bought a model. It says
what it is, then answers from the agent's own instructions: the sentence that shares
the most telling words with the caller's, asked questions included. A tool is used
when what the caller says has two telling words in common with its description.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from math import log
from typing import Any, Protocol

from agents.chat import Message, ToolCall
from agents.known import without_records
from agents.prompts import PREAMBLE, TEXTING_PREAMBLE

LABEL = "Demo responder"
DISCLOSURE = "I am VoiceOps' built-in demo responder, not a language model."
ANYTHING_ELSE = "Is there anything else?"
GOODBYE = "Thank you. Goodbye!"
WORD_DELAY_S = 0.02
MAX_ANSWER_CHARACTERS = 240
WORDS_FOR_A_TOOL = 2  # in common with what the caller says

COMMON_WORDS = """
a about an and any are as at be but by can could do does for from get give had has have
hello hey hi how i i'd i'm if in is it it's know let like may me my need of on or our ok
okay please say so tell than thank thanks that the their them then there these they this
to up us want was we what what's which who will with would yes you your
"""
STOP_WORDS = frozenset(COMMON_WORDS.split())
TOPICS = (
    "when hour open opening close closing closed closes opens schedule time weekday "
    "monday tuesday wednesday thursday friday saturday sunday weekend",
    "price cost charge fee pay rate much expensive cheap euro dollar pound",
    "where address location street road located find direction avenue square",
    "appointment book booking reservation reserve table slot meeting schedule",
    "phone number email mail contact reach website",
    "park parking car garage",
    "cancel cancellation change reschedule move",
    "deliver delivery ship shipping collect pickup",
)
TOPIC_OF = {
    word: number for number, words in enumerate(TOPICS) for word in words.split()
}
"""Words that ask for the same thing: "how much" is answered by "costs"."""

GREETING = re.compile(
    r"\W*(hello|hi|hey|good (morning|afternoon|evening|day))( there)?\W*", re.I
)
FAREWELL = re.compile(
    r"\b(bye|goodbye|good-bye|see you|that is all|that's all|hang up)\b", re.I
)
REPEAT = re.compile(
    r"\b(repeat|say that again|once more|pardon|come again|what did you say)\b", re.I
)
IDENTITY = re.compile(
    r"\b(who are you|who am i (talking|speaking) (to|with)|"
    r"are you an? (robot|human|machine|real|person|ai|bot|computer))\b",
    re.I,
)
NOTHING_ELSE = re.compile(
    r"\W*(no|nope|nothing)( more| else)?(\W+(thank you|thanks))?\W*", re.I
)
A_PERSON = re.compile(
    r"\b(transfer me|put me through|talk to a (person|human)|speak to (a|some)\w*)\b",
    re.I,
)
YES = re.compile(r"\W*(yes|yeah|yep|sure)( please)?\W*", re.I)
THANKS = re.compile(r"\W*(thank you|thanks)( very much| a lot)?\W*", re.I)
# "9 a.m. to 5 p.m. Monday to Friday" is one sentence.
SENTENCE_END = re.compile(r"(?<=[.!?])(?<![ap]\.m\.)\s+(?![a-z])|\n+")
BULLET = re.compile(r"^\s*(?:[-*•#]+|\d+[.)])\s*")
ORDER = re.compile(
    r"\W*(you are|your (task|job|role|name)|if (the|a) caller|never|always|"
    r"do not|don't|be)\b",
    re.I,
)


class Asked(Protocol):
    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def tools(self) -> Sequence[dict[str, Any]]: ...

    @property
    def may_use_tools(self) -> bool: ...


class DemoResponder:
    """A provider like any other, without a network behind it."""

    label = spoken_by = LABEL
    is_demo = True

    def __init__(self, word_delay_s: float = WORD_DELAY_S) -> None:
        self._word_delay_s = word_delay_s

    async def warm_up(self) -> None:
        """Nothing to prepare."""

    async def stream(self, request: Asked) -> AsyncGenerator[str | ToolCall, None]:
        tools = request.tools if request.may_use_tools else ()
        call = chosen_tool(request.messages, tools)
        if call is None or call.name == "end_call":
            for number, word in enumerate(respond(request.messages).split(" ")):
                await asyncio.sleep(self._word_delay_s)
                yield f" {word}" if number else word
        if call is not None:
            yield call


def respond(messages: Sequence[Message]) -> str:
    """The reply to a conversation in the chat format, to its last message."""
    instructions = _contents(messages, "system")
    said = [without_records(words) for words in _contents(messages, "user")]
    replies = _contents(messages, "assistant")
    if messages and messages[-1]["role"] == "tool":
        return _report(messages)
    answer = _answer(said[-1] if said else "", instructions, replies)
    if DISCLOSURE in answer or any(DISCLOSURE in reply for reply in replies):
        return answer
    return f"{DISCLOSURE} {answer}"


def _report(messages: Sequence[Message]) -> str:
    """What the tools have answered just now."""
    first = len(messages)
    while first and messages[first - 1]["role"] == "tool":
        first -= 1
    found = [_short(m["content"]) for m in messages[first:] if m["content"].strip()]
    return f"{' '.join(found) or 'That is done.'} {ANYTHING_ELSE}"


def chosen_tool(
    messages: Sequence[Message], tools: Iterable[dict[str, Any]]
) -> ToolCall | None:
    """The tool that the caller's last words ask for, with arguments made of them."""
    offered = {tool["function"]["name"]: tool["function"] for tool in tools}
    if not offered or messages[-1]["role"] != "user":
        return None
    said = messages[-1]["content"].splitlines()[-1]
    name = _wanted(said, offered, _contents(messages, "assistant"))
    if not name:
        return None
    parameters = offered[name].get("parameters") or {}
    properties = parameters.get("properties") or {}
    arguments = {
        key: _value(said, properties.get(key) or {})
        for key in parameters.get("required") or []
    }
    return ToolCall("demo", name, json.dumps(arguments))


def _wanted(said: str, offered: dict[str, dict[str, Any]], replies: list[str]) -> str:
    if "end_call" in offered and _answer(said, [], replies) == GOODBYE:
        return "end_call"
    if "transfer_call" in offered and A_PERSON.search(said):
        return "transfer_call"
    asked, most, best = _terms(said), WORDS_FOR_A_TOOL - 1, ""
    for name, function in offered.items():
        described = f"{name.replace('_', ' ')} {function.get('description', '')}"
        shared = len(asked & _terms(described))
        if shared > most and name not in ("end_call", "transfer_call"):
            most, best = shared, name
    return best


def _value(said: str, schema: dict[str, Any]) -> Any:
    """Something of the schema's type, out of what was said where there is something."""
    if choices := schema.get("enum"):
        named = (choice for choice in choices if str(choice).casefold() in said.lower())
        return next(named, choices[0])
    number = re.search(r"\d+", said)
    match schema.get("type"):
        case "integer" | "number":
            return int(number.group()) if number else 1
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
    return said


def _contents(messages: Iterable[Message], role: str) -> list[str]:
    found = (message["content"] for message in messages if message["role"] == role)
    return [content for content in found if content]


def _answer(said: str, instructions: list[str], replies: list[str]) -> str:
    facts = _facts(instructions)
    asked_for_more = bool(replies) and replies[-1].endswith(ANYTHING_ELSE)
    if FAREWELL.search(said) or (asked_for_more and NOTHING_ELSE.fullmatch(said)):
        return GOODBYE
    if REPEAT.search(said) and replies:
        return "I said: " + replies[-1].replace(DISCLOSURE, "").strip()
    if IDENTITY.search(said):
        return f"{DISCLOSURE} {_question(facts)}"
    if GREETING.fullmatch(said):
        return f"Hello! {_question(facts)}"
    if THANKS.fullmatch(said):
        return f"You are welcome. {ANYTHING_ELSE}"
    if YES.fullmatch(said):
        return "What would you like to know?"
    best = _best(said, facts)
    if best is None:
        return f"I have no answer to that here. {_question(facts)}"
    return f"{best} {ANYTHING_ELSE}"


def _facts(instructions: Iterable[str]) -> list[str]:
    """What the instructions tell about the business, without orders to the agent."""
    lines = [
        BULLET.sub("", line).strip()
        for text in instructions
        for line in SENTENCE_END.split(_without_preamble(text))
    ]
    return [line for line in lines if _words(line) and not ORDER.match(line)]


def _without_preamble(text: str) -> str:
    return text.removeprefix(PREAMBLE).removeprefix(TEXTING_PREAMBLE)


def _best(said: str, facts: list[str]) -> str | None:
    """The fact with the rarest words of `said`; of equals, the longer words win."""
    asked = _terms(said)
    frequency = Counter(term for fact in facts for term in _terms(fact))

    def score(fact: str) -> tuple[float, int]:
        shared = asked & _terms(fact)
        rarity = sum(log(1 + len(facts) / frequency[term]) for term in shared)
        return round(rarity, 6), sum(map(len, shared))

    best = max(facts, key=score, default=None)
    return _short(best) if best is not None and asked & _terms(best) else None


def _terms(text: str) -> set[str]:
    """The telling words of `text`, by their stems, and the topics they belong to."""
    words = _words(text) - STOP_WORDS
    stems = {_stem(word) for word in words}
    topics = {f"topic {TOPIC_OF[word]}" for word in words | stems if word in TOPIC_OF}
    return stems | topics


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+(?:'\w+)?", text.replace("’", "'").casefold()))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def _short(sentence: str) -> str:
    """At most what a caller can listen to, ending like a sentence."""
    if len(sentence) > MAX_ANSWER_CHARACTERS:
        sentence = sentence[:MAX_ANSWER_CHARACTERS].rpartition(" ")[0].rstrip(",;:")
    return sentence if sentence[-1] in ".!?" else sentence + "."


def _question(facts: list[str]) -> str:
    """A question that hints at what can be asked: a topic the instructions know."""
    hints = {0: "opening hours", 1: "prices", 2: "address", 3: "appointments"}
    known = set().union(*(_terms(line) for line in facts)) if facts else set()
    offered = [hint for number, hint in hints.items() if f"topic {number}" in known]
    if not offered:
        return "What would you like to know?"
    return f"Would you like to know about our {' or '.join(offered[:2])}?"
