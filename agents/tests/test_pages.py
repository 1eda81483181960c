import json
import re
from html import unescape

import pytest
from django.urls import reverse

from accounts.models import Membership
from agents import services
from agents.forms.voice_agents import VoiceAgentForm
from agents.models import Prompt, PromptVersion, VoiceAgent
from agents.prompts import PREAMBLE
from agents.starters import starter_of
from agents.tests.rows import make_agent, make_phone, make_prompt
from tests.people import make_tenant

HTMX = {"HX-Request": "true"}


def text_of(response):
    """The words of the page, without tags and runs of white space."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(words))


def follow(client, path, data=None):
    return text_of(client.post(path, data or {}, follow=True))


def form_data(agent, **changes):
    """What a browser would send for the agent's form, with changes."""
    form = VoiceAgentForm(owner=agent.owner, instance=agent)
    data = {field.html_name: field.value() for field in form}
    phrases = form["end_call_phrases"]
    data["end_call_phrases"] = phrases.field.prepare_value(phrases.value())
    data.update(changes)
    return {name: value for name, value in data.items() if value not in (None, False)}


# -- Prompts -------------------------------------------------------------------------


def test_prompt_list_without_prompts_offers_to_write_one(alice):
    page = alice.client.get("/prompts")

    assert "No prompts yet" in text_of(page)
    assert 'href="/prompts/new"' in page.content.decode()


def test_prompt_list_shows_who_uses_what(alice, mallory):
    prompt = make_prompt(alice.workspace, text="Hello {{ name }} of {{ city }}")
    make_agent(alice.workspace, prompt=prompt)
    services.delete_agent(make_agent(alice.workspace, "Old", prompt=prompt))
    make_prompt(mallory.workspace, "Not hers")

    words = text_of(alice.client.get("/prompts"))

    assert "Reception 1 name, city 1 agent" in words
    assert "Not hers" not in words


def test_prompt_create_saves_the_first_version(alice):
    words = follow(
        alice.client,
        "/prompts/new",
        {"name": "Reception", "text": "We open at nine.", "note": "First"},
    )

    prompt = Prompt.objects.for_owner(alice.workspace).get()
    version = PromptVersion.unscoped.get(prompt=prompt)
    assert (prompt.name, prompt.version) == ("Reception", 1)
    assert (version.text, version.note, version.author) == (
        "We open at nine.",
        "First",
        alice.user,
    )
    assert "“Reception” is saved, version 1." in words


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"text": "Hello"}, "This field is required."),
        ({"name": "New", "text": ""}, "This field is required."),
        ({"name": "Taken", "text": "Hello"}, "You already have a prompt of this name."),
        ({"name": "New", "text": "a\0b"}, "Null characters are not allowed."),
        ({"name": "x" * 101, "text": "Hello"}, "at most 100 characters"),
    ],
)
def test_prompt_create_tells_what_is_wrong(alice, data, complaint):
    make_prompt(alice.workspace, "Taken")

    answer = alice.client.post("/prompts/new", data)

    assert answer.status_code == 422
    assert complaint in text_of(answer)
    assert Prompt.unscoped.count() == 1


def test_prompt_create_answers_htmx_with_the_form_alone(alice):
    answer = alice.client.post("/prompts/new", {"text": "Hello"}, headers=HTMX)

    assert answer.status_code == 422
    assert answer.content.decode().lstrip().startswith("<form")
    assert "HX-Request" in answer["Vary"]


def test_prompt_create_sends_htmx_to_the_prompt(alice):
    data = {"name": "Reception", "text": "Hello"}

    answer = alice.client.post("/prompts/new", data, headers=HTMX)

    prompt = Prompt.unscoped.get()
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == prompt.get_absolute_url()


def test_prompt_detail_shows_versions_agents_and_placeholders(alice):
    prompt = make_prompt(
        alice.workspace, text="Hi {{ name }}", note="Draft", author=alice.user
    )
    make_agent(alice.workspace, "Sales", prompt=prompt)

    words = text_of(alice.client.get(prompt.get_absolute_url()))

    assert "Placeholders found: name" in words
    assert "Draft Alice · Read version 1" in words
    assert "Sales Inactive" in words


def test_prompt_detail_saves_another_version(alice):
    prompt = make_prompt(alice.workspace)
    data = {"name": "Reception", "text": "We open at ten.", "based_on": 1}

    words = follow(alice.client, prompt.get_absolute_url(), data)

    prompt.refresh_from_db()
    assert (prompt.text, prompt.version) == ("We open at ten.", 2)
    assert "“Reception” is saved, version 2." in words


