"""The pages of campaigns: from a file to its results."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now

from telephony.models import AfterCall, Call, Campaign
from telephony.models import ScheduledCall as Contact
from telephony.services import campaign_lists, campaigns
from telephony.tests.campaigns import list_of, long_list, numbers
from telephony.tests.test_api_campaigns import make_agent

pytestmark = pytest.mark.django_db
PATH = "/campaigns"


@pytest.fixture
def agent(alice):
    return make_agent(alice)


def form(agent, text, **more):
    return {
        "name": "Spring recall",
        "agent": str(agent.pk),
        "max_attempts": "2",
        "retry_delay_minutes": "45",
        "file": SimpleUploadedFile("patients.csv", text.encode("cp1252")),
        **more,
    }


def upload(alice, agent, text, **more):
    """The campaign of a list whose columns are to be chosen."""
    answer = alice.client.post(f"{PATH}/new", form(agent, text, **more))
    assert answer.status_code == 302, answer.context["form"].errors
    campaign = Campaign.unscoped.order_by("-pk").first()
    assert answer["Location"] == f"{PATH}/{campaign.pk}/columns"
    return campaign


def choose(alice, campaign, **columns):
    """Its columns are chosen; the campaign as it is then."""
    page = f"{PATH}/{campaign.pk}/columns"
    initial = alice.client.get(page).context["form"]
    chosen = {field.html_name: field.value() or "" for field in initial}
    answer = alice.client.post(page, chosen | columns)
    assert answer.status_code == 302, answer.context["form"].errors
    campaign.refresh_from_db()
    return campaign


def shown(alice, campaign, rest="", **headers):
    return alice.client.get(f"{PATH}/{campaign.pk}{rest}", headers=headers)


def ready(alice, agent, text=None):
    text = text or list_of("+16285550001,Ada", "12345,Bob", "+16285550002,Cy")
    return choose(alice, upload(alice, agent, text))


def post(alice, campaign, verb):
    answer = alice.client.post(f"{PATH}/{campaign.pk}/{verb}")
    campaign.refresh_from_db()
    return answer


def test_list_becomes_a_campaign_with_a_preview(alice, agent):
    text = "Name;Telefon\nJürgen;628 555 0001\nEve;nonsense\n"
    draft = upload(alice, agent, text, default_country="US")
    assert draft.status == "draft"
    assert draft.retry_delay_s == 45 * 60

    campaign = choose(alice, draft, to="1", **{"variable.patient_name": "0"})

    assert (campaign.status, campaign.contacts) == ("ready", 1)
    page = shown(alice, campaign)
    assert "This is no telephone number." in page.content.decode()
    assert page.context["missing"] == []
    assert Contact.unscoped.get().variables == {"patient_name": "Jürgen"}


def test_columns_are_suggested_and_shown_with_what_stands_there(alice, agent):
    campaign = upload(alice, agent, list_of("+16285550001,Ada"))

    page = shown(alice, campaign, "/columns")

    fields = page.context["form"]
    assert fields["to"].value() == "0"
    assert fields["variable.patient_name"].value() == "1"
    assert ("0", "to: +16285550001") in fields.fields["to"].choices


def test_column_of_the_numbers_must_be_chosen(alice, agent):
    campaign = upload(alice, agent, "Whom\n+16285550001\n")

    answer = alice.client.post(f"{PATH}/{campaign.pk}/columns", {"to": ""})

    assert answer.status_code == 422
    assert "to" in answer.context["form"].errors


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"PK\x03\x04", "workbook"),
        (b"\x00\x01\x02", "no text"),
        (b"to\n", "no rows"),
        (b"", "empty"),
    ],
)
def test_file_that_is_no_list_is_refused_with_its_reason(alice, agent, file, words):
    data = form(agent, "", file=SimpleUploadedFile("x.csv", file))

    answer = alice.client.post(f"{PATH}/new", data)

    assert answer.status_code == 422
    assert words in str(answer.context["form"].errors)
    assert not Campaign.unscoped.exists()


def test_file_that_is_too_large_is_refused(alice, agent, monkeypatch):
    monkeypatch.setattr("telephony.forms.campaigns.MOST_BYTES", 10)

    answer = alice.client.post(f"{PATH}/new", form(agent, long_list(3)))

    assert answer.status_code == 422


def test_template_has_the_placeholders_of_the_agent(alice, mallory, agent):
    path = f"{PATH}/template.csv?agent={agent.pk}"
    text = b"".join(alice.client.get(path).streaming_content).decode()

    assert text == '"to","patient_name","timezone"\r\n'
    assert mallory.client.get(path).status_code == 404


def test_placeholder_that_nothing_fills_in_is_told(alice, agent):
    campaign = choose(alice, upload(alice, agent, "to\n+16285550001\n"))

    page = shown(alice, campaign)

    assert page.context["missing"] == ["patient_name"]
    assert "No column fills in patient_name" in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_long_list_shows_how_far_it_is(alice, agent, monkeypatch):
    parts = []
    monkeypatch.setattr(campaign_lists, "go_on", parts.append)
    monkeypatch.setattr(campaign_lists, "READ_BY_A_TASK", 500)
    campaign = ready(alice, agent, long_list(1_200))
    assert campaign.status == "checking"
    campaign_lists.read(parts.pop())

    page = shown(alice, campaign, **{"HX-Request": "true"})

    text = page.content.decode()
    assert "<html" not in text
    assert 'value="500" max="1200"' in text
    assert "500 of 1,200 rows" in text
    seen = page.context["seen"]
    again = shown(alice, campaign, f"?seen={seen}", **{"HX-Request": "true"})
    assert again.status_code == 204


@pytest.mark.django_db(transaction=True)
def test_who_watches_the_reading_is_asked_about_all_contacts(alice, agent, monkeypatch):
    parts = []
    monkeypatch.setattr(campaign_lists, "go_on", parts.append)
    campaign = ready(alice, agent, long_list(700))
    opened = shown(alice, campaign).content.decode()
    campaign_lists.read(parts.pop())

    fetched = shown(alice, campaign, **{"HX-Request": "true"}).content.decode()

    assert "will be called" not in opened
    assert "700 people will be called" in fetched


def test_refused_rows_are_paged_and_a_file(alice, agent):
    text = list_of(*(f"{number},Bob" for number in range(1, 121)))
    campaign = ready(alice, agent, text)

    first = shown(alice, campaign, "/refused")
    second = alice.client.get(f"{PATH}/{campaign.pk}/refused{first.context['older']}")
    back = alice.client.get(f"{PATH}/{campaign.pk}/refused{second.context['newer']}")

    lines = [row.line for page in (first, second) for row in page.context["page"].rows]
    assert lines == list(range(2, 102))
    assert [row.line for row in back.context["page"].rows] == list(range(2, 52))
    answer = shown(alice, campaign, "/refused.csv")
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert rows[0] == ["line", "what_it_says", "reason"]
    assert rows[1][:2] == ["2", "1"]
    assert len(rows) == 121


def test_estimate_is_from_the_latest_calls(alice, agent):
    for answered in (True, True, False, False):
        Call.unscoped.create(
            owner=alice.workspace,
            agent=agent,
            direction="outgoing",
            status="completed" if answered else "no-answer",
            asked_at=now(),
            ended_at=now(),
            answered_at=now() if answered else None,
            duration_s=180 if answered else None,
            cost="0.30" if answered else 0,
            currency="USD",
        )
    rows = [f"{number},Ada" for number in numbers(100)]

    page = shown(alice, ready(alice, agent, list_of(*rows)))

    estimate = page.context["estimate"]
    assert (estimate.minutes, estimate.percent, estimate.calls) == (3, 50, 4)
    assert (str(estimate.cost), str(estimate.most)) == ("15.00", "30.00")
    text = page.content.decode()
    assert "15.00 USD" in text
    assert "From the agent's latest 4 calls" in text


def test_estimate_without_calls_asks_for_the_price(alice, agent):
    campaign = ready(alice, agent)

    assert shown(alice, campaign).context["estimate"].cost is None
    assumed = shown(alice, campaign, "?minutes=2&percent=50&price=0.5")
    assert str(assumed.context["estimate"].cost) == "1.00"
    nonsense = shown(alice, campaign, "?minutes=x&percent=500&price=-1")
    assert nonsense.status_code == 200
    assert nonsense.context["estimate"].cost is None


def test_campaign_is_started_paused_resumed_and_canceled(alice, agent):
    campaign = ready(alice, agent)

    told = []
    for verb in ("start", "pause", "resume", "cancel"):
        assert post(alice, campaign, verb).status_code == 302
        told.append(campaign.status)

    assert told == ["running", "paused", "running", "canceled"]
    page = alice.client.post(f"{PATH}/{campaign.pk}/start", follow=True)
    assert "Only a campaign that is ready can be started." in page.content.decode()
    assert "Alice canceled it." in page.content.decode()


def test_progress_counts_the_contacts(alice, agent):
    campaign = ready(alice, agent)
    post(alice, campaign, "start")
    Contact.unscoped.filter(line=2).update(status="completed")

    page = shown(alice, campaign)

    text = page.content.decode()
    assert "1 of 2 contacts are done" in text
    assert page.context["done"] == 1
    assert 'hx-trigger="every 2s"' in text


def test_tiles_lead_to_so_many_contacts(alice, agent):
    rows = [f"+1628555{number:04},Ada" for number in range(1, 7)]
    campaign = ready(alice, agent, list_of(*rows))
    post(alice, campaign, "start")
    statuses = ("dialing", "in-progress", "in-progress", "busy", "expired")
    for line, status in enumerate(statuses, 2):
        Contact.unscoped.filter(line=line).update(status=status)

    tiles = shown(alice, campaign).context["tiles"]

    told = {str(words): count for _icon, words, count, _which in tiles}
    assert (told["On the telephone"], told["Busy"], told["Waiting"]) == (3, 1, 1)
    for _icon, _words, count, which in tiles:
        listed = shown(alice, campaign, f"/contacts?status={which}").context["page"]
        assert len(listed.rows) == count


def test_contact_says_before_when_it_is_not_called(alice, agent):
    """Because it is night there, or because the list says so."""
    campaign = ready(alice, agent)
    contact = Contact.unscoped.get(campaign=campaign, line=2)
    Contact.unscoped.filter(pk=contact.pk).update(
        due_at=datetime(2199, 1, 2, 8, tzinfo=UTC)
    )

    listed = shown(alice, campaign, "/contacts").content.decode()
    alone = alice.client.get(contact.get_absolute_url()).content.decode()

    assert listed.count("2199-01-02") == 1
    assert listed.count("when its turn comes") == 1
    assert "Not before" in alone and "2199-01-02" in alone


def test_campaign_that_was_stopped_says_why(alice, agent):
    campaign = ready(alice, agent)
    post(alice, campaign, "start")
    campaigns.stop(campaign, "Half of them failed.")

    assert "Half of them failed." in shown(alice, campaign).content.decode()
    assert "Paused by itself" in alice.client.get(PATH).content.decode()


def test_contacts_are_narrowed_by_status_and_number(alice, agent):
    campaign = ready(alice, agent)
    Contact.unscoped.filter(line=2).update(status="busy")

    def lines(query):
        page = shown(alice, campaign, f"/contacts{query}").context["page"]
        return [row.line for row in page.rows]

    assert lines("") == [2, 4]
    assert lines("?status=busy") == [2]
    assert lines("?q=0002") == [4]
    assert shown(alice, campaign, "/contacts?q=abc").status_code == 422
    assert shown(alice, campaign, "/contacts?status=lost").status_code == 422


def test_results_are_a_file_without_formulas(alice, agent):
    campaign = ready(alice, agent, list_of("+16285550001,=1+1"))

    answer = shown(alice, campaign, "/results.csv")

    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    told = dict(zip(*rows, strict=True))
    assert (told["line"], told["number"]) == ("2", "'+16285550001")
    assert told["patient_name"] == "'=1+1"


def test_results_tell_the_last_call_and_what_was_made_of_it(alice, agent):
    properties = {"day": {"type": "string"}, "formula": {"type": "string"}}
    agent.extraction_schema = {"type": "object", "properties": properties}
    agent.save()
    campaign = ready(alice, agent)
    row = Contact.unscoped.get(line=2)
    Contact.unscoped.filter(pk=row.pk).update(status="completed", attempts_made=2)
    for attempt in (1, 2):
        call = Call.unscoped.create(
            owner=alice.workspace,
            agent=agent,
            scheduled_call=row,
            attempt=attempt,
            direction="outgoing",
            status="completed",
            end_reason="caller_hung_up",
            duration_s=93,
            cost="0.0300",
            currency="USD",
        )
        AfterCall.unscoped.create(
            owner=alice.workspace,
            call=call,
            outcome="resolved",
            summary="Thursday.",
            extracted={"day": "Thursday", "formula": "=1+1"},
        )

    answer = shown(alice, campaign, "/results.csv")

    text = b"".join(answer.streaming_content).decode()
    first, second = csv.DictReader(io.StringIO(text))
    assert first["last_call_id"] == str(call.pk)
    assert (first["attempts"], first["duration_s"]) == ("2", "93")
    assert (first["how_it_ended"], first["outcome"]) == ("caller_hung_up", "resolved")
    assert (first["extracted.day"], first["summary"]) == ("Thursday", "Thursday.")
    assert first["extracted.formula"] == "'=1+1"
    assert (second["status"], second["last_call_id"]) == ("pending", "")


def test_settings_are_changed_until_it_starts(alice, agent):
    campaign = ready(alice, agent)
    page = f"{PATH}/{campaign.pk}/change"
    data = {"name": "Other", "agent": str(agent.pk), "max_attempts": "5"}

    assert alice.client.post(page, data).status_code == 302
    assert set(Contact.unscoped.values_list("max_attempts", flat=True)) == {5}
    post(alice, campaign, "start")
    assert alice.client.post(page, {**data, "name": "Third"}).status_code == 302

    campaign.refresh_from_db()
    assert (campaign.name, campaign.max_attempts) == ("Third", 5)


def test_another_list_asks_for_its_columns(alice, agent):
    campaign = ready(alice, agent)
    data = form(agent, "Whom\n+16285550009\n")

    answer = alice.client.post(f"{PATH}/{campaign.pk}/change", data)

    assert answer["Location"] == f"{PATH}/{campaign.pk}/columns"
    assert choose(alice, campaign, to="0").contacts == 1


def test_redial_offers_what_there_is_and_makes_a_campaign(alice, agent):
    campaign = ready(alice, agent)
    post(alice, campaign, "start")
    Contact.unscoped.filter(line=2).update(status="no-answer")
    Contact.unscoped.filter(line=4).update(status="unknown")
    page = f"{PATH}/{campaign.pk}/redial"

    offered = alice.client.get(page).context["form"]
    assert [value for value, _words in offered.fields["statuses"].choices] == [
        "no-answer",
        "unknown",
    ]
    assert "unknown" not in offered.initial["statuses"]
    answer = alice.client.post(page, {"statuses": ["no-answer"]})

    again = Campaign.unscoped.get(redials=campaign)
    assert answer["Location"] == f"{PATH}/{again.pk}"
    assert (again.status, again.contacts) == ("ready", 1)
    assert shown(alice, again).status_code == 200


def test_deleted_campaign_can_be_brought_back_canceled(alice, agent):
    campaign = ready(alice, agent)

    assert post(alice, campaign, "delete")["Location"] == PATH
    assert shown(alice, campaign).status_code == 404
    alice.client.post(f"/deleted/{campaign.pk}/restore")

    assert shown(alice, campaign).status_code == 200
    campaign.refresh_from_db()
    assert campaign.status == "canceled"


def test_campaign_of_another_workspace_is_not_found(alice, mallory, agent):
    campaign = ready(alice, agent)

    for rest in ("", "/columns", "/contacts", "/refused", "/results.csv", "/redial"):
        assert shown(mallory, campaign, rest).status_code == 404
    assert post(mallory, campaign, "start").status_code == 404
    foreign = mallory.client.post(f"{PATH}/new", form(agent, list_of("+16285550001,A")))
    assert foreign.status_code == 422
    assert campaign.status == "ready"
