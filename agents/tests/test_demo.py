import asyncio
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo import (
    DISCLOSURE,
    GOODBYE,
    LABEL,
    MAX_ANSWER_CHARACTERS,
    DemoResponder,
    chosen_tool,
    respond,
)
from agents.dialogue import contains_phrase
from agents.llm import Request
from agents.prompts import PREAMBLE, with_preamble

INSTRUCTIONS = """You are the friendly receptionist of Luigi's. Always be brief.
- Open Tuesday to Sunday from 5 p.m. to 10 p.m. Closed on Mondays.
* Address: 12 Main Street, next to the library.
2. A pizza costs between 9 and 14 dollars; pasta is 12 dollars.
Reservations need a name, the number of people and the time.
We deliver within 5 miles! Delivery is free above 30 dollars.
Parking is behind the house. Dogs are welcome on the terrace.
If the caller asks for a manager, say that Luigi calls back. Never give discounts."""


def conversation(*said, instructions=INSTRUCTIONS):
    """The chat so far, the responder's own replies between what the caller said."""
    messages = [{"role": "system", "content": instructions}]
    for words in said[:-1]:
        messages.append({"role": "user", "content": words})
        messages.append({"role": "assistant", "content": respond(messages)})
    return [*messages, {"role": "user", "content": said[-1]}]


def later_answer(*said):
    """The reply to the last of `said`, in a call whose first words are over."""
    return respond(conversation("Hello", *said))


def test_first_reply_says_what_it_is_and_later_ones_do_not():
    first = respond(conversation("When are you open?"))
    second = respond(conversation("Hello", "When are you open?"))

    assert first == f"{DISCLOSURE} {second}"
    assert DISCLOSURE not in second
    assert LABEL == "Demo responder"


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        (
            "hi, when are you open?",
            "Open Tuesday to Sunday from 5 p.m. to 10 p.m. Closed on Mondays.",
        ),
        ("Where can I find you?", "Address: 12 Main Street, next to the library."),
        ("where are you", "Address: 12 Main Street, next to the library."),
        (
            "How much is a pizza?",
            "A pizza costs between 9 and 14 dollars; pasta is 12 dollars.",
        ),
        (
            "Can I book a table?",
            "Reservations need a name, the number of people and the time.",
        ),
        ("do you deliver", "We deliver within 5 miles!"),
        ("Where can I park my car?", "Parking is behind the house."),
        ("CAN I BRING MY DOG", "Dogs are welcome on the terrace."),
    ],
)
def test_question_gets_the_sentence_of_the_instructions_that_fits(question, fact):
    assert later_answer(question) == f"{fact} Is there anything else?"


def test_what_every_agent_is_told_is_not_a_fact_of_the_business():
    for line in PREAMBLE.splitlines():
        messages = conversation(line, instructions=with_preamble("We sell cheese."))

        assert line not in respond(messages)


@pytest.mark.parametrize(
    "question", ["What is the meaning of life?", "I want the manager", "Discounts?"]
)
def test_question_without_an_answer_gets_a_sensible_one_back(question):
    assert later_answer(question) == (
        "I have no answer to that here. "
        "Would you like to know about our opening hours or prices?"
    )


def test_greeting_is_greeted():
    answer = "Hello! Would you like to know about our opening hours or prices?"

    assert later_answer("Good evening!") == answer


@pytest.mark.parametrize("question", ["Who are you?", "Wait, are you a robot?"])
def test_question_who_it_is_is_answered_truthfully_and_once(question):
    assert later_answer(question).startswith(DISCLOSURE)
    assert respond(conversation(question)).count(DISCLOSURE) == 1


def test_repeat_gives_the_last_words_again():
    answer = later_answer("do you deliver?", "Pardon?")

    assert answer == "I said: We deliver within 5 miles! Is there anything else?"


@pytest.mark.parametrize("words", ["okay, bye", "Goodbye.", "That's all, thanks"])
def test_farewell_is_answered_with_an_end_phrase(words):
    answer = later_answer(words)

    assert answer == GOODBYE
    assert contains_phrase(answer, ["goodbye"])


def test_no_to_anything_else_is_a_farewell():
    assert later_answer("do you deliver?", "No, thanks.") == GOODBYE


def test_thanks_and_yes_go_on():
    assert later_answer("Thank you!") == "You are welcome. Is there anything else?"
    assert later_answer("Thanks", "Yes please") == "What would you like to know?"


