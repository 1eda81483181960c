"""New keys for what is encrypted, while everything goes on."""

import os
import subprocess
import sys

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.fernet import Fernet
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.management import call_command

from hooks.models import Endpoint
from tests.processes import PROJECT_DIR
from tests.test_isolation import settings_of_this_database
from tests.walls import furnish
from voiceops import rotation
from voiceops.encryption import decrypt, key_id

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
PLACE = rotation.Place(Endpoint, "secret")


@pytest.fixture
def keys(settings):
    """`keys(NEW, OLD)`: the keys that this process knows from now on."""

    def use(*chosen):
        settings.FIELD_ENCRYPTION_KEYS = list(chosen)

    use(OLD)
    return use


def run(*arguments):
    """The exit status of the command."""
    try:
        call_command("rotate_field_keys", *arguments)
    except SystemExit as ended:
        return ended.code
    return 0


def make_endpoints(tenant, count):
    return [
        Endpoint.unscoped.create(
            owner=tenant.workspace, url=f"https://{number}.example", secret=f"s{number}"
        )
        for number in range(count)
    ]


@pytest.mark.django_db
def test_everything_is_put_under_the_new_key_and_reads_the_same(keys, alice, capsys):
    rows = furnish(alice)
    seed = generate_totp_secret()
    factor = TOTP.activate(alice.user, seed).instance
    codes = RecoveryCodes.activate(alice.user).get_unused_codes()
    sealed = [row for row in rows if encrypted_of(row)]
    before = {row.pk: encrypted_of(row) for row in sealed}
    keys(NEW, OLD)

    unchanged = run("--check")
    told = capsys.readouterr().out
    done = run()
    checked = run("--check")

    keys(NEW)
    told_after = capsys.readouterr().out
    assert (unchanged, done, checked) == (1, 0, 0)
    assert f"1 under {key_id(OLD)}" in told
    assert key_id(OLD) not in told_after.rpartition("first key")[2].partition("\n")[2]
    assert OLD not in told + told_after and NEW not in told + told_after
    assert {row.pk: encrypted_of(fresh(row)) for row in sealed} == before
    assert decrypt(fresh(factor).data["secret"]) == seed
    assert recovery_codes().get_unused_codes() == codes


def encrypted_of(row):
    columns = [p.column for p in rotation.places() if isinstance(row, p.model)]
    return {name: getattr(row, name) for name in columns}


def recovery_codes():
    return Authenticator.objects.get(type="recovery_codes").wrap()


def fresh(row):
    return type(row)._base_manager.get(pk=row.pk)


@pytest.mark.django_db
def test_what_is_written_meanwhile_is_not_lost(keys, alice, monkeypatch):
    (row,) = make_endpoints(alice, 1)
    keys(NEW, OLD)
    renew = rotation.renewed

    def while_somebody_writes(cipher):
        monkeypatch.setattr(rotation, "renewed", renew)
        Endpoint.unscoped.filter(pk=row.pk).update(secret="written meanwhile")
        return renew(cipher)

    monkeypatch.setattr(rotation, "renewed", while_somebody_writes)
    (progress,) = rotation.rotate(PLACE)

    keys(NEW)
    assert fresh(row).secret == "written meanwhile"
    assert (progress.seen, progress.renewed) == (1, 0)


@pytest.mark.django_db
def test_a_codes_use_meanwhile_is_not_undone(keys, alice, monkeypatch):
    TOTP.activate(alice.user, "SEED")
    used, *others = RecoveryCodes.activate(alice.user).get_unused_codes()
    keys(NEW, OLD)
    renew = rotation.renewed

    def while_somebody_logs_in(cipher):
        monkeypatch.setattr(rotation, "renewed", renew)
        assert recovery_codes().validate_code(used)
        return renew(cipher)

    monkeypatch.setattr(rotation, "renewed", while_somebody_logs_in)
    list(rotation.rotate(rotation.Place(Authenticator, "data")))

    keys(NEW)
    assert recovery_codes().get_unused_codes() == others


@pytest.mark.django_db
def test_what_no_key_fits_is_left_alone_and_told(keys, alice, capsys):
    lost, found = make_endpoints(alice, 2)
    keys(Fernet.generate_key().decode())
    Endpoint.unscoped.filter(pk=lost.pk).update(secret="under a key that is lost")
    before = PLACE.read(lost.pk)
    keys(NEW, OLD)

    assert run() == 1
    assert "1 cannot be read" in capsys.readouterr().err
    assert run("--check") == 1
    told = capsys.readouterr().out
    assert f"{PLACE}: 1 under none of the keys, 1 under {key_id(NEW)}" in told
    assert PLACE.read(lost.pk) == before
    assert fresh(found).secret == "s1"


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on(keys, alice, tmp_path):
    rows = make_endpoints(alice, 60)
    environment = settings_of_this_database(tmp_path)
    environment |= {"FIELD_ENCRYPTION_KEYS": f"{NEW},{OLD}", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "rotate_field_keys", "--batch=1"]
    process = subprocess.Popen(
        command,
        cwd=PROJECT_DIR,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout:
            if f"{PLACE}: 3 looked at" in line:
                process.kill()
                break
    keys(NEW, OLD)
    half = rotation.count_keys(PLACE)

    assert (run(), run("--check")) == (0, 0)

    assert process.returncode == -9
    assert 3 <= half[key_id(NEW)] < 60
    keys(NEW)
    assert [fresh(row).secret for row in rows] == [f"s{n}" for n in range(60)]


@pytest.mark.django_db
def test_sessions_are_encrypted_and_outlive_a_new_key(keys, alice):
    alice.client.session.save()
    stored = Session.objects.get(pk=alice.client.session.session_key)
    keys(NEW, OLD)
    assert decrypt(stored.session_data) and run() == 0

    keys(NEW)
    caches["sessions"].clear()
    assert alice.client.get("/calls").status_code == 200

    keys(Fernet.generate_key().decode())
    caches["sessions"].clear()
    assert alice.client.get("/calls").status_code == 302


@pytest.mark.django_db
def test_sessions_and_links_outlive_a_new_secret_key(alice, settings):
    link = default_token_generator.make_token(alice.user)
    before = settings.SECRET_KEY

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one, " * 5, [before]
    assert alice.client.get("/calls").status_code == 200
    assert default_token_generator.check_token(alice.user, link)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another, " * 6, []
    assert alice.client.get("/calls").status_code == 302
    assert not default_token_generator.check_token(alice.user, link)
