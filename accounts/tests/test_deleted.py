"""Recently deleted: the list, bringing rows back, and why some stay deleted."""

import threading
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import deleted
from accounts.deleted import restoring
from accounts.deleted.listing import Place
from accounts.models import AuditEntry, Membership
from accounts.tenancy import SoftDeleteModel
from agents import services
from agents.models import Prompt, Tool, VoiceAgent
from agents.tests.rows import make_agent, make_phone, make_prompt
from telephony.models import CarrierAccount, Phone
from tests.people import join, make_tenant

pytestmark = pytest.mark.django_db
LIST, API_LIST = "/deleted", "/api/deleted"


def restore_url(row):
    return f"/deleted/{row.pk}/restore"


def put_away(row, *, days_ago=0):
    row.put_away()
    if days_ago:
        row.deleted_at = timezone.now() - timedelta(days=days_ago)
        row.save(update_fields=["deleted_at"])
    return row


def restore(tenant, row, **given):
    """As a program does it: status and body."""
    answer = tenant.api("POST", f"/api/deleted/{row.pk}/restore", given)
    return answer.status_code, answer.json()


def listed(tenant, query=""):
    return [row["id"] for row in tenant.api("GET", API_LIST + query).json()["results"]]


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


# -- The kinds -------------------------------------------------------------------------


def test_every_kind_has_a_name_that_people_know():
    unnamed = [kind.key for kind in deleted.kinds() if kind.name_field == "id"]

    assert unnamed == []
    assert len({kind.key for kind in deleted.kinds()}) == len(deleted.kinds())
    assert all(issubclass(kind.model, SoftDeleteModel) for kind in deleted.kinds())


def test_a_kind_of_which_nothing_is_told_is_known_by_its_fields():
    kind = deleted.Kind(Phone)

    assert (kind.key, kind.title, kind.name_field) == (
        *("phone", "Phone number", "label"),
    )
    assert [field.name for field in kind.all_needs] == ["carrier_account"]


# -- The list --------------------------------------------------------------------------


def test_list_shows_what_was_deleted_last_first_with_who_did_it(alice):
    agent = make_agent(alice.workspace)
    make_agent(alice.workspace, "Still here")
    prompt = make_prompt(alice.workspace)
    put_away(prompt)
    alice.api("DELETE", f"/api/agents/{agent.pk}")

    answer = alice.api("GET", API_LIST).json()

    agent.refresh_from_db()
    until = agent.deleted_at + timedelta(days=30)
    assert [row["id"] for row in answer["results"]] == [str(agent.pk), str(prompt.pk)]
    assert answer["results"][0] == {
        "id": str(agent.pk),
        "kind": "voice_agent",
        "name": "Reception",
        "deleted_at": agent.deleted_at.isoformat().replace("+00:00", "Z"),
        "deleted_by_id": str(alice.user.pk),
        "restorable_until": until.isoformat().replace("+00:00", "Z"),
    }
    assert answer["results"][1]["deleted_by_id"] is None


def test_list_ends_after_thirty_days(alice):
    kept = put_away(make_prompt(alice.workspace, "Kept"), days_ago=29.9)
    over = put_away(make_prompt(alice.workspace, "Over"), days_ago=30.1)

    assert listed(alice) == [str(kept.pk)]
    assert restore(alice, over)[0] == 404
    assert alice.client.post(restore_url(over)).status_code == 404
    assert Prompt.unscoped.get(pk=over.pk).is_deleted


def test_list_of_one_kind(alice):
    phone = put_away(make_phone(alice.workspace))
    put_away(make_prompt(alice.workspace))

    assert listed(alice, "?kind=phone") == [str(phone.pk)]
    assert listed(alice, "?kind=voice_agent") == []
    page = alice.client.get(LIST, {"kind": "phone"})
    assert [row.id for row, _ in page.context["rows"]] == [phone.pk]


@pytest.mark.parametrize("query", ["?kind=call", "?kind=", "?cursor=x", "?owner=1"])
def test_list_refuses_what_it_does_not_know(alice, query):
    assert alice.api("GET", API_LIST + query).status_code == 400


@pytest.mark.parametrize(
    "place",
    ["x", "2026-01-01_x", "2026-01-01T00:00:00_" + "0" * 32, "0001-01-01T00:00+14:00_"],
)
def test_page_refuses_what_is_no_place_in_the_list(alice, place):
    answer = alice.client.get(LIST, {"before": place})

    assert answer.status_code == 422