def test_prompt_detail_tells_of_another_author_once(alice):
    prompt = make_prompt(alice.workspace)
    data = {"name": "Reception", "text": "Mine", "based_on": 1}
    path = prompt.get_absolute_url()
    alice.client.post(path, data | {"text": "Theirs"})

    answer = alice.client.post(path, data)

    assert answer.status_code == 422
    assert "Somebody else saved version 2" in text_of(answer)
    assert 'name="based_on" value="2"' in answer.content.decode()
    assert Prompt.unscoped.get().text == "Theirs"

    alice.client.post(path, data | {"based_on": 2})

    assert (Prompt.unscoped.get().text, Prompt.unscoped.get().version) == ("Mine", 3)


def test_prompt_detail_keeps_its_title_when_the_name_is_refused(alice):
    prompt = make_prompt(alice.workspace)

    answer = alice.client.post(
        prompt.get_absolute_url(), {"name": "x" * 101, "text": "Hello"}
    )

    assert re.search(r"<h1[^>]*>Reception</h1>", answer.content.decode())


def test_prompt_preview_follows_the_text_and_the_values(alice):
    text = "Hi {{ b }}, <b>{{a}}</b> {{ agent_name }} {{ b }} {{ not this"

    answer = alice.client.post(
        "/prompts/preview", {"text": text, "variable.b": "{{ a }}", "variable.old": "x"}
    )

    words = text_of(answer)
    assert "Placeholders found: b a agent_name" in words
    assert "Every call fills in by itself: agent_name." in words
    assert "Still without a value: a." in words
    assert "Hi {{ a }} , <b> {{ a }} </b> Reception {{ a }} {{ not this" in words
    inputs = re.findall(
        r'name="(variable\.\w+)" value="([^"]*)"', answer.content.decode()
    )
    assert inputs == [("variable.b", "{{ a }}")]
    assert 'name="variable.a"' in answer.content.decode()


def test_prompt_preview_of_a_text_without_placeholders_says_so(alice):
    answer = alice.client.post("/prompts/preview", {"text": "Hello"})

    assert text_of(answer).strip() == "No placeholders in this text."


def test_prompt_preview_begins_with_an_agents_values(alice):
    prompt = make_prompt(alice.workspace, text="You are {{ who }}.")
    make_agent(alice.workspace, prompt=prompt, variables={"who": "Ada"})

    words = text_of(alice.client.get(prompt.get_absolute_url()))

    told = "Every placeholder has a value. What the agent would be told You are Ada ."
    assert told in words


def test_prompt_version_can_be_read_later(alice):
    prompt = make_prompt(alice.workspace, text="First text")
    services.save_prompt(
        owner=alice.workspace,
        prompt=prompt,
        name="Reception",
        text="Second text",
        note="",
        author=alice.user,
    )

    first = text_of(alice.client.get(f"{prompt.get_absolute_url()}/versions/1"))

    assert "First text" in first
    assert "Second text" not in first


def change(prompt, text, **fields):
    return services.save_prompt(
        owner=prompt.owner,
        prompt=prompt,
        name=prompt.name,
        text=text,
        **{"note": "", "author": None, **fields},
    )


def pinned_agent(prompt, name="Pinned", number=1, **fields):
    version = PromptVersion.unscoped.get(prompt=prompt, number=number)
    return make_agent(
        prompt.owner, name, prompt=prompt, prompt_version=version, **fields
    )


def test_prompt_save_asks_before_agents_change(alice):
    prompt = make_prompt(alice.workspace, text="We open at nine.")
    idle = make_agent(alice.workspace, "Idle", prompt=prompt)
    phone = make_phone(alice.workspace)
    busy = make_agent(
        alice.workspace, "Sales", prompt=prompt, phone=phone, is_active=True
    )
    pinned_agent(prompt)
    data = {"name": "Reception", "text": "We open at ten.", "based_on": 1}

    asked = alice.client.post(prompt.get_absolute_url(), data, headers=HTMX)

    words = text_of(asked)
    assert asked.status_code == 200
    assert asked.content.decode().lstrip().startswith("<form")
    assert "2 agents will talk by this text at once" in words
    sales = "Sales Active Voice agent · +1 500-555-0001"
    assert f"{sales} Idle Inactive Voice agent · No number" in words
    assert "Pinned stays as it is: pinned to version 1" in words
    assert "Removed: We open at nine ." in words
    assert Prompt.unscoped.get().version == 1

    seen = re.findall(r'name="seen" value="([^"]+)"', asked.content.decode())
    words = follow(alice.client, prompt.get_absolute_url(), data | {"seen": seen})

    assert seen == [str(busy.pk), str(idle.pk)]
    assert "“Reception” is saved, version 2." in words
    assert Prompt.unscoped.get().text == "We open at ten."


