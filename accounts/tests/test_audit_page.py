"""The page of the audit log, its file and its API."""

import csv
import html
import io
import re
from datetime import UTC, datetime

import pytest

from accounts import audit, audit_words
from accounts.audit import Action
from accounts.models import AuditEntry, Invitation, Membership
from accounts.services import issue_api_key
from agents.models import Prompt, VoiceAgent
from tests.people import join, make_operator
from tests.walls import furnish
from voiceops.ids import earliest_uuid7

PAGE = "/settings/audit-log"
FILE = "/settings/audit-log.csv"
API = "/api/audit-log"
RIGHT_TO_LEFT = "\u202egpj.exe"


def words(answer):
    text = re.sub(r"</?bdi[^>]*>", "", answer.content.decode())
    text = re.sub(r"<[^>]+>", " ", text)
    return " ".join(html.unescape(text).split())


def done(owner, name="Reception", action=Action.DELETED, **fields):
    agent = VoiceAgent.unscoped.create(owner=owner, name=name)
    return audit.record(action, agent, **fields)


def done_at(at, owner, name):
    """An entry of that moment: its id is as old as it is."""
    AuditEntry(
        id=earliest_uuid7(at),
        created_at=at,
        owner=owner,
        source="system",
        action="deleted",
        kind="voice_agent",
        object_id=str(owner.pk),
        label=name,
    ).save()


def lines(answer):
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode())))


def names(answer):
    return [row["object"]["name"] for row in answer.json()["results"]]


# -- The page --------------------------------------------------------------------------


def test_page_says_in_plain_words_what_happened(alice):
    agent = {"name": "Reception", "instructions": "Be brief."}
    made = alice.api("POST", "/api/agents", agent).json()
    alice.client.patch(
        f"/api/agents/{made['id']}",
        {"name": "Sales", "direction": "outgoing", "dtmf_detection": False},
        content_type="application/json",
    )

    shown = words(alice.client.get(PAGE))

    assert "Alice changed the voice agent “Sales”" in shown
    assert "Name Reception Sales" in shown
    assert "Direction Answers calls Places calls" in shown
    assert "Listen for keys yes no" in shown
    assert "Alice made the voice agent “Reception”" in shown
    assert "VoiceOps made the workspace “Alice's workspace”" in shown


def test_page_links_to_what_still_exists(alice):
    kept = done(alice.workspace, "Kept", Action.CHANGED)
    gone = done(alice.workspace, "Gone")
    VoiceAgent.unscoped.filter(pk=gone.object_id).update(deleted_at=gone.created_at)
    prompt = Prompt.unscoped.create(owner=alice.workspace, name="Greeter", text="Hi")
    audit.record(Action.CHANGED, prompt)

    shown = alice.client.get(PAGE).content.decode()

    assert f'href="/voice-agents/{kept.object_id}"' in shown
    assert f'href="{prompt.get_absolute_url()}"' in shown
    assert gone.object_id not in shown


def test_page_can_tell_of_everything_that_is_audited(alice):
    rows = [row for row in furnish(alice) if hasattr(row, "audited_as")]
    for row in rows:
        audit.record(Action.CHANGED, row)

    shown = alice.client.get(PAGE).content.decode()

    for row in rows:
        if hasattr(row, "get_absolute_url"):
            assert f'href="{row.get_absolute_url()}"' in shown


def test_page_costs_the_same_few_statements_however_long_it_is(
    alice, django_assert_max_num_queries
):
    for number in range(30):
        done(alice.workspace, f"Agent {number}")
    alice.client.get(PAGE)  # notes that the session is used

    with django_assert_max_num_queries(6):
        alice.client.get(PAGE)


def test_page_of_another_workspace_shows_nothing(alice, mallory):
    done(alice.workspace, "Hers alone")

    assert "Hers alone" not in words(mallory.client.get(PAGE))
    assert "Hers alone" not in b"".join(mallory.client.get(FILE)).decode()
    assert "Hers alone" not in mallory.api("GET", API).content.decode()


def test_viewer_reads_the_log(alice):
    done(alice.workspace)
    viewer = join(alice, "victor", "viewer")

    assert "deleted the voice agent “Reception”" in words(viewer.client.get(PAGE))
    assert viewer.api("GET", API).status_code == 200
    assert len(lines(viewer.client.get(FILE))) == 2


