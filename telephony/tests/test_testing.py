"""Testing an agent: the simulator calls it, a person types what the caller says."""

import json
import re

import httpx
import pytest
from django.urls import reverse

from accounts.models import Membership
from telephony.models import Call, TestLine, Turn
from telephony.services import testing
from telephony.tests.calls import make_agent
from telephony.tests.carriers import KEY, UNREACHABLE
from tests.people import make_tenant
from tests.processes import WITHIN_S, wait_until

CHOOSE = reverse("telephony:agent_test_choose")


def address_of(agent):
    return reverse("telephony:agent_test", args=[agent.pk])


@pytest.fixture
def simulator(carrier_process, settings):
    settings.SIMULATOR = True
    settings.SIMULATOR_URL = carrier_process.url
    settings.SIMULATOR_KEY = KEY
    return carrier_process


class Telephone:
    """What simulator.js does in the page, done by the test."""

    def __init__(self, simulator, page):
        shown = page.content.decode()
        self.base = simulator.url
        self.events_path = re.search(r'data-events-url="([^"]*)"', shown)[1]
        self.actions_path = re.search(r'data-actions-url="([^"]*)"', shown)[1]

    def act(self, **action):
        httpx.post(self.base + self.actions_path, json=action).raise_for_status()

    def events(self):
        """Everything that happened, once the call is over."""
        with httpx.stream(
            "GET", self.base + self.events_path, timeout=WITHIN_S
        ) as stream:
            lines = [line for line in stream.iter_lines() if line.startswith("data:")]
        return [json.loads(line.removeprefix("data:")) for line in lines]


@pytest.mark.django_db(transaction=True)
def test_agent_is_talked_to_and_the_call_is_kept_as_a_test(
    alice, simulator, settings, live_server
):
    """The whole way: page, simulator, signed webhooks, transcript."""
    settings.PUBLIC_BASE_URL = live_server.url
    agent = make_agent(
        alice.workspace,
        transport="gather",
        greeting="Welcome.",
        instructions="A check-up costs 80 dollars.",
    )

    started = alice.client.post(address_of(agent))
    page = alice.client.get(started.url)
    telephone = Telephone(simulator, page)
    telephone.act(type="say", text="How much is a check-up?")
    wait_until(lambda: Turn.unscoped.count() >= 3, WITHIN_S, "the agent replies")
    telephone.act(type="hang_up")
    events = telephone.events()
    call = Call.unscoped.get()
    wait_until(lambda: Call.unscoped.get().has_ended, WITHIN_S, "the end is reported")

    assert started.url == f"{address_of(agent)}?call={call.sid}"
    assert (call.owner, call.agent, call.is_test, call.is_demo) == (
        alice.workspace,
        agent,
        True,
        True,
    )
    assert call.from_number == testing.CALLER_NUMBER
    assert [turn.text for turn in Turn.unscoped.order_by("number")][:2] == [
        "Welcome.",
        "How much is a check-up?",
    ]
    assert "80 dollars" in Turn.unscoped.get(number=3).text
    assert events[-1]["type"] == "ended"
    record = alice.client.get(reverse("telephony:call_by_sid", args=[call.sid]))
    assert record.url == call.get_absolute_url()


@pytest.mark.django_db
def test_second_test_call_uses_the_same_line(alice):
    agent = make_agent(alice.workspace)

    first, second = testing.line_for(agent), testing.line_for(agent)

    line = TestLine.unscoped.get()
    assert (first, second) == (line, line)
    assert line.owner == alice.workspace
    assert re.fullmatch("AC[0-9a-f]{32}", line.account_sid)
    assert len(line.auth_token) == 32


@pytest.mark.django_db
def test_page_shows_the_telephone_only_to_the_session_that_called(alice, simulator):
    agent = make_agent(alice.workspace)
    other = make_agent(alice.workspace, name="Other")
    started = alice.client.post(address_of(agent))

    def has_telephone(client, url):
        return "data-call-panel" in client.get(url).content.decode()

    another_browser = type(alice.client)()
    another_browser.force_login(alice.user)
    query = started.url.split("?")[1]
    assert has_telephone(alice.client, started.url)
    assert has_telephone(alice.client, started.url)  # reloading asks for no new call
    assert not has_telephone(alice.client, address_of(agent))
    assert not has_telephone(alice.client, f"{address_of(other)}?{query}")
    assert not has_telephone(another_browser, started.url)