def test_prompt_save_asks_again_when_another_agent_came(alice):
    prompt = make_prompt(alice.workspace)
    seen = make_agent(alice.workspace, "Seen", prompt=prompt)
    make_agent(alice.workspace, "New", prompt=prompt)
    data = {"name": "Reception", "text": "Other", "based_on": 1, "seen": [seen.pk]}

    words = follow(alice.client, prompt.get_absolute_url(), data)

    assert "2 agents will talk by this text at once" in words
    assert Prompt.unscoped.get().version == 1


def test_prompt_save_of_a_name_asks_nothing(alice):
    prompt = make_prompt(alice.workspace)
    make_agent(alice.workspace, prompt=prompt)
    data = {"name": "Front desk", "text": prompt.text, "based_on": 1}

    words = follow(alice.client, prompt.get_absolute_url(), data)

    assert "“Front desk” is saved, version 1." in words


def test_prompt_detail_tells_who_is_pinned_and_how_far_behind(alice):
    prompt = make_prompt(alice.workspace)
    agent = pinned_agent(prompt)
    for text in ("Two", "Three"):
        prompt = change(prompt, text)

    words = [
        text_of(alice.client.get(path))
        for path in (prompt.get_absolute_url(), agent.get_absolute_url())
    ]

    assert all("pinned to version 1, 2 versions behind" in page for page in words)


def test_prompt_compare_shows_what_changed_by_default_last(alice):
    prompt = make_prompt(alice.workspace, text="One <b>.")
    for text in ("We open at nine.", "We open at ten."):
        prompt = change(prompt, text)
    path = f"{prompt.get_absolute_url()}/compare"

    last = text_of(alice.client.get(path))
    first = text_of(alice.client.get(f"{path}?from=1&to=2"))
    part = alice.client.get(f"{path}?from=3&to=3", headers=HTMX)

    assert "From version 2 to version 3: 1 line removed, 1 line added." in last
    assert "− Removed: We open at nine . 3" not in last
    assert "Removed: We open at nine . 1 + Added: We open at ten ." in last
    assert "Removed: One <b>. 1 + Added: We open at nine." in first
    assert part.content.decode().lstrip().startswith("<div")
    assert "1 line unchanged" in text_of(part)


@pytest.mark.parametrize("query", ["from=9", "to=x", "from=" + "9" * 30, "from=%00"])
def test_prompt_compare_of_no_version_is_refused(alice, query):
    prompt = make_prompt(alice.workspace)

    page = alice.client.get(f"{prompt.get_absolute_url()}/compare?{query}")

    assert page.status_code == 422
    assert "Choose two versions of this prompt." in text_of(page)


def restore_fields(client, version):
    """What the page of the version sends when its button is pressed."""
    html = client.get(version.get_absolute_url()).content.decode()
    return {
        name: re.findall(rf'name="{name}" value="([^"]+)"', html)
        for name in ("based_on", "seen")
    }


def test_prompt_restore_makes_the_old_text_the_newest(alice):
    prompt = make_prompt(alice.workspace)
    make_agent(alice.workspace, "Sales", prompt=prompt)
    change(prompt, "We open at ten.")
    first = PromptVersion.unscoped.get(prompt=prompt, number=1)

    page = text_of(alice.client.get(first.get_absolute_url()))
    words = follow(
        alice.client,
        f"{first.get_absolute_url()}/restore",
        restore_fields(alice.client, first),
    )

    assert "These agents will talk by it at once: Sales" in page
    assert "Version 1 is restored, as version 3." in words
    newest = PromptVersion.unscoped.get(prompt=prompt, number=3)
    assert (newest.text, newest.note, newest.author) == (
        *("We open at nine.", "Restored version 1", alice.user),
    )


def test_prompt_restore_tells_of_what_was_not_seen(alice):
    prompt = make_prompt(alice.workspace)
    prompt = change(prompt, "We open at ten.")
    first = PromptVersion.unscoped.get(prompt=prompt, number=1)
    seen = restore_fields(alice.client, first)
    make_agent(alice.workspace, "Sales", prompt=prompt)
    path = f"{first.get_absolute_url()}/restore"

    unseen_agent = follow(alice.client, path, seen)
    change(prompt, "We open at eleven.")
    unseen_text = follow(alice.client, path, seen)

    assert "not restored. These agents would change too: Sales" in unseen_agent
    assert "not restored. Somebody else saved version 3" in unseen_text
    assert alice.client.post(path, {}).status_code == 400
    assert Prompt.unscoped.get().version == 3


def test_prompt_version_that_is_none_is_not_found(alice):
    prompt = make_prompt(alice.workspace)

    page = alice.client.get(f"{prompt.get_absolute_url()}/versions/2")

    assert page.status_code == 404