def test_list_pages_there_and_back_also_within_one_moment(alice):
    rows = [make_prompt(alice.workspace, str(number)) for number in range(5)]
    moment = timezone.now()
    for row in rows:
        row.deleted_at = moment
        row.save(update_fields=["deleted_at"])
    newest_first = [str(row.pk) for row in reversed(rows)]

    first = alice.api("GET", f"{API_LIST}?page_size=2").json()
    second = alice.api("GET", first["next"]).json()
    third = alice.api("GET", second["next"]).json()
    back = alice.api("GET", third["previous"]).json()

    pages = [[row["id"] for row in page["results"]] for page in (first, second, third)]
    assert sum(pages, []) == newest_first
    assert (first["previous"], third["next"]) == (None, None)
    assert back["results"] == second["results"]


def test_pages_lead_on_and_back(alice):
    rows = [put_away(make_prompt(alice.workspace, str(n))) for n in range(51)]

    first = alice.client.get(LIST)
    second = alice.client.get(f"{LIST}?{first.context['older']}")
    back = alice.client.get(f"{LIST}?{second.context['newer']}")

    assert [row.id for row, _ in second.context["rows"]] == [rows[0].pk]
    assert first.context["newer"] is None
    assert [row.id for row, _ in back.context["rows"]] == [
        row.pk for row in reversed(rows[1:])
    ]


def test_page_takes_one_statement_for_all_kinds_and_one_for_people(alice):
    put_away(make_agent(alice.workspace))
    put_away(make_phone(alice.workspace))
    alice.client.get(LIST)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = alice.client.get(LIST)

    of_rows = [query for query in queries if "deleted_at" in query["sql"]]
    assert len(page.context["rows"]) == 2
    assert len(of_rows) == 1
    assert len(queries) <= 6


def test_list_shows_nothing_of_another_workspace(alice, mallory):
    row = put_away(make_prompt(alice.workspace, "Secret"))

    assert listed(mallory) == []
    assert "Secret" not in mallory.client.get(LIST).content.decode()
    assert restore(mallory, row)[0] == 404
    assert mallory.client.post(restore_url(row)).status_code == 404
    assert Prompt.unscoped.get(pk=row.pk).is_deleted


def test_page_without_anything_says_so(alice):
    assert "Nothing was deleted lately" in alice.client.get(LIST).content.decode()
    narrowed = alice.client.get(LIST, {"kind": "phone"}).content.decode()
    assert "Nothing of this kind" in narrowed


def test_a_place_survives_being_written():
    place = Place(timezone.now(), make_tenant("a").user.pk)

    assert Place.parse(str(place)) == place


# -- Who may ---------------------------------------------------------------------------


def test_viewer_sees_and_cannot_restore(alice):
    row = put_away(make_prompt(alice.workspace, "Welcome"))
    viewer = join(alice, "viewer", Membership.Role.VIEWER)

    shown = viewer.client.get(LIST).content.decode()

    assert "Welcome" in shown
    assert restore_url(row) not in shown
    assert viewer.client.post(restore_url(row)).status_code == 403
    assert restore(viewer, row)[0] == 403
    assert Prompt.unscoped.get(pk=row.pk).is_deleted


def test_member_cannot_restore_what_a_member_cannot_delete(alice):
    account = make_phone(alice.workspace).carrier_account
    Phone.unscoped.get().put_away()
    put_away(account)
    member = join(alice, "member", Membership.Role.MEMBER)

    shown = member.client.get(LIST).content.decode()

    assert restore_url(account) not in shown
    assert member.client.post(restore_url(account)).status_code == 403
    assert restore(member, account)[0] == 403
    assert restore(alice, account)[0] == 200


# -- Bringing back ---------------------------------------------------------------------


def test_restored_prompt_is_as_it_was_with_its_versions(alice):
    prompt = make_prompt(alice.workspace)
    services.delete_prompt(prompt)

    answer = alice.client.post(restore_url(prompt))

    assert (answer.status_code, answer.url) == (302, prompt.get_absolute_url())
    assert said(answer)[-1] == "“Reception” is restored."
    back = Prompt.objects.for_owner(alice.workspace).get()
    assert (back.pk, back.text) == (prompt.pk, prompt.text)
    assert back.versions.for_owner(alice.workspace).count() == 1


def test_restored_agent_is_inactive_and_can_be_activated(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone, is_active=True)
    agent.put_away()  # carelessly: it stays marked as active

    status, told = restore(alice, agent)

    assert (status, told) == (
        200,
        {"id": str(agent.pk), "kind": "voice_agent", "name": "Reception"},
    )
    back = VoiceAgent.objects.for_owner(alice.workspace).get()
    assert (back.is_active, back.phone) == (False, phone)
    assert services.activate(back) == []