def test_long_sentence_is_cut_to_what_can_be_listened_to():
    instructions = "Our hours are " + "very " * 100 + "long"

    answer = respond(conversation("Hi", "your hours?", instructions=instructions))

    fact = answer.removesuffix(" Is there anything else?")
    assert len(fact) <= MAX_ANSWER_CHARACTERS + 1
    assert fact.startswith("Our hours are very") and fact.endswith("very.")


@given(
    st.lists(
        st.builds(
            lambda role, content: {"role": role, "content": content},
            st.sampled_from(["system", "user", "assistant"]),
            st.text(max_size=30),
        ),
        max_size=6,
    )
)
def test_any_conversation_gets_the_same_speakable_answer_twice(messages):
    answer = respond(messages)

    assert answer == respond(messages)
    assert answer.strip()


def test_stream_yields_word_by_word():
    messages = tuple(conversation("Hello", "do you deliver?"))

    async def read():
        return [piece async for piece in DemoResponder(0).stream(Request(messages))]

    assert asyncio.run(read()) == [
        "We",
        " deliver",
        " within",
        " 5",
        " miles!",
        " Is",
        " there",
        " anything",
        " else?",
    ]


def test_answer_to_a_long_prompt_is_quick():
    sentences = [f"Fact {n} is about subject{n} and thing{n % 7}." for n in range(900)]
    messages = conversation("tell me of subject512", instructions=" ".join(sentences))

    started = time.process_time()
    answer = respond(messages)

    assert "Fact 512 is about subject512 and thing1." in answer
    assert time.process_time() - started < 0.5


def test_no_wording_of_a_caller_keeps_it_busy():
    """Other calls wait meanwhile; a frame brings up to ten thousand characters."""
    asked = conversation("What does it cost?")
    asked_for_more = {
        "role": "assistant",
        "content": "It is 5. Is there anything else?",
    }
    said = {"role": "user", "content": f"no{' ' * 9990}x"}

    started = time.process_time()
    respond([*asked, asked_for_more, said])

    assert time.process_time() - started < 0.5


def tool(name, description, **properties):
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = (
    tool(
        "free_tables",
        "Look up which tables are free on a day, for a number of people",
        day={"type": "string", "enum": ["Monday", "Friday"]},
        people={"type": "integer"},
        wish={"type": "string"},
        smoking={"type": "boolean"},
    ),
    tool("end_call", "End the call", reason={"type": "string"}),
    tool("transfer_call", "Transfer the caller", to={"type": "string"}),
)


def chosen(said, tools=TOOLS):
    call = chosen_tool(conversation("Hello", said), tools)
    return call and (call.name, json.loads(call.arguments))


def test_tool_is_chosen_by_two_telling_words_and_given_arguments():
    said = "Are there free tables on friday for 4 people?"

    assert chosen(said) == (
        "free_tables",
        {"day": "Friday", "people": 4, "wish": said, "smoking": True},
    )


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Goodbye then!", "end_call"),
        ("Can you put me through to somebody?", "transfer_call"),
        ("Is the terrace free?", None),
        ("Where are you?", None),
    ],
)
def test_other_tools_are_chosen_by_what_they_are_for(said, name):
    assert (chosen(said) or [None])[0] == name


def test_without_tools_none_is_chosen():
    assert chosen("Are there free tables on friday for 4 people?", ()) is None


def pieces_of(messages, **options):
    async def read():
        request = Request(tuple(messages), tools=TOOLS, **options)
        return [piece async for piece in DemoResponder(0).stream(request)]

    return asyncio.run(read())


def test_tool_is_called_and_its_answer_told():
    messages = conversation("Hello", "Are there free tables for 4 people?")

    (call,) = pieces_of(messages)
    messages += [
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "x", "content": "Two tables are free"},
    ]

    assert call.name == "free_tables"
    assert "".join(pieces_of(messages)) == (
        "Two tables are free. Is there anything else?"
    )


def test_farewell_is_said_before_the_call_is_ended():
    *words, call = pieces_of(conversation("Hello", "Bye!"))

    assert ("".join(words), call.name) == (GOODBYE, "end_call")


def test_tools_that_may_not_be_used_are_not():
    messages = conversation("Hello", "Are there free tables for 4 people?")

    pieces = pieces_of(messages, may_use_tools=False)

    assert all(isinstance(piece, str) for piece in pieces)
