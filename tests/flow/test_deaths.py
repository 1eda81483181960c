"""Two of everything behind the front: a day's work, then each of them dies, twice.

What docs/deploy.md promises ("When something dies") is what happens. `make deaths`:
too long for every `make test`.
"""

import re
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import redis
from playwright.sync_api import expect

from tests.browser.recording import picture
from tests.flow.carrier import Carrier
from tests.flow.production import TWICE, running_production
from tests.flow.steady import Steady
from tests.flow.steps import (
    activate,
    connect_account,
    create_agent,
    create_message_agent,
    read_transcript,
    register_number,
    schedule_call,
    sign_up,
    start_campaign,
    words_of,
    write_prompt,
)
from tests.flow.tenant import GREETING, Member
from tests.processes import wait_until

pytestmark = [
    pytest.mark.flow,
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.timeout(900),
]

EMAIL = "ada@example.com"
SOON_S = 30
DRAIN_S, GRACE_S = 25, 40
UNANSWERED = 11200  # Twilio's number for it
APOLOGY = "something went wrong here"
# What a worker held that was killed is taken up when its lease has run out.
CAMPAIGN_WITHIN_MS = 150_000
SHOWN_WITHIN_MS = 30_000
CALLS = 4  # for two live processes: the front gives them to whoever has fewer
TEXTERS = [f"+1628555{place:04}" for place in range(2100, 2120)]
SCHEDULED = "+16285550142"
CAMPAIGN = [f"+1628555{place:04}" for place in range(2200, 2280)]
ALWAYS = {"window_start": "00:00", "window_end": "00:00"}
# A caller who says little for as long as something is looked at is no silent one.
PATIENT = {"silence_reminders": 0, "silence_timeout_s": 600}


class Talk:
    """A call in which somebody says what the test wants, and hears it back."""

    def __init__(self, carrier, number):
        self._carrier = carrier
        self._caller = carrier.ring_by_hand(number)
        self.sid = self._caller.sid
        self._said = 0
        self.expected = [("agent", GREETING)]
        self._wait_to_hear(GREETING)

    def say(self):
        self._said += 1
        words = f"This is sentence {self._said}."
        self._caller.say(words)
        self.expected += [("caller", words), ("agent", f"You said: {words}")]

    def is_answered(self):
        self._wait_to_hear(self.expected[-1][1])

    def hang_up(self):
        self._caller.hang_up()

    def _wait_to_hear(self, words):
        wait_until(
            lambda: words in self._carrier.heard(self.sid), SOON_S, f"heard: {words}"
        )


def go_on(*talks):
    """Everybody says something, and is answered."""
    for talk in talks:
        talk.say()
    for talk in talks:
        talk.is_answered()


class World:
    """Everything that runs, and the person who looks at it."""

    def __init__(self, production, page):
        self.production, self.page = production, page
        self.deployment = production.deployment
        self.carrier = Carrier(production)
        self.account = self.carrier.open_account()
        self.number = self.account.numbers[0]
        self.member = Member(production.url, verify=production.certificates)
        self._texters = iter(TEXTERS)
        self._others = ThreadPoolExecutor()

    def calls(self):
        """Open calls on either live process."""
        talks = [Talk(self.carrier, self.number) for _ in range(CALLS)]
        assert all(self.production.open_sockets(name) for name in ("live", "live.2"))
        return talks

    def wait_for_calls(self, name):
        """Until this live process has all of them."""
        wait_until(
            lambda: self.production.open_sockets(name) >= CALLS,
            SOON_S,
            f"all calls are at {name}",
        )

    def hears_once(self):
        """What a call hears that is over at once."""
        sid = self.carrier.ring(self.number, [])
        self.carrier.wait_for_end(sid)
        return self.carrier.heard(sid)

    def sessions(self, talk):
        events = self.member.call(talk.sid)["events"]
        return [event["status"] for event in events].count("session-started")

    def end(self, *talks):
        """All hang up: nothing that was said is missing, and nothing was repeated."""
        for talk in talks:
            talk.hang_up()
        for talk in talks:
            self.carrier.wait_for_end(talk.sid)
            call = self.member.settled(talk.sid)
            assert call["end_reason"] == "caller_hung_up"
            words = self.member.transcript(talk.sid, len(talk.expected))
            assert words == talk.expected
            assert self.carrier.heard(talk.sid).count(GREETING) == 1

    def replace(self, name, end):
        """One process ends, by `end(name)`; another one comes in its place."""
        end(name)
        self.deployment.start(name)
        self.deployment.wait_until_healthy(name)

    def is_answered_by_text(self):
        """Somebody new writes, and gets one answer."""
        sender = next(self._texters)
        self.carrier.text(self.number, "Are you open?", sender)
        wait_until(
            lambda: self.carrier.texts_to(self.account, sender),
            SOON_S,
            "the text is answered",
        )

    def begin_to_end(self, name):
        """Tell it to end, which is to be well and in time: in how many seconds."""
        began = time.monotonic()

        def look_on():
            status = self.deployment.wait_for_end(name)
            assert status in {0, -signal.SIGTERM}, self.deployment.log(name)
            return time.monotonic() - began

        self.deployment.tell_to_end(name)
        return self._others.submit(look_on)

    def end_in_peace(self, name):
        self.begin_to_end(name).result()