def test_restoring_twice_finds_nothing_the_second_time(alice):
    prompt = put_away(make_prompt(alice.workspace))

    assert restore(alice, prompt)[0] == 200
    assert restore(alice, prompt)[0] == 404


def test_name_taken_meanwhile_is_told_with_one_that_is_free(alice):
    prompt = put_away(make_prompt(alice.workspace))
    make_prompt(alice.workspace)
    make_prompt(alice.workspace, "Reception (restored)")

    status, told = restore(alice, prompt)

    assert status == 409
    assert told["type"].endswith("/name-taken")
    assert told["detail"] == "You already have a prompt of this name."
    assert (told["reason"], told["suggested_name"]) == (
        "name_taken",
        "Reception (restored 2)",
    )
    assert Prompt.unscoped.get(pk=prompt.pk).is_deleted
    assert restore(alice, prompt, name="Front desk")[0] == 200
    assert Prompt.unscoped.get(pk=prompt.pk).name == "Front desk"


def test_page_offers_another_name_and_takes_it(alice):
    agent = put_away(make_agent(alice.workspace, "x" * 100))
    make_agent(alice.workspace, "x" * 100)

    refused = alice.client.post(restore_url(agent))
    offered = refused.context["form"]["name"].value()
    restored = alice.client.post(restore_url(agent), {"name": offered})

    assert refused.status_code == 409
    assert "You already have an agent of this name." in refused.content.decode()
    assert offered == "x" * 89 + " (restored)"
    assert restored.status_code == 302
    assert VoiceAgent.unscoped.get(pk=agent.pk).name == offered


@pytest.mark.parametrize("name", ["x" * 101, "nul\0", 7.5, None, ["a"]])
def test_bad_names_are_refused(alice, name):
    prompt = put_away(make_prompt(alice.workspace))

    assert restore(alice, prompt, name=name)[0] in (400, 200)
    if isinstance(name, str):
        assert Prompt.unscoped.get(pk=prompt.pk).is_deleted
        posted = alice.client.post(restore_url(prompt), {"name": name})
        assert posted.status_code == 422


def test_names_without_spaces_get_an_underscore(alice):
    tool = put_away(Tool.unscoped.create(owner=alice.workspace, name="find_day"))
    Tool.unscoped.create(owner=alice.workspace, name="find_day")

    assert restore(alice, tool)[1]["suggested_name"] == "find_day_restored"
    assert restore(alice, tool, name="find day")[0] == 400
    assert restore(alice, tool, name="end_call")[0] == 400  # a built-in one has it
    assert Tool.unscoped.get(pk=tool.pk).is_deleted


def test_a_number_cannot_come_back_under_another_name(alice):
    phone = put_away(make_phone(alice.workspace))

    status, told = restore(alice, phone, name="+15005550009")

    assert (status, list(told["errors"])) == (400, ["name"])
    assert Phone.unscoped.get().is_deleted


def test_unknown_fields_are_refused(alice):
    prompt = put_away(make_prompt(alice.workspace))

    assert restore(alice, prompt, kind="prompt")[0] == 400


def test_agent_whose_prompt_is_deleted_waits_for_the_prompt(alice):
    prompt = make_prompt(alice.workspace, "Welcome")
    agent = make_agent(alice.workspace, prompt=prompt)
    services.delete_agent(agent)
    services.delete_prompt(prompt)

    status, told = restore(alice, agent)
    page = alice.client.post(restore_url(agent))

    assert (status, told["reason"]) == (409, "needs_another")
    assert (told["needed_kind"], told["needed_id"]) == ("prompt", str(prompt.pk))
    assert "It needs “Welcome” (Prompt)" in page.content.decode()
    assert restore_url(prompt) in page.content.decode()
    assert restore(alice, prompt)[0] == restore(alice, agent)[0] == 200


def test_agent_whose_number_is_deleted_comes_back_and_cannot_be_activated(alice):
    phone = make_phone(alice.workspace)
    agent = make_agent(alice.workspace, phone=phone)
    services.delete_agent(agent)
    phone.put_away()

    assert restore(alice, agent)[0] == 200

    answer = alice.api("POST", f"/api/agents/{agent.pk}/activate")
    assert answer.status_code == 409
    assert not VoiceAgent.unscoped.get().is_active


def test_account_connected_anew_keeps_the_old_one_deleted(alice):
    account = make_phone(alice.workspace).carrier_account
    Phone.unscoped.get().put_away()
    put_away(account)
    CarrierAccount.unscoped.create(
        owner=alice.workspace, label="New", account_sid=account.account_sid
    )

    status, told = restore(alice, account)

    assert (status, told["reason"]) == (409, "taken")
    assert told["detail"] == "This account is connected already."