def test_filters_narrow_page_file_and_api_alike(alice):
    bob = join(alice, "bob", "member")
    agent = VoiceAgent.unscoped.create(owner=alice.workspace, name="By Bob")
    bob.client.post(f"/voice-agents/{agent.pk}/delete")
    done(alice.workspace, "By nobody")
    done_at(datetime(2025, 5, 4, 12, tzinfo=UTC), alice.workspace, "Long ago")

    def found(query, api_query=None):
        shown = words(alice.client.get(f"{PAGE}?{query}"))
        told = {name for name in ("By Bob", "By nobody", "Long ago") if name in shown}
        written = {row["object"] for row in lines(alice.client.get(f"{FILE}?{query}"))}
        answer = alice.api("GET", f"{API}?{api_query or query}")
        assert told == written == set(names(answer))
        return told

    assert found(f"user={bob.user.pk}", f"user_id={bob.user.pk}") == {"By Bob"}
    assert found("kind=voice_agent&source=system") == {"By nobody", "Long ago"}
    assert found("action=deleted&q=nobODY") == {"By nobody"}
    assert found("from=2025-05-04&to=2025-05-04") == {"Long ago"}
    assert found("to=2025-05-03") == set()


def test_days_are_those_of_the_viewer(alice):
    alice.user.timezone = "Pacific/Auckland"
    alice.user.save()
    done_at(datetime(2025, 5, 4, 13, tzinfo=UTC), alice.workspace, "Next morning")

    assert "Next morning" in words(alice.client.get(f"{PAGE}?from=2025-05-05"))
    assert "Next morning" not in words(alice.client.get(f"{PAGE}?to=2025-05-04"))


@pytest.mark.parametrize(
    "query",
    [
        "kind=zebra",
        "action=zebra",
        "source=zebra",
        "from=zebra",
        "from=2025-05-05&to=2025-05-04",
        "user=01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d01",
        "q=%00",
        "before=zebra",
    ],
)
def test_filter_that_cannot_be_read_is_told(query, alice):
    for path in (PAGE, FILE):
        answer = alice.client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert "A filter cannot be read" in words(answer)


def test_person_of_another_workspace_is_no_filter(alice, mallory):
    page = alice.client.get(f"{PAGE}?user={mallory.user.pk}")
    answer = alice.api("GET", f"{API}?user_id={mallory.user.pk}")
    unknown = alice.api("GET", f"{API}?user_id=01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d01")

    assert (page.status_code, answer.status_code) == (422, 400)
    assert answer.json() == unknown.json()


def test_somebody_who_left_can_still_be_chosen(alice):
    bob = join(alice, "bob", "member")
    membership = Membership.objects.get(user=bob.user)
    made = alice.api(
        "POST", "/api/invitations", {"email": "carol@example.com", "role": "member"}
    )
    assert made.status_code == 201
    membership.delete()

    assert bob.user not in audit.people_of(alice.workspace)
    Invitation.unscoped.update(accepted_by=bob.user)
    assert bob.user in audit.people_of(alice.workspace)


def test_pages_follow_each_other_and_keep_the_filters(alice):
    for number in range(51):
        done(alice.workspace, f"Agent {number:02}")

    first = alice.client.get(f"{PAGE}?q=agent")
    second = alice.client.get(first.context["older_url"])
    back = alice.client.get(second.context["newer_url"])

    assert "“Agent 50”" in words(first) and "“Agent 00”" not in words(first)
    assert "“Agent 00”" in words(second) and "“Agent 01”" not in words(second)
    assert "q=agent" in first.context["older_url"]
    assert words(back).count("deleted the voice agent") == 50


def test_htmx_gets_the_rows_and_the_address_of_the_page(alice):
    answer = alice.client.get(f"{PAGE}?q=zebra&kind=", headers={"HX-Request": "true"})

    assert "<html" not in answer.content.decode()
    assert "No entry matches" in words(answer)
    assert answer["HX-Push-Url"] == f"{PAGE}?q=zebra"


def test_operator_is_called_operator_and_not_by_name(alice):
    key, _secret = issue_api_key(
        owner=alice.workspace, user=alice.user, name="Zapier", scopes=["read"]
    )
    answer = make_operator("boss").client.post(
        "/admin/accounts/accesstoken/",
        {"action": "revoke", "_selected_action": [str(key.pk)]},
        REMOTE_ADDR="192.0.2.99",
    )
    assert answer.status_code == 302

    shown = words(alice.client.get(PAGE))
    (told,) = alice.api("GET", f"{API}?source=operator").json()["results"]

    assert f"Operator revoked the API key “Zapier ({key.prefix}…)”" in shown
    assert told["actor"]["user_id"] is None and told["address"] is None
    assert "boss@" not in shown + str(told) and "192.0.2.99" not in shown
    entry = AuditEntry.unscoped.get(pk=told["id"])
    assert entry.user.is_staff


