import json
import re
from datetime import UTC, datetime
from html import unescape

import pytest
import time_machine

from accounts.models import Membership
from agents import services
from agents.forms.message_agents import MAX_TEXTS, MessageAgentForm
from agents.models import MessageAgent, PromptVersion, Tool
from agents.prompts import TEXTING_PREAMBLE
from agents.tests.rows import make_agent, make_message_agent, make_phone, make_prompt
from agents.tests.test_pages import HTMX, follow, text_of
from agents.views import message_agents
from tests.people import make_tenant
from tests.stub_service import stub_service

__all__ = ["stub_service"]

OFFICE = {
    "timezone": "Europe/Berlin",
    "days": {
        "mon": [["09:00", "12:00"], ["13:00", "17:00"]],
        "fri": [["20:00", "24:00"]],
    },
}
SUNDAY = datetime(2026, 11, 22, 10, tzinfo=UTC)


def form_data(agent, **changes):
    """What a browser would send for the agent's form, with changes."""
    form = MessageAgentForm(owner=agent.owner, instance=agent)
    fields = [*form, *form.hours]
    data = {field.html_name: field.value() for field in fields}
    data["handoff_phrases"] = "\n".join(agent.handoff_phrases)
    data.update(changes)
    return {name: value for name, value in data.items() if value is not None}


# -- The list --------------------------------------------------------------------------


def test_list_without_agents_offers_to_create_one(alice):
    page = alice.client.get("/message-agents")

    assert "No message agents yet" in text_of(page)
    assert 'href="/message-agents/new"' in page.content.decode()


@time_machine.travel(SUNDAY, tick=False)
def test_list_shows_number_status_prompt_and_hours(alice, mallory):
    prompt = make_prompt(alice.workspace, "Answers")
    phone = make_phone(alice.workspace)
    make_message_agent(
        alice.workspace,
        phone=phone,
        is_active=True,
        prompt=prompt,
        business_hours=OFFICE,
    )
    make_message_agent(mallory.workspace, "Not hers")

    words = text_of(alice.client.get("/message-agents"))

    row = "Desk Active +1 500-555-0001 Answers v1 Opens Monday 09:00 Europe/Berlin"
    assert row in words
    assert "Not hers" not in words


def test_list_is_narrowed_by_name_status_and_number(alice, mallory):
    phone = make_phone(alice.workspace)
    theirs = make_phone(mallory.workspace, "+1500")
    make_message_agent(alice.workspace, "Sales", phone=phone, is_active=True)
    make_message_agent(alice.workspace, "Sales at night", phone=phone)
    make_message_agent(alice.workspace, "Support")

    def names(query):
        page = alice.client.get(f"/message-agents?{query}")
        return page.status_code, sorted(agent.name for agent in page.context["page"])

    assert names("q=sAle") == (200, ["Sales", "Sales at night"])
    assert names("q=sales&status=inactive") == (200, ["Sales at night"])
    assert names(f"phone={phone.pk}&status=active") == (200, ["Sales"])
    for query in (f"phone={theirs.pk}", "status=x", "q=%00"):
        page = alice.client.get(f"/message-agents?{query}")
        assert page.status_code == 422
        assert "A filter cannot be read" in text_of(page)


def test_list_asks_as_often_for_many_as_for_one(alice, django_assert_max_num_queries):
    phone, prompt = make_phone(alice.workspace), make_prompt(alice.workspace)
    for number in range(5):
        make_message_agent(alice.workspace, f"{number}", phone=phone, prompt=prompt)
    alice.client.get("/message-agents")

    with django_assert_max_num_queries(9):
        alice.client.get("/message-agents")


# -- Making and changing ---------------------------------------------------------------


