"""The stream of a live page, over a real server; the bells ring through a broker."""

import json
import socket
import threading
from contextlib import contextmanager, suppress

import httpx
import pytest
from django.conf import settings as django_settings

from accounts.models import Membership
from telephony import live as telling
from telephony import stream
from telephony.tests.calls import make_live_call, make_turn
from telephony.tests.test_api_messages import number_of
from telephony.tests.texting import text_in
from tests.people import make_tenant
from tests.processes import WITHIN_S, wait_until
from voiceops import bells
from voiceops.bells import belfry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_moment(monkeypatch):
    monkeypatch.setattr(stream, "PAUSE_S", 0)


@pytest.fixture
def people(live, broker_url, settings):
    settings.REDIS_URL = broker_url
    return make_tenant("alice"), make_tenant("mallory")


class Reader:
    """What a browser has been told, line by line, until the stream ends."""

    def __init__(self, response):
        self.response = response
        self.lines = []
        self.has_ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for line in self.response.iter_lines():
                self.lines.append(line)
        except httpx.HTTPError:
            pass
        self.has_ended = True

    def told(self):
        found = [line for line in self.lines if line.startswith("data: ")]
        return [json.loads(line.removeprefix("data: ")) for line in found]

    def wait_for(self, word):
        try:
            wait_until(lambda: self.has_been_told(word), WITHIN_S, f"{word!r} is told")
        except AssertionError as error:
            error.add_note(f"Told: {self.lines}")
            error.add_note(f"Listening: {vars(belfry)}; not rung: {bells._unsent}")
            raise

    def wait_for_bells(self, tenant):
        """Until a bell is heard: whoever rings before the broker has our ear is missed,
        and made good by a look at everything.
        """

        def is_heard():
            bells.ring(telling.channel_of_workspace(tenant.workspace.pk), "first")
            return self.has_been_told("first")

        wait_until(is_heard, WITHIN_S, "a bell is heard")

    def has_been_told(self, word):
        return any(word in words for words in self.told())

    def wait_for_end(self):
        wait_until(lambda: self.has_ended, WITHIN_S, "the stream has ended")


def cookies_of(tenant):
    name = django_settings.SESSION_COOKIE_NAME
    return {name: tenant.client.cookies[name].value}


@contextmanager
def watching(live, tenant):
    url = f"http://{live.address}/live/stream"
    with (
        httpx.Client(cookies=cookies_of(tenant), trust_env=False) as browser,
        browser.stream("GET", url, timeout=WITHIN_S) as response,
    ):
        assert response.status_code == 200
        reader = Reader(response)
        reader.wait_for(bells.ANYTHING)  # at first: look at all of it
        yield reader
        hang_up(response)
    live.wait_until_idle()


def hang_up(response):
    """To close it is not enough: a thread that reads keeps the connection open."""
    with suppress(OSError):  # the server has ended it
        stream_of_bytes = response.extensions["network_stream"]
        stream_of_bytes.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def ask(live, method="GET", cookies=None):
    url = f"http://{live.address}/live/stream"
    return httpx.request(method, url, cookies=cookies, trust_env=False)


def test_stream_names_the_call_that_has_changed_and_nothing_else(live, people):
    alice, _ = people
    call = make_live_call(alice.workspace)

    with watching(live, alice) as reader:
        reader.wait_for_bells(alice)
        make_turn(call, 1, "My card number is 4111.")
        telling.changed(call)
        reader.wait_for(str(call.pk))

    headers = reader.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "4111" not in str(reader.lines)


def test_stream_names_the_conversation_that_has_changed(live, people):
    alice, _ = people
    number = number_of(alice)

    with watching(live, alice) as reader:
        reader.wait_for_bells(alice)
        message = text_in(number, "My card number is 4111.")
        reader.wait_for(f"texts:{message.conversation_id}")

    assert "4111" not in str(reader.lines)


def test_stream_tells_nothing_of_another_workspace(live, people):
    alice, mallory = people
    theirs, mine = make_live_call(alice.workspace), make_live_call(mallory.workspace)

    with watching(live, mallory) as reader:
        reader.wait_for_bells(mallory)
        telling.changed(theirs)
        telling.changed(mine)
        reader.wait_for(str(mine.pk))

    assert str(theirs.pk) not in str(reader.lines)


def test_nobody_is_refused(live, people):
    assert ask(live).status_code == 401
    name = django_settings.SESSION_COOKIE_NAME
    assert ask(live, cookies={name: "x" * 32}).status_code == 401


def test_head_does_not_wait_for_events(live, people):
    answer = ask(live, "HEAD", cookies_of(people[0]))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_one_person_has_so_many_streams(live, people, monkeypatch):
    monkeypatch.setattr(stream, "MOST_OF_A_PERSON", 1)
    alice, mallory = people

    with watching(live, alice):
        refused = ask(live, cookies=cookies_of(alice))
        with watching_beside(live, mallory):
            pass
    with watching(live, alice):  # the seat is free again
        pass

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "15")


@contextmanager
def watching_beside(live, tenant):
    url = f"http://{live.address}/live/stream"
    with (
        httpx.Client(cookies=cookies_of(tenant), trust_env=False) as browser,
        browser.stream("GET", url, timeout=WITHIN_S) as response,
    ):
        assert response.status_code == 200
        yield


def leave_the_workspace(tenant):
    Membership.objects.filter(user=tenant.user).delete()


def log_out(tenant):
    tenant.client.logout()


def lose_the_account(tenant):
    tenant.user.is_active = False
    tenant.user.save()


@pytest.mark.parametrize("lose", [leave_the_workspace, log_out, lose_the_account])
def test_who_may_not_look_any_more_is_told_nothing(live, people, monkeypatch, lose):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.3)

    with watching(live, people[0]) as reader:
        lose(people[0])
        reader.wait_for_end()


def test_stream_ends_by_itself_after_a_time(live, people, monkeypatch):
    monkeypatch.setattr(stream, "LONGEST_S", 3)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.3)

    with watching(live, people[0]) as reader:
        reader.wait_for_end()

    assert ": still here" in reader.lines


def test_without_redis_the_page_is_told_to_look_again_and_again(
    live, people, settings, monkeypatch
):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(bells, "DEAF_S", 0.1)

    with watching(live, people[0]) as reader:
        wait_until(lambda: len(reader.told()) > 3, WITHIN_S, "it is told often")

    assert set(map(tuple, reader.told())) == {(bells.ANYTHING,)}
