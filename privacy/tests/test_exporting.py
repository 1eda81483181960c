"""A workspace's own copy of all that it has: whole, readable, without secrets."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Membership
from privacy import exporting, exports
from privacy.models import Export, ExportPiece
from telephony.models import CarrierAccount
from telephony.tests.calls import make_call
from tests.people import join
from tests.walls import furnish

pytestmark = pytest.mark.django_db


def make(tenant):
    export = exports.ask(tenant.workspace, by=tenant.user)
    exports.run()
    export.refresh_from_db()
    return export


def opened(export):
    return zipfile.ZipFile(io.BytesIO(b"".join(exporting.contents(export))))


def lines(archive, name):
    return [json.loads(line) for line in archive.read(f"{name}.jsonl").splitlines()]


def test_file_has_a_row_of_every_kind_and_nobody_elses(alice, mallory, monkeypatch):
    monkeypatch.setattr(exporting, "PIECE_BYTES", 1_000)
    furnish(alice)
    furnish(mallory)

    export = make(alice)

    assert (export.status, export.percent) == ("done", 100)
    assert ExportPiece.unscoped.filter(export=export).count() > 2
    with opened(export) as archive:
        assert archive.testzip() is None
        for model in exporting.exported_models():
            rows = lines(archive, model._meta.label_lower)
            assert rows, model
            assert {row["owner_id"] for row in rows} == {str(alice.workspace.pk)}
        assert lines(archive, "people")[0]["user__email"] == alice.user.email
        assert {row["kind"] for row in lines(archive, "media")} == {"recording", "text"}


def test_no_secret_is_in_it(alice):
    furnish(alice)
    account = CarrierAccount.unscoped.get()

    with opened(make(alice)) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())

    assert account.account_sid in text
    assert account.auth_token not in text
    for name in ("auth_token", "webhook_token", "relay_token", "password", 'secret"'):
        assert f'"{name}' not in text


def test_who_is_killed_begins_it_anew(alice, monkeypatch):
    call = make_call(alice.workspace)
    export = exports.ask(alice.workspace, by=None)

    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(exporting, "_people", die)
        with pytest.raises(KeyboardInterrupt):
            exports.run()
    Export.unscoped.update(claimed_until=now() - timedelta(seconds=1))
    exports.run()

    export.refresh_from_db()
    assert export.status == "done"
    with opened(export) as archive:
        assert [row["id"] for row in lines(archive, "telephony.call")] == [str(call.pk)]


def test_one_being_made_while_a_number_is_forgotten_is_begun_anew(alice, monkeypatch):
    export = exports.ask(alice.workspace, by=None)
    with monkeypatch.context() as patched:
        patched.setattr(
            exporting, "_people", lambda _: [exports.withdraw(alice.workspace.pk)]
        )
        exports.run()
    export.refresh_from_db()
    assert (export.status, export.tries) == ("running", 0)

    exports.run()

    export.refresh_from_db()
    assert export.status == "done"


def test_file_is_deleted_after_some_days(alice):
    export = make(alice)

    exports.forget(now() + exports.KEPT_FOR)

    export.refresh_from_db()
    assert export.status == "expired"
    assert not ExportPiece.unscoped.exists()


# -- Page ------------------------------------------------------------------------------

URL = "/settings/data/export"


def test_owner_asks_for_it_and_downloads_it(alice, mallory):
    assert alice.client.post(URL).status_code == 302
    export = Export.unscoped.get()
    path = f"/settings/data/exports/{export.pk}"
    assert alice.client.get(path).status_code == 404
    exports.run()

    answer = alice.client.get(path)

    content = b"".join(answer.streaming_content)
    assert len(content) == int(answer["Content-Length"]) == Export.unscoped.get().size
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert path in alice.client.get("/settings/data").content.decode()
    assert mallory.client.get(path).status_code == 404


def test_admins_neither_make_it_nor_have_it(alice):
    export = make(alice)
    admin = join(alice, "ada", Membership.Role.ADMIN)

    assert admin.client.post(URL).status_code == 403
    path = f"/settings/data/exports/{export.pk}"
    assert admin.client.get(path).status_code == 403
    assert path not in admin.client.get("/settings/data").content.decode()


def test_api_makes_it_tells_how_far_it_is_and_hands_it_out(alice, mallory):
    made = alice.api("POST", "/api/exports")
    again = alice.api("POST", "/api/exports").json()
    path = f"/api/exports/{again['id']}"
    assert (made.status_code, made.json()["status"]) == (202, "running")
    assert (again["id"], again["file_url"]) == (made.json()["id"], None)
    assert alice.api("GET", f"{path}/file").status_code == 404
    exports.run()

    told = alice.api("GET", path).json()

    assert (told["status"], told["percent"]) == ("done", 100)
    assert told["counts"]["people"] == 1
    assert told["file_url"].endswith(f"{path}/file")
    assert alice.api("GET", "/api/exports").json()["results"] == [told]
    file = alice.api("GET", f"{path}/file")
    with zipfile.ZipFile(io.BytesIO(b"".join(file.streaming_content))) as archive:
        assert archive.testzip() is None
    for stranger in (path, f"{path}/file"):
        assert mallory.api("GET", stranger).status_code == 404
    admin = join(alice, "ada", Membership.Role.ADMIN)
    for address in ("/api/exports", path, f"{path}/file"):
        assert admin.api("GET", address).status_code == 403
    assert admin.api("POST", "/api/exports").status_code == 403