# -- Undo ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (make_prompt, "/prompts/{}/delete"),
        (make_agent, "/voice-agents/{}/delete"),
    ],
)
def test_toast_after_a_delete_offers_undo_which_restores(alice, make, path):
    row = make(alice.workspace)

    page = alice.client.post(path.format(row.pk), follow=True)

    assert type(row).unscoped.get(pk=row.pk).is_deleted
    assert f'action="{restore_url(row)}"' in page.content.decode()
    alice.client.post(restore_url(row))
    assert not type(row).unscoped.get(pk=row.pk).is_deleted


def test_other_toasts_offer_none(alice):
    page = alice.client.post(
        "/settings/workspace", {"name": "New", "timezone": "UTC"}, follow=True
    )

    assert "The workspace is saved." in page.content.decode()
    assert "/restore" not in page.content.decode()


def test_list_says_who_deleted_it_the_last_time_also_when_they_left(alice):
    member = join(alice, "member", Membership.Role.MEMBER)
    prompt = make_prompt(alice.workspace)
    path = f"/prompts/{prompt.pk}/delete"
    alice.client.post(path)
    restore(alice, prompt)
    member.client.post(path)
    member.user.delete()

    page = alice.client.get(LIST)

    ((row, _),) = page.context["rows"]
    assert row.deleted_by == "Member"
    assert "by Member" in page.content.decode()
    assert listed(alice) == [str(prompt.pk)]


def test_restoring_is_in_the_audit_log_with_what_it_changed(alice):
    agent = make_agent(
        alice.workspace, phone=make_phone(alice.workspace), is_active=True
    )
    agent.put_away()

    restore(alice, agent, name="Second desk")

    entry = AuditEntry.unscoped.get(action=AuditEntry.Action.RESTORED)
    assert (entry.kind, entry.object_id) == ("voice_agent", str(agent.pk))
    assert (entry.label, entry.user) == ("Second desk", alice.user)
    assert entry.changes == {
        "name": ["Reception", "Second desk"],
        "is_active": [True, False],
    }


# -- Races -----------------------------------------------------------------------------


def at_once(*actions):
    """What each returned or raised; on a connection of its own, started together."""
    together = threading.Barrier(len(actions))
    results = [None] * len(actions)

    def run(number, action):
        try:
            together.wait(timeout=10)
            results[number] = action()
        except Exception as error:  # whatever it is, the test looks at it
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.mark.django_db(transaction=True)
def test_of_two_restores_at_once_one_wins():
    owner = make_tenant("alice").workspace
    prompt = put_away(make_prompt(owner))
    kind = deleted.kind_of(Prompt)
    again = Prompt.unscoped.get(pk=prompt.pk)

    results = at_once(
        lambda: deleted.restore(prompt, kind), lambda: deleted.restore(again, kind)
    )

    assert sorted(type(result).__name__ for result in results) == ["Gone", "Prompt"]


@pytest.mark.django_db(transaction=True)
def test_of_a_restore_and_a_new_row_of_the_name_one_wins():
    owner = make_tenant("alice").workspace
    prompt = put_away(make_prompt(owner))
    kind = deleted.kind_of(Prompt)

    results = at_once(lambda: deleted.restore(prompt, kind), lambda: make_prompt(owner))

    losers = [result for result in results if isinstance(result, Exception)]
    assert len(losers) == 1
    assert isinstance(losers[0], deleted.NameTaken | services.NameTaken)
    assert Prompt.objects.for_owner(owner).count() == 1


def test_restore_loses_against_a_row_stored_after_it_looked(alice, monkeypatch):
    """The constraint decides when looking was too early, and is told as plainly."""
    prompt = put_away(make_prompt(alice.workspace))
    make_prompt(alice.workspace)
    looks = iter([lambda *args: None, restoring._refuse_collision])
    monkeypatch.setattr(
        restoring, "_refuse_collision", lambda *args: next(looks)(*args)
    )

    with pytest.raises(deleted.NameTaken):
        deleted.restore(prompt, deleted.kind_of(Prompt))

    assert Prompt.unscoped.get(pk=prompt.pk).is_deleted


def test_an_error_of_another_constraint_is_not_hidden(alice, monkeypatch):
    prompt = put_away(make_prompt(alice.workspace))

    def broken(self, **kwargs):
        raise IntegrityError

    monkeypatch.setattr(Prompt, "save", broken)

    with pytest.raises(IntegrityError):
        deleted.restore(prompt, deleted.kind_of(Prompt))