def test_prompt_delete_puts_it_away(alice):
    prompt = make_prompt(alice.workspace)

    words = follow(alice.client, f"{prompt.get_absolute_url()}/delete")

    assert "“Reception” is deleted." in words
    assert not Prompt.objects.for_owner(alice.workspace).exists()
    assert alice.client.get(prompt.get_absolute_url()).status_code == 404


def test_prompt_delete_names_the_agents_that_use_it(alice):
    prompt = make_prompt(alice.workspace)
    make_agent(alice.workspace, "Sales", prompt=prompt)

    words = follow(alice.client, f"{prompt.get_absolute_url()}/delete")

    assert "was not deleted. These agents use it: Sales" in words
    assert Prompt.objects.for_owner(alice.workspace).exists()


# -- Voice agents --------------------------------------------------------------------


def test_agent_list_without_agents_offers_to_create_one(alice):
    page = alice.client.get("/voice-agents")

    assert "No voice agents yet" in text_of(page)
    assert 'href="/voice-agents/new"' in page.content.decode()


def test_agent_list_shows_number_direction_status_and_model(alice, mallory):
    phone = make_phone(alice.workspace)
    make_agent(alice.workspace, phone=phone, is_active=True)
    make_agent(mallory.workspace, "Not hers")

    words = text_of(alice.client.get("/voice-agents"))

    assert "Reception Active +1 500-555-0001 Answers calls – Demo responder" in words
    assert "No language model is connected" in words
    assert "Not hers" not in words


def test_agent_list_names_the_model_that_answers(alice, settings):
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://models.example/v1", "small"
    make_agent(alice.workspace)
    make_agent(alice.workspace, "Sales", model="large")

    words = text_of(alice.client.get("/voice-agents"))

    assert "small at models.example" in words
    assert "large at models.example" in words
    assert "No language model is connected" not in words


def test_agent_create_needs_a_name_and_instructions_only(alice):
    page = alice.client.get("/voice-agents/new")
    data = {field.html_name: field.value() or "" for field in page.context["form"]}

    answer = alice.client.post(
        "/voice-agents/new",
        data | {"name": "Reception", "instructions": "You are {{ who }}."},
    )

    agent = VoiceAgent.objects.for_owner(alice.workspace).get()
    assert answer.status_code == 302
    assert answer.url == agent.get_absolute_url()
    assert (agent.instructions, agent.is_active, agent.end_call_phrases) == (
        "You are {{ who }}.",
        False,
        ["goodbye"],
    )
    assert "Still without a value: who." in text_of(alice.client.get(answer.url))


def test_agent_create_without_instructions_is_refused(alice):
    answer = alice.client.post(
        "/voice-agents/new", {"name": "Reception", "direction": "incoming"}
    )

    assert answer.status_code == 422
    assert "Choose a prompt or write instructions." in text_of(answer)
    assert not VoiceAgent.unscoped.exists()


def test_agent_create_from_a_starter_keeps_its_settings(alice):
    page = alice.client.get("/voice-agents/new?start=survey")
    form = page.context["form"]
    data = {field.html_name: field.value() or "" for field in form}

    alice.client.post("/voice-agents/new", data | {"variable.business": "Harbour"})

    agent = VoiceAgent.objects.for_owner(alice.workspace).get()
    survey = starter_of("survey").fields
    assert "Still without a value: business, topic, questions." in text_of(page)
    assert {name: getattr(agent, name) for name in survey} == survey
    assert (agent.name, agent.variables) == ("Survey", {"business": "Harbour"})


def test_agent_create_offers_all_starters_and_marks_the_chosen(alice):
    page = alice.client.get("/voice-agents/new?start=after-hours", headers=HTMX)

    html = page.content.decode()
    assert html.lstrip().startswith("<div")
    assert re.findall(r'href="/voice-agents/new([^"]*)"', html) == [
        *("?start=receptionist", "?start=reminder", "?start=lead"),
        *("?start=survey", "?start=after-hours", ""),
    ]
    assert html.count('aria-current="true"') == 1
    assert "is closed now" in html


def test_agent_pages_show_what_is_always_added(alice):
    agent = make_agent(alice.workspace)

    for path in ("/voice-agents/new", agent.get_absolute_url()):
        words = text_of(alice.client.get(path))
        assert "Always added before these instructions" in words
        assert " ".join(PREAMBLE.split()) in words