@pytest.fixture(scope="module")
def production(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("production")
    with running_production(directory, model) as production:
        yield production


@pytest.fixture
def world(production, browser):
    context = browser.new_context(
        base_url=production.url, ignore_https_errors=True, reduced_motion="reduce"
    )
    context.set_default_timeout(SHOWN_WITHIN_MS)
    yield World(production, context.new_page())
    context.close()


@contextmanager
def steady_visitor(world):
    """Somebody who is signed in and looks at pages, and their program."""
    cookies = {c["name"]: c["value"] for c in world.page.context.cookies()}
    prompt = world.member.ask("GET", "/api/prompts")["results"][0]
    requests = (
        ("GET", "/prompts", None),
        ("GET", "/livez", None),
        ("PATCH", f"/api/prompts/{prompt['id']}", {"name": "Receptionist"}),
    )
    with (
        httpx.Client(
            base_url=world.production.url,
            verify=world.production.certificates,
            cookies=cookies,
            headers=world.member.credentials,
            timeout=SOON_S,
            trust_env=False,
        ) as client,
        Steady(client, *requests).asking() as steady,
    ):
        yield steady


def test_everything_dies_and_nothing_promised_is_lost(world, model, tmp_path):
    model.plan(mode="echo")
    a_days_work(world, tmp_path)
    with steady_visitor(world) as steady:
        told_to_end(world, steady)
        killed(world, steady)
        redis_lost_and_away(world, steady)
        campaign_ends(world)
        postgres_away(world, steady)
    front_away(world)


# -- What people do --------------------------------------------------------------------


def a_days_work(world, tmp_path):
    page = world.page
    sign_up(page, EMAIL)
    world.member.log_in(EMAIL)
    connect_account(page, world.account)
    register_number(page, world.number)
    write_prompt(page, "Receptionist", "You are the receptionist of Harbour Dental.")
    create_agent(page, "Front desk", prompt="Receptionist", greeting=GREETING)
    activate(page)
    world.member.ask("PATCH", f"/api/agents/{id_in(page.url)}", PATIENT)
    a_call_is_talked_through(world)
    a_text_is_answered(world)
    create_agent(
        *(page, "Recall"),
        prompt="Receptionist",
        greeting="Hello, it is time for a check-up.",
        direction="outgoing",
    )
    activate(page)
    world.member.ask("PATCH", f"/api/agents/{id_in(page.url)}", ALWAYS)
    schedule_call(page, SCHEDULED)
    file = tmp_path / "patients.csv"
    file.write_text("\n".join(["phone", *CAMPAIGN]))
    start_campaign(page, "Spring recall", file)


def id_in(url):
    return re.search(r"[0-9a-f-]{36}", url)[0]


def a_call_is_talked_through(world):
    talk = Talk(world.carrier, world.number)
    go_on(talk)
    world.end(talk)
    world.page.goto("/calls")
    world.page.get_by_role("link", name="+1 628-555-0142").first.click()
    expect(world.page.get_by_role("main")).to_contain_text("The other party hung up")
    transcript = read_transcript(world.page, len(talk.expected))
    spoken = [(who.lower(), text) for who, text in words_of(transcript)]
    assert spoken == talk.expected
    picture(world.page, "deaths-1-call")


def a_text_is_answered(world):
    page = world.page
    create_message_agent(page, "Desk", prompt="Receptionist")
    agent_id = id_in(page.url)
    activate(page)
    world.member.ask("PATCH", f"/api/message-agents/{agent_id}", {"reply_delay_s": 0})
    world.is_answered_by_text()
    page.goto("/inbox")
    page.get_by_role("link", name=re.compile("^Open")).click()
    expect(page.get_by_role("main")).to_contain_text("Are you open?")
    picture(page, "deaths-2-inbox")


# -- What happens to the processes -----------------------------------------------------


def told_to_end(world, steady):
    """SIGTERM to each in turn, with another one in its place."""
    talks = world.calls()
    ending = world.begin_to_end("live")
    go_on(*talks)
    assert [world.sessions(talk) for talk in talks] == [1] * CALLS
    talks.append(new_call := Talk(world.carrier, world.number))
    go_on(new_call)
    for name in ("web", "web.2", "worker", "worker.2", "beat", "beat.2"):
        world.replace(name, world.end_in_peace)
    world.is_answered_by_text()

    assert DRAIN_S <= ending.result() < GRACE_S
    go_on(*talks)
    # Those of the other process, which they never left, and those that it took up.
    assert {world.sessions(talk) for talk in talks} == {1, 2}
    world.deployment.start("live")
    world.deployment.wait_until_healthy("live")

    ending = world.begin_to_end("live.2")
    go_on(*talks)
    world.end(*talks)
    assert ending.result() < DRAIN_S  # it does not wait for nobody
    world.deployment.start("live.2")
    world.deployment.wait_until_healthy("live.2")
    nobody_noticed(steady)


def killed(world, steady):
    """SIGKILL to each in turn, with another one in its place."""
    for names in (("worker", "web", "beat"), ("worker.2", "web.2", "beat.2")):
        for name in names:
            world.deployment.kill(name)
            world.deployment.start(name)
        for name in names:
            world.deployment.wait_until_healthy(name)
        world.is_answered_by_text()
    talks = world.calls()
    for name, other in (("live", "live.2"), ("live.2", "live")):
        world.deployment.kill(name)
        world.wait_for_calls(other)  # what is said between two sessions nobody hears
        go_on(*talks)
        world.deployment.start(name)
        world.deployment.wait_until_healthy(name)
    # Those of the second process, and those of the first one, which were there by then.
    assert {world.sessions(talk) for talk in talks} == {2, 3}
    world.end(*talks)
    nobody_noticed(steady, besides={"PATCH 502"})


def nobody_noticed(steady, besides=frozenset()):
    """Nothing failed that somebody asked for, but what `besides` names."""
    asked, failed = steady.fresh()
    kinds = {f"{told.split()[0]} {told.split()[-1]}" for told in failed}
    assert (asked > 0, kinds - besides) == (True, set()), failed


def redis_lost_and_away(world, steady):
    """Emptied, then ended in either way: calls do without it."""
    talk = Talk(world.carrier, world.number)
    url = (world.deployment.directory / "secrets" / "redis_url").read_text()
    with redis.Redis.from_url(url) as store:
        store.flushall()
    world.is_answered_by_text()
    for end in (world.end_in_peace, world.deployment.kill):
        end("redis")
        another = Talk(world.carrier, world.number)
        go_on(talk, another)
        world.deployment.start("redis")
        world.deployment.wait_until_healthy("redis")
        world.deployment.start_what_has_ended()
        world.is_answered_by_text()
        world.end(another)
    world.end(talk)
    nobody_noticed(steady)


def postgres_away(world, steady):
    """Its clients thrown out, then a crash: nothing of ours has to be started again."""
    talk = Talk(world.carrier, world.number)
    for how in (signal.SIGINT, signal.SIGQUIT):
        world.deployment.postgres.stop(how)
        assert APOLOGY in world.hears_once()
        go_on(talk)
        world.deployment.postgres.start()

        go_on(talk)
        world.is_answered_by_text()
        another = Talk(world.carrier, world.number)
        go_on(another)
        world.end(another)
    world.end(talk)
    nobody_noticed(steady, besides={"GET 500", "PATCH 500"})


def campaign_ends(world):
    """Everybody was rung once, and no request of the carrier's was left unanswered."""
    page = world.page
    page.reload()
    expect(page.get_by_role("main")).to_contain_text(
        "All contacts have been called.", timeout=CAMPAIGN_WITHIN_MS
    )
    picture(page, "deaths-3-campaign")
    book = world.carrier.book(world.account)
    rung = Counter(e["to"] for e in book if e["direction"] == "outbound-api")
    assert rung == dict.fromkeys({*CAMPAIGN, SCHEDULED} - given_up(world), 1)
    states = [world.carrier.state(entry["sid"]) for entry in book]
    told = [e for state in states for e in state["events"] if e["type"] == "error"]
    assert [error for error in told if error["code"] == UNANSWERED] == []


def given_up(world):
    """Whom a worker was just about to ask for when it was killed; at most one each."""
    unknown = world.member.ask("GET", "/api/scheduled-calls?status=unknown")["results"]
    assert len(unknown) <= TWICE["worker"]
    return {call["to"] for call in unknown}


def front_away(world):
    for end in (world.end_in_peace, world.deployment.kill):
        world.replace("front", end)
        talk = Talk(world.carrier, world.number)
        go_on(talk)
        world.end(talk)
