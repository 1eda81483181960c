"""Bells between processes, on a real broker, and without one."""

import asyncio
import contextlib
import socket
import subprocess
import time

import pytest
import redis

from tests.processes import WITHIN_S, wait_until
from voiceops import bells
from voiceops.bells import ANYTHING, Belfry
from voiceops.run.broker import broker_command, socket_path_in
from voiceops.run.guard import die_with_parent


async def words(bell):
    async with asyncio.timeout(WITHIN_S):
        return await bell.wait()


async def until(bell, word):
    """Wait for `word`, whatever else is rung for."""
    async with asyncio.timeout(WITHIN_S):
        while word not in await bell.wait():
            pass


@pytest.mark.usefixtures("patient_broker_url")
def test_bell_is_heard_by_its_channel_alone():
    async def listen():
        belfry = Belfry()
        with belfry.listening("a") as mine, belfry.listening("b") as another:
            # At once, and when Redis has taken the ear: from then on nothing is missed.
            assert await words(mine) == await words(another) == {ANYTHING}
            assert await words(mine) == await words(another) == {ANYTHING}
            bells.ring("a", "first")
            await until(mine, "first")
            bells.ring("a", "second")
            await until(mine, "second")
            assert not another._has_rung.is_set()
        assert belfry._hearing is None

    asyncio.run(listen())


@pytest.mark.usefixtures("patient_broker_url")
def test_bells_that_wait_are_rung_together(monkeypatch):
    rung = {str(number) for number in range(50)}

    async def listen():
        with Belfry().listening("a") as bell:
            assert await words(bell) == await words(bell) == {ANYTHING}
            monkeypatch.setattr(bells, "_has_ringer", True)  # so none is started
            for word in rung:
                bells.ring("a", word)
            bells.loops.start(bells._ring_unsent())
            heard = set()
            async with asyncio.timeout(WITHIN_S):
                while not rung <= heard:
                    heard |= await bell.wait()

    asyncio.run(listen())


def test_words_that_nobody_looks_at_become_one():
    async def ring():
        bell = bells.Bell()
        for number in range(bells.MOST_WORDS + 1):
            bell.ring(str(number))
        return await bell.wait()

    assert asyncio.run(ring()) == {ANYTHING}


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:9/0", "not an address"])
def test_without_redis_everybody_looks_by_themselves(url, settings, monkeypatch):
    settings.REDIS_URL = url
    monkeypatch.setattr(bells, "DEAF_S", 0.05)

    async def listen():
        with Belfry().listening("a") as bell:
            return [await words(bell) for _ in range(3)]

    bells.ring("a", "nobody hears it")

    assert asyncio.run(listen()) == [{ANYTHING}] * 3


def test_redis_that_never_answers_leaves_nobody_deaf(tmp_path, settings, monkeypatch):
    socket_path = socket_path_in(tmp_path)
    settings.REDIS_URL = f"unix://{socket_path}"
    monkeypatch.setattr(bells, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(bells, "DEAF_S", 0.05)

    async def listen():
        with Belfry().listening("a") as bell:
            return [await words(bell) for _ in range(3)]

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(socket_path))
        silent.listen()
        assert asyncio.run(listen()) == [{ANYTHING}] * 3


def test_pause_is_shorter_by_the_time_that_redis_was_tried(settings, monkeypatch):
    settings.REDIS_URL = "redis://silent"
    tried_s, pauses = 0.3, []

    async def try_in_vain(self):
        time.sleep(tried_s)
        raise TimeoutError

    class Loop(asyncio.SelectorEventLoop):
        """Ours alone: threads of other tests go on sleeping in theirs."""

        def call_later(self, delay, *rest, **more):
            pauses.append(delay)
            raise asyncio.CancelledError

    monkeypatch.setattr(Belfry, "_hear_until_it_breaks", try_in_vain)

    with (
        asyncio.Runner(loop_factory=Loop) as runner,
        pytest.raises(asyncio.CancelledError),
    ):
        runner.run(Belfry()._hear())

    (pause_s,) = pauses
    assert 0 < pause_s <= bells.DEAF_S - tried_s


def test_bell_that_could_not_be_rung_is_rung_later(
    patient_broker_url, settings, monkeypatch
):
    monkeypatch.setattr(bells, "DEAF_S", 0.1)
    monkeypatch.setattr(bells, "_quiet_until", 0.0)

    async def listen():
        with Belfry().listening("a") as bell:
            assert await words(bell) == await words(bell) == {ANYTHING}  # the ear is on
            settings.REDIS_URL = "redis://127.0.0.1:9/0"
            bells.ring("a", "word")
            await asyncio.to_thread(
                wait_until, lambda: bells._quiet_until, WITHIN_S, "nobody can ring"
            )
            settings.REDIS_URL = patient_broker_url
            await until(bell, "word")

    asyncio.run(listen())


def test_broker_that_goes_and_comes_back_is_heard_again(
    tmp_path, settings, monkeypatch
):
    monkeypatch.setattr(bells, "DEAF_S", 0.1)
    socket_path = socket_path_in(tmp_path)
    settings.REDIS_URL = f"unix://{socket_path}"

    async def listen():
        with Belfry().listening("a") as bell:
            first = start(socket_path, tmp_path / "one")
            await heard(bell, "one")
            await asyncio.to_thread(stop, first)
            await words(bell)  # rung by itself
            second = start(socket_path, tmp_path / "two")
            await heard(bell, "two")
            await asyncio.to_thread(stop, second)

    async def heard(bell, word):
        """A bell may get lost while nobody listens: ring until it is heard."""
        async with asyncio.timeout(WITHIN_S):
            found = set()
            while word not in found:
                bells.ring("a", word)
                with contextlib.suppress(TimeoutError):
                    found = await asyncio.wait_for(bell.wait(), 0.2)

    asyncio.run(listen())


def start(socket_path, directory):
    directory.mkdir()
    server = subprocess.Popen(
        broker_command(socket_path, directory),
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    client = redis.Redis.from_url(f"unix://{socket_path}")

    def is_up():
        try:
            return client.ping()
        except redis.ConnectionError:
            return False

    wait_until(is_up, WITHIN_S, "the broker answers")
    client.close()
    return server


def stop(server):
    server.terminate()
    server.wait(timeout=WITHIN_S)
