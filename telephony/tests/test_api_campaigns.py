"""The API of campaigns, as a program uses it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import services
from agents.models import VoiceAgent
from telephony.models import Campaign, CarrierAccount, Phone
from telephony.models import ScheduledCall as Contact
from telephony.tests.campaigns import list_of, numbers
from telephony.tests.outgoing import allow_always

pytestmark = pytest.mark.django_db
UNKNOWN = "01930000-0000-7000-8000-000000000000"
PATH = "/api/campaigns"
LIST = list_of("+16285550001,Ada", "12345,Bob", "+16285550002,=cmd|' /C calc'!A0")


def make_agent(tenant, number="+12125550100"):
    account = CarrierAccount.unscoped.create(
        owner=tenant.workspace, label="main", account_sid=f"AC{number}", auth_token="x"
    )
    phone = Phone.unscoped.create(
        owner=tenant.workspace, carrier_account=account, number=number
    )
    allow_always(tenant.workspace)
    return VoiceAgent.unscoped.create(
        owner=tenant.workspace,
        phone=phone,
        name="Recall",
        direction="outgoing",
        is_active=True,
        instructions="Remind {{ patient_name }}.",
    )


@pytest.fixture
def agent(alice):
    return make_agent(alice)


def body(agent, **more):
    return {"name": "Spring", "agent_id": str(agent.pk), "file": LIST, **more}


def make(alice, agent, **more):
    answer = alice.api("POST", PATH, body(agent, **more))
    assert answer.status_code == 201, answer.content
    return answer.json()


def upload(tenant, fields, path=PATH, **headers):
    token = services.issue_login_token(tenant.user)
    return Client().post(
        path, fields, headers={"authorization": f"Bearer {token}", **headers}
    )


def csv_file(text, name="patients.csv"):
    return SimpleUploadedFile(name, text.encode(), content_type="text/csv")


def test_campaign_is_made_read_and_told_with_every_row_that_was_refused(alice, agent):
    told = make(alice, agent)

    assert told["status"] == "ready"
    assert (told["rows"], told["rows_refused"], told["contacts"]) == (3, 1, 2)
    assert told["columns"] == {
        "to": "to",
        "timezone": None,
        "scheduled_for": None,
        "variables": {"patient_name": "patient_name"},
    }
    assert told["contacts_by_status"] == {"pending": 2}
    assert told["refused_rows"] == [
        {"line": 3, "text": "12345", "reason": "This is no telephone number."}
    ]


def test_file_is_taken_as_a_form_too_and_once_for_a_key(alice, agent):
    fields = {
        "name": "Spring",
        "agent_id": str(agent.pk),
        "max_attempts": "2",
        "columns": '{"to": "to", "variables": {"patient_name": "patient_name"}}',
    }

    first = upload(alice, {**fields, "file": csv_file(LIST)}, idempotency_key="once")
    again = upload(alice, {**fields, "file": csv_file(LIST)}, idempotency_key="once")
    other = upload(
        alice, {**fields, "file": csv_file(LIST + "x")}, idempotency_key="once"
    )

    assert first.status_code == 201, first.content
    assert (first.json()["contacts"], first.json()["max_attempts"]) == (2, 2)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert other.status_code == 409
    assert Campaign.unscoped.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"file": ""}, "file"),
        ({"file": "to\n"}, "file"),
        ({"file": None}, "file"),
        ({"file": {"a": 1}}, "file"),
        ({"file": "a\x01b"}, None),
        ({"agent_id": UNKNOWN}, "agent_id"),
        ({"default_country": "XX"}, "default_country"),
        ({"max_attempts": 11}, "max_attempts"),
        ({"columns": {"to": "phone"}}, "columns"),
        ({"columns": {"to": "to", "other": "x"}}, "columns.other"),
        ({"columns": [{}]}, "columns"),
        ({"columns": "nonsense"}, "columns"),
        ({"columns": "[" * 100_000}, "columns"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_is_wrong_is_named(alice, agent, change, field):
    answer = alice.api("POST", PATH, body(agent) | change)

    if field:
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [field]
        assert not Campaign.unscoped.exists()


def test_agent_of_another_workspace_is_an_unknown_one(alice, mallory, agent):
    theirs = make_agent(mallory, "+12125550199")
    unknown = alice.api("POST", PATH, body(agent, agent_id=UNKNOWN))
    foreign = alice.api("POST", PATH, body(theirs))

    assert foreign.status_code == unknown.status_code == 400
    assert str(theirs.pk) in foreign.json()["errors"]["agent_id"][0]
    assert foreign.content.replace(str(theirs.pk).encode(), UNKNOWN.encode()) == (
        unknown.content
    )


def test_list_without_a_column_of_numbers_is_a_draft_until_told(alice, agent):
    text = "Whom,Name\n+16285550001,Ada\n"
    draft = make(alice, agent, file=text)
    assert (draft["status"], draft["columns"]) == ("draft", None)

    columns = {"to": "Whom", "variables": {"patient_name": "Name"}}
    changed = alice.api("PATCH", f"{PATH}/{draft['id']}", {"columns": columns})

    assert changed.status_code == 200, changed.content
    assert changed.json()["status"] == "ready"
    assert Contact.unscoped.get().variables == {"patient_name": "Ada"}


def test_another_list_replaces_the_first(alice, agent):
    campaign = make(alice, agent)
    path = f"{PATH}/{campaign['id']}/file"

    answer = alice.api("POST", path, {"file": list_of("+16285550009,Zoe")})
    by_form = upload(alice, {"file": csv_file(LIST)}, path)

    assert answer.json()["contacts"] == 1
    assert by_form.json()["contacts"] == 2


def verb(alice, campaign, name, given=None):
    return alice.api("POST", f"{PATH}/{campaign['id']}/{name}", given)


def test_campaign_is_started_paused_resumed_and_canceled(alice, agent):
    campaign = make(alice, agent)

    told = [
        verb(alice, campaign, name).json()["status"]
        for name in ("start", "pause", "resume", "cancel")
    ]

    assert told == ["running", "paused", "running", "canceled"]
    assert verb(alice, campaign, "resume").status_code == 409
    log = alice.api("GET", f"{PATH}/{campaign['id']}/log").json()["results"]
    assert log[0]["sentence"] == "Alice canceled it."
    assert [entry["kind"] for entry in log] == [
        "canceled",
        "resumed",
        "paused",
        "started",
        "read",
        "uploaded",
    ]


def test_started_campaign_takes_another_name_and_nothing_else(alice, agent):
    campaign = make(alice, agent)
    verb(alice, campaign, "start")
    path = f"{PATH}/{campaign['id']}"

    assert alice.api("PATCH", path, {"name": "Other"}).json()["name"] == "Other"
    assert alice.api("PATCH", path, {"max_attempts": 9}).status_code == 409
    assert alice.api("POST", f"{path}/file", {"file": LIST}).status_code == 409


def test_redial_makes_another_campaign(alice, agent):
    campaign = make(alice, agent)
    verb(alice, campaign, "start")
    Contact.unscoped.update(status="busy")

    again = verb(alice, campaign, "redial", {"statuses": ["busy"]})
    none = verb(alice, campaign, "redial", {"statuses": ["failed"]})
    nonsense = verb(alice, campaign, "redial", {"statuses": ["blocked"]})

    assert again.status_code == 201
    assert (again.json()["status"], again.json()["contacts"]) == ("ready", 2)
    assert again.json()["redials_id"] == campaign["id"]
    assert (none.status_code, nonsense.status_code) == (400, 400)


def test_contacts_and_refused_rows_are_lists_by_cursor(alice, agent):
    rows = [f"{number},Ada" for number in numbers(5)]
    campaign = make(alice, agent, file=list_of(*rows, "1,Bob", "2,Cy"))
    path = f"{PATH}/{campaign['id']}"

    first = alice.api("GET", f"{path}/contacts?page_size=3").json()
    second = alice.api("GET", first["next"].partition("testserver")[2]).json()
    lines = [row["line"] for row in first["results"] + second["results"]]
    assert lines == [6, 5, 4, 3, 2]
    busy = alice.api("GET", f"{path}/contacts?status=busy").json()
    assert busy["results"] == []
    assert alice.api("GET", f"{path}/contacts?status=lost").status_code == 400
    refused = alice.api("GET", f"{path}/refused-rows").json()["results"]
    assert [row["line"] for row in refused] == [8, 7]
    everywhere = alice.api("GET", f"/api/scheduled-calls?campaign_id={campaign['id']}")
    assert len(everywhere.json()["results"]) == 5


def test_results_are_a_csv_without_formulas(alice, agent):
    campaign = make(alice, agent)

    answer = alice.api("GET", f"{PATH}/{campaign['id']}/results")

    text = b"".join(answer.streaming_content).decode()
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert text.splitlines()[0].endswith('"patient_name"')
    assert '"2","\'+16285550001","pending"' in text
    assert "\"'=cmd|" in text


def test_deleted_campaign_is_gone_and_its_contacts_too(alice, agent):
    campaign = make(alice, agent)
    path = f"{PATH}/{campaign['id']}"

    assert alice.api("DELETE", path).status_code == 204

    for gone in (path, f"{path}/contacts", f"{path}/results", f"{path}/log"):
        assert alice.api("GET", gone).status_code == 404
    assert alice.api("GET", PATH).json()["results"] == []


def test_key_without_the_scope_starts_nothing(alice, agent):
    campaign = make(alice, agent)
    _key, secret = services.issue_api_key(
        owner=alice.workspace, user=alice.user, name="w", scopes=["read", "write"]
    )

    answer = Client().post(
        f"{PATH}/{campaign['id']}/start", headers={"authorization": f"Bearer {secret}"}
    )

    assert answer.status_code == 403
    assert Campaign.unscoped.get().status == "ready"