# -- Hostile text ----------------------------------------------------------------------


def test_hostile_text_is_inert_on_the_page(alice):
    name = f"<script>alert(1)</script>{RIGHT_TO_LEFT}"
    entry = done(alice.workspace, name, changes={"<b>x": ["<i>", f"<u>{name}"]})
    entry = AuditEntry.unscoped.get(pk=entry.pk)

    shown = alice.client.get(PAGE).content.decode()

    for tag in ("<script>alert", "<b>x", "<i>", "<u>"):
        assert tag not in shown
    assert f"<bdi>&lt;script&gt;alert(1)&lt;/script&gt;{RIGHT_TO_LEFT}</bdi>" in shown
    # A text that turns the direction stands in an isolate, wherever it stands.
    outside = re.sub(r"<bdi[^>]*>[^<]*</bdi>|aria-label=\"[^\"]*\"", "", shown)
    assert RIGHT_TO_LEFT not in outside


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_file_is_a_formula(start, alice):
    name = f'{start}HYPERLINK("http://evil.example";"x")'
    alice.user.name = name
    alice.user.save()
    done(alice.workspace, name, changes={"name": [name, name]})
    agent = VoiceAgent.unscoped.create(owner=alice.workspace, name="Reception")
    alice.client.post(f"/voice-agents/{agent.pk}/delete")

    rows = lines(alice.client.get(FILE))

    cells = [cell for row in rows for cell in row.values()]
    assert [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))] == []
    assert f"'{name}" in {row["object"] for row in rows}
    assert f"'{name}" in {row["person"] for row in rows}


def test_file_has_every_filtered_row_whatever_page_is_shown(alice, monkeypatch):
    monkeypatch.setattr("accounts.audit_export.BATCH", 7)
    for number in range(20):
        done(alice.workspace, f"Agent {number:02}", changes={"name": ["a", "ä"]})

    answer = alice.client.get(f"{FILE}?q=agent")

    assert answer.streaming
    assert answer["Content-Type"].startswith("text/csv")
    assert 'filename="audit-log.csv"' in answer["Content-Disposition"]
    rows = lines(answer)
    assert [row["object"] for row in rows] == [
        f"Agent {number:02}" for number in reversed(range(20))
    ]
    assert rows[0]["changes"] == '{"name": ["a", "ä"]}'


# -- The API ---------------------------------------------------------------------------


def test_api_tells_an_entry_whole(alice, client):
    agent = VoiceAgent.unscoped.create(
        owner=alice.workspace, name="Reception", instructions="Be kind."
    )
    key, secret = issue_api_key(
        owner=alice.workspace,
        user=alice.user,
        name="Zapier",
        scopes=["read", "write"],
    )
    bearer = {"authorization": f"Bearer {secret}"}
    client.patch(
        f"/api/agents/{agent.pk}",
        {"max_tokens": 400},
        content_type="application/json",
        headers=bearer,
    )

    listed = client.get(f"{API}?object_id={agent.pk}", headers=bearer).json()

    (entry,) = listed["results"]
    stored = AuditEntry.unscoped.get(pk=entry["id"])
    assert entry | {"created_at": "", "updated_at": ""} == {
        "id": str(stored.pk),
        "action": "changed",
        "object": {
            "kind": "voice_agent",
            "id": str(agent.pk),
            "name": "Reception",
        },
        "changes": {"max_tokens": [300, 400]},
        "actor": {
            "user_id": str(alice.user.pk),
            "name": "Alice",
            "email": "alice@example.com",
            "api_key_id": str(key.pk),
            "api_key_name": "Zapier",
            "api_key_prefix": key.prefix,
        },
        "source": "api_key",
        "address": "127.0.0.1",
        "request_id": stored.request_id,
        "created_at": "",
        "updated_at": "",
    }


@pytest.mark.parametrize(
    "query", ["zebra=1", "kind=zebra", "action=zebra", "object_id=1", "from=1", "q=%00"]
)
def test_api_refuses_filters_that_it_does_not_know_or_cannot_read(query, alice):
    assert alice.api("GET", f"{API}?{query}").status_code == 400


def test_api_changes_nothing(alice):
    for verb in ("POST", "PUT", "PATCH", "DELETE"):
        assert alice.api(verb, API, {}).status_code == 405


def test_every_action_has_its_words():
    assert set(audit_words.SENTENCES) == set(Action)