def test_agent_list_is_narrowed_by_name_status_and_number(alice, mallory):
    phone, theirs = make_phone(alice.workspace), make_phone(mallory.workspace, "+1500")
    make_agent(alice.workspace, "Sales", phone=phone, is_active=True)
    make_agent(alice.workspace, "Sales at night", phone=phone)
    make_agent(alice.workspace, "Support")

    def names(query):
        page = alice.client.get(f"/voice-agents?{query}")
        return page.status_code, sorted(agent.name for agent in page.context["page"])

    assert names("q=sAle") == (200, ["Sales", "Sales at night"])
    assert names("q=sales&status=inactive") == (200, ["Sales at night"])
    assert names(f"phone={phone.pk}&status=active") == (200, ["Sales"])
    assert names("q=zebra") == (200, [])
    for query in (f"phone={theirs.pk}", "phone=x", "status=x", "q=%00"):
        page = alice.client.get(f"/voice-agents?{query}")
        assert page.status_code == 422
        assert "A filter cannot be read" in text_of(page)


def test_agent_list_answers_htmx_with_the_rows(alice):
    make_agent(alice.workspace)

    page = alice.client.get("/voice-agents?q=zebra", headers=HTMX)

    assert text_of(page).split("Clear")[0].strip() == (
        "No agent matches No voice agent fits all of these filters."
    )


def test_agent_list_keeps_the_filters_from_page_to_page(alice):
    for number in range(51):
        make_agent(alice.workspace, f"Sales {number}")

    html = alice.client.get("/voice-agents?q=sales").content.decode()

    assert 'href="?q=sales&amp;page=2"' in html


def test_agent_list_names_prompt_and_version(alice):
    prompt = make_prompt(alice.workspace, "Desk")
    make_agent(alice.workspace, "Following", prompt=prompt)
    pinned_agent(prompt)
    change(prompt, "We open at ten.")

    words = text_of(alice.client.get("/voice-agents"))

    assert "Desk v2 Demo" in words
    assert "Desk v1, pinned" in words


def test_agent_duplicate_opens_the_copy(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone, is_active=True)

    words = follow(alice.client, f"{agent.get_absolute_url()}/duplicate")

    copy = VoiceAgent.unscoped.get(name="Reception (copy)")
    assert (copy.instructions, copy.phone, copy.is_active) == ("Be brief.", None, False)
    assert "“Reception (copy)” is made, inactive and without a number." in words


def test_agent_detail_pins_and_unpins(alice):
    prompt = make_prompt(alice.workspace, text="You are {{ old }}.")
    change(prompt, "You are {{ new }}.")
    first = PromptVersion.unscoped.get(prompt=prompt, number=1)
    agent = make_agent(alice.workspace, prompt=prompt)
    path = agent.get_absolute_url()

    alice.client.post(path, form_data(agent, prompt_version=first.pk))
    agent.refresh_from_db()
    pinned = agent.prompt_version
    words = text_of(alice.client.get(path))
    alice.client.post(path, form_data(agent, prompt_version=""))
    agent.refresh_from_db()

    assert pinned == first
    assert "Still without a value: old." in words
    assert agent.prompt_version is None


def test_agent_detail_refuses_versions_of_other_prompts(alice, mallory):
    mine, other, theirs = (
        make_prompt(owner, name)
        for owner, name in [
            (alice.workspace, "Mine"),
            (alice.workspace, "Other"),
            (mallory.workspace, "Theirs"),
        ]
    )
    agent = make_agent(alice.workspace, prompt=mine)

    told = [
        alice.client.post(agent.get_absolute_url(), form_data(agent, prompt_version=pk))
        .context["form"]
        .errors
        for pk in (
            PromptVersion.unscoped.get(prompt=other).pk,
            PromptVersion.unscoped.get(prompt=theirs).pk,
            "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d4e",
        )
    ]

    assert told[0] == told[1] == told[2]
    assert told[0].keys() == {"prompt_version"}


def test_agent_variables_offer_the_versions_of_the_chosen_prompt(alice):
    prompt = make_prompt(alice.workspace, text="{{ old }}")
    change(prompt, "{{ new }}")
    first = PromptVersion.unscoped.get(prompt=prompt, number=1)

    newest, old, none = (
        alice.client.post("/voice-agents/variables", data)
        for data in (
            {"prompt": prompt.pk},
            {"prompt": prompt.pk, "prompt_version": first.pk},
            {"prompt": "", "instructions": "{{ own }}"},
        )
    )

    assert "Version 2, whatever becomes of the prompt" in text_of(newest)
    assert "Still without a value: new." in text_of(newest)
    assert "Still without a value: old." in text_of(old)
    assert f'value="{first.pk}" selected' in old.content.decode()
    assert 'hx-swap-oob="true"></div>' in none.content.decode()