def test_create_from_a_starter_takes_its_settings(alice):
    alice.workspace.timezone = "Europe/Berlin"
    alice.workspace.save()

    page = alice.client.get("/message-agents/new?start=after-hours")
    words = follow(
        alice.client,
        "/message-agents/new",
        {
            "start": "after-hours",
            "name": "Night",
            "instructions": "Hello of {{ business }}.",
            "variable.business": "Ada's",
        },
    )

    agent = MessageAgent.unscoped.get()
    assert "You answer the texts to {{ business }}" in unescape(page.content.decode())
    assert "“Night” is saved." in words
    assert (agent.variables, agent.temperature) == ({"business": "Ada's"}, 0.2)
    assert agent.business_hours["timezone"] == "Europe/Berlin"
    assert agent.business_hours["days"]["sun"] == [["00:00", "24:00"]]
    assert "will answer you here" in agent.away_message


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"instructions": "Hi"}, "This field is required."),
        ({"name": "New"}, "Choose a prompt or write instructions."),
        ({"name": "Taken", "instructions": "Hi"}, "You already have an agent"),
    ],
)
def test_create_tells_what_is_wrong(alice, data, complaint):
    make_message_agent(alice.workspace, "Taken")

    answer = alice.client.post("/message-agents/new", data, headers=HTMX)

    assert answer.status_code == 422
    assert complaint in text_of(answer)
    assert answer.content.decode().lstrip().startswith("<form")
    assert MessageAgent.unscoped.count() == 1


def test_detail_saves_every_field(alice):
    agent = make_message_agent(alice.workspace)
    prompt = make_prompt(alice.workspace, text="You are {{ who }}.")
    phone = make_phone(alice.workspace)
    changes = {
        "name": "Front desk",
        "phone": phone.pk,
        "prompt": prompt.pk,
        "prompt_version": PromptVersion.unscoped.get(prompt=prompt).pk,
        "instructions": "",
        "model": "small",
        "temperature": 1.5,
        "max_tokens": 100,
        "history_limit": 7,
        "reply_delay_s": 0,
        "away_message": "{{ who }} is out.",
    }
    inputs = {
        "handoff_phrases": " a person \n\nhuman\nhuman",
        "variable.who": "Ada",
        "hours-timezone": "Asia/Kathmandu",
        "hours-mon-0-from": "09:00",
        "hours-mon-0-to": "12:30",
        "hours-mon-1-from": "13:00",
        "hours-mon-1-to": "17:00",
        "hours-sun-1-from": "18:00:00",
        "hours-sun-1-to": "00:00",
    }

    answer = alice.client.post(
        agent.get_absolute_url(), form_data(agent, **changes, **inputs)
    )

    assert answer.status_code == 302
    stored = MessageAgent.unscoped.filter(pk=agent.pk).values(*changes).get()
    agent.refresh_from_db()
    assert stored == changes
    assert agent.handoff_phrases == ["a person", "human"]
    assert agent.variables == {"who": "Ada"}
    assert agent.business_hours == {
        "timezone": "Asia/Kathmandu",
        "days": {
            "mon": [["09:00", "12:30"], ["13:00", "17:00"]],
            "sun": [["18:00", "00:00"]],
        },
    }


def test_detail_keeps_hours_that_it_shows(alice):
    days = {
        **OFFICE["days"],
        "tue": [["08:00", "09:00"]] * 0,
        "wed": [["00:00", "24:00"]],
    }
    agent = make_message_agent(
        alice.workspace, business_hours={"timezone": "US/Pacific", "days": days}
    )

    alice.client.post(agent.get_absolute_url(), form_data(agent, name="Other"))

    agent.refresh_from_db()
    assert agent.name == "Other"
    assert agent.business_hours == {
        "timezone": "US/Pacific",
        "days": {
            "mon": OFFICE["days"]["mon"],
            "fri": [["20:00", "00:00"]],
            "wed": [["00:00", "00:00"]],
        },
    }


def test_detail_offers_room_for_more_hours_up_to_four_pairs(alice):
    agent = make_message_agent(alice.workspace, business_hours=OFFICE)
    full = {"mon": [[f"0{n}:00", f"0{n}:30"] for n in range(4)]}

    html = alice.client.get(agent.get_absolute_url()).content.decode()
    MessageAgent.unscoped.update(business_hours={"timezone": "UTC", "days": full})
    fuller = alice.client.get(agent.get_absolute_url()).content.decode()

    pairs = [
        len(re.findall('name="hours-mon-.-from"', page)) for page in (html, fuller)
    ]
    assert pairs == [3, 4]