@pytest.mark.django_db
def test_page_says_who_answers_and_that_it_is_recorded(alice):
    shown = alice.client.get(address_of(make_agent(alice.workspace))).content.decode()

    for words in ("Demo responder", "marked as a test call", "Start a test call"):
        assert words in shown


@pytest.mark.django_db
def test_page_says_how_to_switch_the_simulator_on(alice, settings):
    settings.SIMULATOR = False
    agent = make_agent(alice.workspace)

    page = alice.client.get(address_of(agent))
    started = alice.client.post(address_of(agent))

    assert "SIMULATOR=on" in page.content.decode()
    assert "Start a test call" not in page.content.decode()
    assert (started.status_code, TestLine.unscoped.count()) == (404, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "words"),
    [
        (UNREACHABLE, "The simulator is not running."),
        ("", "The simulator is switched off"),
    ],
)
def test_simulator_that_does_not_answer_is_told(url, words, alice, settings):
    settings.SIMULATOR, settings.SIMULATOR_URL = True, url
    settings.SIMULATOR_KEY = KEY

    page = alice.client.post(address_of(make_agent(alice.workspace)))

    assert page.status_code == 502
    assert words in page.content.decode()


@pytest.mark.django_db
def test_missing_key_is_told(alice, simulator, settings):
    settings.SIMULATOR_KEY = ""

    page = alice.client.post(address_of(make_agent(alice.workspace)))

    assert page.status_code == 502
    assert "SIMULATOR_KEY is not set" in page.content.decode()


@pytest.mark.django_db
def test_simulator_that_knows_another_key_is_told(alice, simulator, settings):
    settings.SIMULATOR_KEY = "another"

    page = alice.client.post(address_of(make_agent(alice.workspace)))

    assert page.status_code == 502
    assert "The simulator refused the call (HTTP 401)." in page.content.decode()


@pytest.mark.django_db
def test_something_else_at_the_simulators_address_is_told(alice, settings, live_server):
    """Our own pages answer there: no call, and no failure of ours."""
    settings.SIMULATOR, settings.SIMULATOR_URL = True, live_server.url
    settings.SIMULATOR_KEY = KEY

    page = alice.client.post(address_of(make_agent(alice.workspace)))

    assert page.status_code == 502
    assert "The simulator refused the call (HTTP 404)." in page.content.decode()


@pytest.mark.django_db
def test_anothers_agent_cannot_be_tested(alice, mallory, settings):
    settings.SIMULATOR = True
    agent = make_agent(alice.workspace)

    answers = [
        mallory.client.get(address_of(agent)),
        mallory.client.post(address_of(agent)),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert TestLine.unscoped.count() == 0


@pytest.mark.django_db
def test_viewer_reads_the_page_and_starts_nothing(settings):
    viewer = make_tenant("vera", Membership.Role.VIEWER)
    agent = make_agent(viewer.workspace)

    read = viewer.client.get(address_of(agent))
    started = viewer.client.post(address_of(agent))

    assert (read.status_code, started.status_code) == (200, 403)
    assert TestLine.unscoped.count() == 0


@pytest.mark.django_db
def test_choosing_skips_itself_where_there_is_one_agent(alice, mallory):
    make_agent(mallory.workspace, name="Foreign")
    nothing = alice.client.get(CHOOSE)
    agent = make_agent(alice.workspace)
    only = alice.client.get(CHOOSE)
    make_agent(alice.workspace, name="Second")
    several = alice.client.get(CHOOSE)

    assert "No voice agent yet" in nothing.content.decode()
    assert only.url == address_of(agent)
    assert re.findall('/test">(\\w+)</a>', several.content.decode()) == [
        "Reception",
        "Second",
    ]