def test_agent_detail_saves_every_field(alice):
    agent = make_agent(alice.workspace)
    prompt = make_prompt(alice.workspace, text="You are {{ who }} in {{ city }}.")
    phone = make_phone(alice.workspace)
    changes = {
        "name": "Front desk",
        "phone": phone.pk,
        "direction": "both",
        "greeting_mode": "caller_first",
        "greeting": "Hello from {{ city }}.",
        "prompt": prompt.pk,
        "instructions": "",
        "model": "small",
        "temperature": 1.5,
        "max_tokens": 100,
        "language": "de-DE",
        "tts_provider": "Amazon",
        "voice": "Vicki",
        "transcription_provider": "Google",
        "hints": "Meyer, Müller",
        "transport": "gather",
        "interruptible": "none",
        "interrupt_sensitivity": "low",
        "dtmf_detection": False,
        "silence_timeout_s": 15,
        "max_duration_s": 60,
        "end_call_message": "Bye.",
        "transfer_message": "I connect you.",
        "transfer_whisper": "A caller.",
        "transfer_timeout_s": 45,
    }

    inputs = {
        "end_call_phrases": " auf Wiederhören \n\ntschüss\ntschüss",
        "variable.city": "Ulm",
    }

    alice.client.post(agent.get_absolute_url(), form_data(agent, **changes, **inputs))

    stored = VoiceAgent.unscoped.filter(pk=agent.pk).values(*changes).get()
    agent.refresh_from_db()
    assert stored == changes
    assert agent.end_call_phrases == ["auf Wiederhören", "tschüss"]
    assert agent.variables == {"city": "Ulm"}


def test_agent_detail_refuses_values_out_of_bounds(alice):
    agent = make_agent(alice.workspace)

    answer = alice.client.post(
        agent.get_absolute_url(),
        form_data(
            agent,
            temperature="nan",
            max_tokens=5,
            language="Klingon!",
            max_duration_s=100_000,
            tts_provider="Acme",
            end_call_phrases="\n".join(map(str, range(21))),
        ),
    )

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {
        "temperature",
        "max_tokens",
        "language",
        "max_duration_s",
        "tts_provider",
        "end_call_phrases",
    }
    assert re.search(r"<h1[^>]*>Reception</h1>", answer.content.decode())


def test_agent_detail_holds_the_transfer_number_to_the_rules(alice):
    agent = make_agent(alice.workspace)
    make_phone(alice.workspace, "+14155550142")
    path = agent.get_absolute_url()

    refused = alice.client.post(path, form_data(agent, transfer_number="+19005550100"))
    alice.client.post(path, form_data(agent, transfer_number="+1 415 555 0188"))

    assert refused.status_code == 422
    assert "premium-rate" in refused.context["form"].errors["transfer_number"][0]
    agent.refresh_from_db()
    assert agent.transfer_number == "+14155550188"


def test_agent_detail_answers_htmx_with_the_form_alone(alice):
    agent = make_agent(alice.workspace)

    answer = alice.client.post(
        agent.get_absolute_url(), form_data(agent, name=""), headers=HTMX
    )

    assert answer.status_code == 422
    assert answer.content.decode().lstrip().startswith("<form")


def test_agent_detail_tells_who_is_active_on_the_chosen_phone(alice):
    here, there = (
        make_phone(alice.workspace, number)
        for number in ("+15005550001", "+15005550002")
    )
    make_agent(alice.workspace, "There", phone=there, is_active=True)
    agent = make_agent(alice.workspace, "Here", phone=here, is_active=True)

    answer = alice.client.post(
        agent.get_absolute_url(), form_data(agent, phone=there.pk)
    )

    assert answer.status_code == 422
    assert "“There” is active on this number." in text_of(answer)


def test_agent_detail_offers_own_living_phones_and_prompts(alice, mallory):
    agent = make_agent(alice.workspace)
    phone = make_phone(alice.workspace)
    make_phone(alice.workspace, "+15005550002").put_away()
    make_phone(mallory.workspace, "+15005550003")
    make_prompt(mallory.workspace, "Not hers")

    form = alice.client.get(agent.get_absolute_url()).context["form"]

    assert list(form.fields["phone"].queryset) == [phone]
    assert list(form.fields["prompt"].queryset) == []


@pytest.mark.parametrize("field", ["phone", "prompt"])
def test_agent_detail_refuses_ids_of_others_like_unknown_ones(alice, mallory, field):
    agent = make_agent(alice.workspace)
    make = {"phone": make_phone, "prompt": make_prompt}[field]
    theirs = make(mallory.workspace).pk
    nobodys = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d4e"

    told = [
        alice.client.post(agent.get_absolute_url(), form_data(agent, **{field: pk}))
        .context["form"]
        .errors[field]
        for pk in (theirs, nobodys)
    ]

    assert told[0] == told[1]