def test_detail_forgets_hours_that_are_emptied(alice):
    agent = make_message_agent(alice.workspace, business_hours=OFFICE)
    data = form_data(agent)
    times = {name: "" for name in data if re.match("hours-.*-(from|to)", name)}

    alice.client.post(agent.get_absolute_url(), data | times)

    agent.refresh_from_db()
    assert agent.business_hours == {}


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({"hours-tue-0-from": "09:00"}, "Times are pairs such as 09:00 and 17:00."),
        ({"hours-tue-0-from": "nine"}, "Enter a valid time."),
        (
            {"hours-tue-0-from": "22:00", "hours-tue-0-to": "06:00"},
            "Hours over midnight are two pairs",
        ),
        (
            {
                "hours-tue-0-from": "09:00",
                "hours-tue-0-to": "12:00",
                "hours-tue-1-from": "11:00",
                "hours-tue-1-to": "13:00",
            },
            "These times overlap.",
        ),
        ({"hours-timezone": "Mars/Base"}, "Select a valid choice."),
    ],
)
def test_detail_tells_what_is_wrong_with_hours(alice, times, told):
    agent = make_message_agent(alice.workspace)

    answer = alice.client.post(agent.get_absolute_url(), form_data(agent, **times))

    words = text_of(answer)
    assert answer.status_code == 422
    assert "The business hours are not right yet: see below." in words
    assert told in words
    assert 'aria-invalid="true"' in answer.content.decode()
    assert MessageAgent.unscoped.get().business_hours == {}


def test_detail_refuses_values_out_of_bounds(alice):
    agent = make_message_agent(alice.workspace)

    answer = alice.client.post(
        agent.get_absolute_url(),
        form_data(
            agent,
            temperature="nan",
            max_tokens=5,
            history_limit=0,
            reply_delay_s=61,
            away_message="x" * 481,
            handoff_phrases="\n".join(map(str, range(21))),
        ),
    )

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {
        "temperature",
        "max_tokens",
        "history_limit",
        "reply_delay_s",
        "away_message",
        "handoff_phrases",
    }
    assert re.search(r"<h1[^>]*>Desk</h1>", answer.content.decode())


def test_detail_shows_preamble_notice_number_and_version(alice):
    prompt = make_prompt(alice.workspace, "Answers")
    phone = make_phone(alice.workspace)
    agent = make_message_agent(
        alice.workspace, phone=phone, is_active=True, prompt=prompt
    )

    words = text_of(alice.client.get(agent.get_absolute_url()))

    assert " ".join(TEXTING_PREAMBLE.split()) in words
    assert "Active on +1 500-555-0001." in words
    assert "Answers · version 1, the newest" in words


def test_variables_follow_the_texts_as_they_are_written(alice):
    data = {
        "instructions": "{{ who }} {{ caller_number }}",
        "away_message": "{{ back_at }}",
        "variable.who": "Ada",
    }

    answer = alice.client.post("/message-agents/variables", data)

    assert re.findall(r'name="(variable\.\w+)"', answer.content.decode()) == [
        "variable.back_at",
        "variable.who",
    ]
    assert "Still without a value: back_at." in text_of(answer)


def test_activate_names_who_was_replaced(alice):
    phone = make_phone(alice.workspace)
    make_message_agent(alice.workspace, "Old", phone=phone, is_active=True)
    agent = make_message_agent(alice.workspace, "New", phone=phone)

    words = follow(alice.client, f"{agent.get_absolute_url()}/activate")
    rested = follow(alice.client, f"{agent.get_absolute_url()}/deactivate")

    assert "“New” is active now. It replaced “Old”, inactive from now on." in words
    assert "“New” is inactive now." in rested