def test_agent_detail_keeps_values_of_placeholders(alice):
    agent = make_agent(
        alice.workspace, instructions="{{ city }}", variables={"old": "kept"}
    )

    alice.client.post(
        agent.get_absolute_url(), form_data(agent, **{"variable.city": "Ulm"})
    )

    agent.refresh_from_db()
    assert agent.variables == {"city": "Ulm", "old": "kept"}


def test_agent_detail_forgets_emptied_values(alice):
    agent = make_agent(alice.workspace, variables={"old": "gone"})

    alice.client.post(
        agent.get_absolute_url(), form_data(agent, **{"variable.old": ""})
    )

    agent.refresh_from_db()
    assert agent.variables == {}


def test_agent_variables_follow_the_texts_as_they_are_written(alice, mallory):
    prompt = make_prompt(alice.workspace, text="{{ who }} {{ caller_number }}")
    theirs = make_prompt(mallory.workspace, text="{{ secret }}")
    data = {"greeting": "Hi {{ name }}", "variable.name": "Ada", "prompt": prompt.pk}

    mine = alice.client.post("/voice-agents/variables", data)
    other = alice.client.post("/voice-agents/variables", data | {"prompt": theirs.pk})

    assert re.findall(r'name="(variable\.\w+)"', mine.content.decode()) == [
        "variable.name",
        "variable.who",
    ]
    assert "Still without a value: who." in text_of(mine)
    assert "secret" not in other.content.decode()


def test_agent_activate_names_who_was_replaced(alice):
    phone = make_phone(alice.workspace)
    make_agent(alice.workspace, "Old", phone=phone, is_active=True)
    agent = make_agent(alice.workspace, "New", phone=phone)

    words = follow(alice.client, f"{agent.get_absolute_url()}/activate")

    assert "“New” is active now. It replaced “Old”, inactive from now on." in words
    active = VoiceAgent.objects.for_owner(alice.workspace).filter(is_active=True)
    assert list(active) == [agent]


def test_agent_activate_without_a_phone_says_what_to_do(alice):
    agent = make_agent(alice.workspace)

    words = follow(alice.client, f"{agent.get_absolute_url()}/activate")

    assert "An active agent needs a phone number: choose one first." in words


def test_agent_deactivate_lets_it_rest(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone, is_active=True)

    words = follow(alice.client, f"{agent.get_absolute_url()}/deactivate")

    agent.refresh_from_db()
    assert agent.is_active is False
    assert "“Reception” is inactive now." in words


def test_agent_delete_puts_it_away(alice):
    agent = make_agent(alice.workspace)

    words = follow(alice.client, f"{agent.get_absolute_url()}/delete")

    assert "“Reception” is deleted." in words
    assert alice.client.get(agent.get_absolute_url()).status_code == 404


def test_agent_detail_of_a_removed_phone_says_so(alice):
    agent = make_agent(alice.workspace, phone=make_phone(alice.workspace))
    agent.phone.put_away()

    words = text_of(alice.client.get(agent.get_absolute_url()))

    assert "To activate it, choose a phone number" in words


def test_names_are_shown_as_they_were_written(alice):
    name = '"><img src=x> {{ 7 }} & {% now "Y" %}'
    prompt = make_prompt(alice.workspace, name, text="<script>alert(1)</script>")
    agent = make_agent(alice.workspace, name, prompt=prompt)

    for path in (
        "/prompts",
        prompt.get_absolute_url(),
        f"{prompt.get_absolute_url()}/versions/1",
        "/voice-agents",
        agent.get_absolute_url(),
    ):
        page = alice.client.get(path).content.decode()
        assert "<img src=x>" not in page
        assert "<script>alert" not in page
        assert "&amp;quot;" not in page
        assert name in unescape(page)


# -- Who may ---------------------------------------------------------------------------


def changing_paths(prompt, agent):
    return [
        "/prompts/new",
        prompt.get_absolute_url(),
        f"{prompt.get_absolute_url()}/delete",
        f"{prompt.get_absolute_url()}/versions/1/restore",
        "/voice-agents/new",
        agent.get_absolute_url(),
        f"{agent.get_absolute_url()}/activate",
        f"{agent.get_absolute_url()}/deactivate",
        f"{agent.get_absolute_url()}/duplicate",
        f"{agent.get_absolute_url()}/delete",
    ]


def test_viewers_read_and_do_not_change(db):
    viewer = make_tenant("vera", role=Membership.Role.VIEWER)
    prompt = make_prompt(viewer.workspace)
    phone = make_phone(viewer.workspace)
    agent = make_agent(viewer.workspace, prompt=prompt, phone=phone)
    readable = ["/prompts", "/voice-agents", prompt.get_absolute_url()]

    read = [viewer.client.get(path) for path in [*readable, agent.get_absolute_url()]]
    changed = [viewer.client.post(path) for path in changing_paths(prompt, agent)]

    assert [page.status_code for page in read] == [200] * 4
    assert {page.status_code for page in changed} == {403}
    for page in read:
        main = re.search(r"<main.*</main>", page.content.decode(), re.DOTALL)[0]
        main = re.sub(r'<form role="search".*?</form>', "", main, flags=re.DOTALL)
        assert 'type="submit"' not in main
        assert "/new" not in main


def test_strangers_are_sent_to_the_log_in(client, alice):
    prompt = make_prompt(alice.workspace)
    agent = make_agent(alice.workspace)

    for path in changing_paths(prompt, agent):
        answer = client.post(path)
        assert answer.status_code == 302
        assert answer.url.startswith(reverse("account_login"))


def test_actions_are_not_done_by_looking(alice):
    agent = make_agent(alice.workspace)

    for action in ("activate", "deactivate", "duplicate", "delete"):
        page = alice.client.get(f"{agent.get_absolute_url()}/{action}")
        assert page.status_code == 405


# -- What is pulled out of each call ---------------------------------------------------


def extraction(mode, raw="", rows=()):
    posted = {"extraction-mode": mode, "extraction-raw": raw}
    posted |= {
        "extraction-rows-TOTAL_FORMS": len(rows) + 3,
        "extraction-rows-INITIAL_FORMS": 0,
    }
    for number in range(len(rows) + 3):
        given = rows[number] if number < len(rows) else {}
        for name, value in ({"kind": "string"} | given).items():
            posted[f"extraction-rows-{number}-{name}"] = value
    return posted


def test_rows_become_the_schema_of_the_agent(alice):
    agent = make_agent(alice.workspace)
    rows = [
        {"name": "caller", "description": "Who called", "required": "on"},
        {"name": "wants", "kind": "choice", "choices": "visit, advice,visit"},
    ]
    path = agent.get_absolute_url()

    alice.client.post(path, form_data(agent) | extraction("rows", rows=rows))

    agent.refresh_from_db()
    assert agent.extraction_schema == {
        "type": "object",
        "properties": {
            "caller": {"type": "string", "description": "Who called"},
            "wants": {"type": "string", "enum": ["visit", "advice"]},
        },
        "additionalProperties": False,
        "required": ["caller"],
    }
    assert 'value="visit, advice"' in alice.client.get(path).content.decode()


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        (extraction("raw", "{"), "This is no valid JSON."),
        (extraction("raw", '{"type": "string"}'), "type"),
        (extraction("rows", rows=[{"name": "due date"}]), "Letters, digits"),
        (extraction("rows", rows=[{"description": "What?"}]), "Give the field a name."),
        (extraction("rows", rows=[{"name": "a", "kind": "choice"}]), "Name the choice"),
        (extraction("rows", rows=[{"name": "a"}, {"name": "a"}]), "the same name"),
    ],
)
def test_schema_that_is_not_understood_is_refused_and_kept_in_the_form(
    alice, posted, told
):
    agent = make_agent(alice.workspace)

    answer = alice.client.post(agent.get_absolute_url(), form_data(agent) | posted)

    agent.refresh_from_db()
    assert answer.status_code == 422
    assert told in text_of(answer)
    assert agent.extraction_schema == {}


def test_schema_that_says_more_than_rows_is_shown_as_json(alice):
    schema = {"type": "object", "properties": {"tags": {"type": "array"}}}
    agent = make_agent(alice.workspace, extraction_schema=schema)
    path = agent.get_absolute_url()

    page = text_of(alice.client.get(path))
    raw = json.dumps(schema | {"required": ["tags"]})
    alice.client.post(path, form_data(agent) | extraction("raw", raw))

    agent.refresh_from_db()
    assert "says more than rows can" in page
    assert agent.extraction_schema["required"] == ["tags"]


def test_form_without_the_rows_leaves_the_schema_as_it_is(alice):
    schema = {"type": "object", "properties": {"a": {}}}
    agent = make_agent(alice.workspace, extraction_schema=schema)

    alice.client.post(agent.get_absolute_url(), form_data(agent))

    agent.refresh_from_db()
    assert agent.extraction_schema == schema


def test_numbers_to_choose_among_are_written_as_people_read_them(alice):
    phone = make_phone(alice.workspace)
    phone.label = "Front desk"
    phone.save()
    agent = make_agent(alice.workspace, "Reception", phone=phone)

    for path in (f"/voice-agents/{agent.pk}", "/voice-agents", "/message-agents/new"):
        page = alice.client.get(path).content.decode()
        assert re.search(r"<option[^>]*>\+1 500-555-0001 \(Front desk\)</option>", page)