def test_duplicate_and_delete(alice):
    agent = make_message_agent(alice.workspace)

    copied = follow(alice.client, f"{agent.get_absolute_url()}/duplicate")
    deleted = follow(alice.client, f"{agent.get_absolute_url()}/delete")

    assert "“Desk (copy)” is made, inactive and without a number." in copied
    assert "“Desk” is deleted." in deleted
    assert alice.client.get(agent.get_absolute_url()).status_code == 404


def test_number_page_shows_its_agents_of_both_kinds(alice):
    phone = make_phone(alice.workspace)
    make_agent(alice.workspace, phone=phone)
    make_message_agent(alice.workspace, phone=phone, is_active=True)

    words = text_of(alice.client.get(phone.get_absolute_url()))

    assert "Reception Voice agent Inactive Desk Message agent Active" in words


# -- Prompts ---------------------------------------------------------------------------


def test_prompt_pages_count_and_name_message_agents(alice):
    prompt = make_prompt(alice.workspace)
    make_agent(alice.workspace, "A", prompt=prompt)
    make_agent(alice.workspace, "B", prompt=prompt)
    make_message_agent(alice.workspace, "C", prompt=prompt)
    services.delete_agent(make_message_agent(alice.workspace, "D", prompt=prompt))

    listed = text_of(alice.client.get("/prompts"))
    shown = text_of(alice.client.get(prompt.get_absolute_url()))
    refused = follow(alice.client, f"{prompt.get_absolute_url()}/delete")

    assert "3 agents" in listed
    assert "C Inactive Message agent · No number" in shown
    assert "These agents use it: A, B, C" in refused


def test_prompt_save_asks_before_a_message_agent_changes(alice):
    prompt = make_prompt(alice.workspace)
    agent = make_message_agent(alice.workspace, prompt=prompt)
    data = {"name": "Reception", "text": "We open at ten.", "based_on": 1}

    asked = alice.client.post(prompt.get_absolute_url(), data, headers=HTMX)
    words = follow(alice.client, prompt.get_absolute_url(), data | {"seen": [agent.pk]})

    assert "1 agent will talk by this text at once" in text_of(asked)
    assert "“Reception” is saved, version 2." in words


# -- Trying it out ---------------------------------------------------------------------


@pytest.fixture
def model(stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    settings.LLM_API_KEY = "key"
    return stub_llm


def write(client, agent, body, texts=(), **more):
    data = {"body": body, "texts": json.dumps(list(texts)), **more}
    return client.post(f"{agent.get_absolute_url()}/test", data, headers=HTMX)


def carried(answer):
    """The conversation that the page would send along with the next text."""
    found = re.search(r'name="texts" value="([^"]*)"', answer.content.decode())
    return json.loads(unescape(found[1]))


def test_conversation_goes_on_from_text_to_text(alice, model):
    agent = make_message_agent(alice.workspace, model="echo", history_limit=2)

    first = write(alice.client, agent, "Hello")
    second = write(alice.client, agent, "And now?", carried(first))

    assert carried(second) == [
        ["texter", "Hello"],
        ["agent", "You said: Hello"],
        ["texter", "And now?"],
        ["agent", "You said: And now?"],
    ]
    words = text_of(second)
    assert "Desk You said: And now? 18 characters · 1 segment (GSM-7)" in words
    assert "Desk writes: You said: And now?" in words
    shown = [message["content"] for message in model.requests[1]["messages"][1:]]
    assert shown == ["You said: Hello", "And now?"]


def test_conversation_works_without_scripts(alice, model):
    agent = make_message_agent(alice.workspace, model="echo")
    path = f"{agent.get_absolute_url()}/test"

    page = alice.client.post(path, {"body": "Grüße 😀"})

    words = text_of(page)
    assert "<html" in page.content.decode()
    assert "You said: Grüße 😀 17 characters · 1 segment (UCS-2)" in words
    assert "Nothing is sent to anybody, and nothing is kept" in words


@time_machine.travel(SUNDAY, tick=True)
def test_outside_of_business_hours_it_is_away_unless_one_pretends(alice, model):
    agent = make_message_agent(
        alice.workspace,
        model="echo",
        business_hours=OFFICE,
        away_message="We are closed.",
    )
    silent = services.duplicate_agent(agent)
    silent.away_message = ""
    silent.save()

    away = text_of(write(alice.client, agent, "Hello"))
    nothing = write(alice.client, silent, "Hello")
    pretended = write(alice.client, agent, "Hello", pretend_open="on")

    assert "We are closed. 14 characters" in away
    assert "the model is not asked" in away
    assert "It has no away message: nothing would be sent." in text_of(nothing)
    assert carried(nothing) == [["texter", "Hello"]]
    assert "You said: Hello" in text_of(pretended)
    assert re.search("name=.pretend_open.[^>]* checked", pretended.content.decode())


def test_asking_for_a_person_is_shown_and_not_answered(alice, model):
    agent = make_message_agent(
        alice.workspace, model="echo", handoff_phrases=["a person", "you said: bye"]
    )

    by_texter = write(alice.client, agent, "I want a PERSON!")
    by_agent = text_of(write(alice.client, agent, "Bye"))

    words = text_of(by_texter)
    assert "It would hand over to a person The text has one of the phrases" in words
    assert carried(by_texter) == [["texter", "I want a PERSON!"]]
    assert "The agent has asked for a person: it would be silent" in by_agent


@pytest.mark.parametrize(
    ("model_name", "why"),
    [
        ("fault-401", "The model provider refused the request"),
        ("fault-cut", "The model's answer broke off."),
    ],
)
def test_model_that_fails_is_told_and_the_text_kept(alice, model, model_name, why):
    agent = make_message_agent(alice.workspace, model=model_name)

    answer = write(alice.client, agent, "Hello again", [["texter", "Hi"]])

    assert answer.status_code == 422
    assert f"No answer. {why}" in text_of(answer)
    assert 'value="Hello again"' in answer.content.decode()
    assert carried(answer) == [["texter", "Hi"]]


def test_conversation_is_limited_and_the_text_kept(alice, model, limited, monkeypatch):
    monkeypatch.setattr(message_agents, "ANSWERS_A_MINUTE", 1)
    agent = make_message_agent(alice.workspace)
    write(alice.client, agent, "Hello")

    refused = write(alice.client, agent, "Hello again", [["texter", "Hi"]])

    assert refused.status_code == 422
    assert "That was often." in text_of(refused)
    assert 'value="Hello again"' in refused.content.decode()
    assert len(model.requests) == 1


def test_demo_responder_answers_from_the_instructions(alice):
    agent = make_message_agent(
        alice.workspace, instructions="A check-up costs 90 euros."
    )

    words = text_of(write(alice.client, agent, "What does a check-up cost?"))

    assert "A check-up costs 90 euros." in words


def test_reply_that_no_carrier_takes_is_told(alice, model):
    model.configure(mode="script", replies=("x" * 1601,))
    agent = make_message_agent(alice.workspace)

    words = text_of(write(alice.client, agent, "Tell me all"))

    assert "1601 characters · 11 segments (GSM-7)" in words
    assert "Longer than the 1600 characters that a carrier takes" in words


@pytest.mark.parametrize(
    "texts",
    [
        "nonsense",
        "[1]",
        "{}x",
        '[["texter"]]',
        '[["operator", "Hi"]]',
        '[["texter", 1]]',
        '[["texter", "\\ud800"]]',
        "[" * 200_000,
    ],
)
def test_conversation_that_cannot_be_read_is_refused(alice, texts):
    agent = make_message_agent(alice.workspace)
    path = f"{agent.get_absolute_url()}/test"

    answer = alice.client.post(path, {"body": "Hello", "texts": texts})

    assert answer.status_code == 422
    assert "This conversation cannot be read." in text_of(answer)


def test_text_is_bounded_and_not_empty(alice):
    agent = make_message_agent(alice.workspace)

    for body in ("", " ", "x" * 1601, "a\0b"):
        assert write(alice.client, agent, body).status_code == 422


def test_conversation_keeps_its_end_only(alice, model):
    agent = make_message_agent(alice.workspace, model="fixed")
    many = [["texter", str(number)] for number in range(MAX_TEXTS + 20)]
    long = [["agent", "x" * 60_000], ["texter", "y" * 60_000]]

    kept = [carried(write(alice.client, agent, "Hi", texts)) for texts in (many, long)]

    assert len(kept[0]) == MAX_TEXTS
    assert [text[1][:1] for text in kept[1]] == ["y", "H", "w"]


def test_what_is_written_is_shown_as_it_is(alice, model):
    agent = make_message_agent(alice.workspace, model="echo")

    html = write(alice.client, agent, "<img src=x> {{ 7 }}").content.decode()

    assert "<img src=x>" not in html
    assert "&amp;lt;" not in html
    assert "&lt;img src=x&gt; {{ 7 }}" in html


# -- Who may ---------------------------------------------------------------------------


def test_viewers_read_and_do_not_change(db):
    viewer = make_tenant("vera", role=Membership.Role.VIEWER)
    agent = make_message_agent(viewer.workspace, phone=make_phone(viewer.workspace))
    path = agent.get_absolute_url()
    actions = ("test", "activate", "deactivate", "duplicate", "delete")

    read = [
        viewer.client.get(page) for page in ("/message-agents", path, f"{path}/test")
    ]
    changed = [
        viewer.client.post(page)
        for page in ("/message-agents/new", path, *(f"{path}/{a}" for a in actions))
    ]

    assert [page.status_code for page in read] == [200] * 3
    assert {page.status_code for page in changed} == {403}
    for page in read:
        main = re.search(r"<main.*</main>", page.content.decode(), re.DOTALL)[0]
        main = re.sub(r'<form role="search".*?</form>', "", main, flags=re.DOTALL)
        assert 'type="submit"' not in main


def test_pages_of_another_tenants_agent_do_not_exist(alice, mallory):
    path = make_message_agent(alice.workspace).get_absolute_url()

    for page in (path, f"{path}/test"):
        assert mallory.client.get(page).status_code == 404
        assert mallory.client.post(page, {"body": "Hi"}).status_code == 404


# -- Tools -----------------------------------------------------------------------------


def make_tool(owner, url="https://orders.example/"):
    return Tool.unscoped.create(
        owner=owner, name="find_order", description="Finds an order.", url=url
    )


def test_tools_are_chosen_on_the_agents_page(alice):
    agent = make_message_agent(alice.workspace)
    tool = make_tool(alice.workspace)
    page = alice.client.get(agent.get_absolute_url())

    chosen = ["hand_over", str(tool.pk)]
    follow(alice.client, agent.get_absolute_url(), form_data(agent, tools=chosen))

    assert "Finds an order." in text_of(page)
    assert "Send a text" not in text_of(page)  # it is for calls
    agent.refresh_from_db()
    assert agent.tools == chosen


@pytest.mark.django_db(transaction=True)
def test_tools_are_used_and_shown_in_a_trial(alice, model, stub_service):
    stub_service.answer = {"arrives": "on Monday"}
    tool = make_tool(alice.workspace, f"{stub_service.url}/orders")
    agent = make_message_agent(alice.workspace, tools=[str(tool.pk), "do_not_call"])
    wishes = [
        {"name": "find_order", "arguments": {}},
        {"name": "do_not_call", "arguments": {"reason": "no more"}},
    ]
    model.configure(
        mode="script", replies=([wishes[0]], "On Monday.", [wishes[1]], "Ok.")
    )

    first = write(alice.client, agent, "When?")
    second = write(alice.client, agent, "Leave me alone", carried(first))

    assert "find_order({}) Done" in text_of(first)
    found = ["tool", "find_order", "{}", "ok", '{"arrives": "on Monday"}']
    assert carried(first) == [["texter", "When?"], found, ["agent", "On Monday."]]
    assert [one["role"] for one in model.requests[2]["messages"]] == [
        *("system", "user", "assistant", "tool", "assistant", "user")
    ]
    assert carried(second)[-1][:2] == ["tool", "do_not_call"]
    assert len(model.requests) == 3  # who wants no texts is not answered
