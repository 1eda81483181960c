"""Texts both ways: what the carrier does to them, and the page to write them on."""

import base64
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from simulator import answers
from simulator.post import STOPPED
from simulator.store import Store
from simulator.tests.application import wait_until
from simulator.tests.test_rest import refusal

THEIRS = "+12025550177"
WHATSAPP = f"whatsapp:{THEIRS}"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


def text_in(carrier, account, body="Hello", sender=THEIRS, **more):
    to = {"to": account["number"], "from": sender}
    return carrier.control("messages", body=body, **to, **more)


def send(account, app, to=THEIRS, body="Hello", **more):
    prefix = "whatsapp:" if to.startswith("whatsapp:") else ""
    return account["client"].messages.create(
        to=to,
        from_=prefix + account["number"],
        body=body,
        status_callback=app.url + "/sent",
        **more,
    )


def fault(carrier, account, **given):
    carrier.control(f"accounts/{account['sid']}/faults", 204, **given)


def statuses(app, count):
    return [form["MessageStatus"] for form in app.wait_for("/sent", count)]


# -- Coming in -------------------------------------------------------------------------


def test_picture_comes_in_and_is_fetched_with_the_accounts_credentials(
    carrier, app, account
):
    medium = {"content_type": "image/png", "data": base64.b64encode(PNG).decode()}

    message = text_in(carrier, account, "Look", media=[medium])

    (form,) = app.forms("/sms")
    assert (form["NumMedia"], form["MediaContentType0"]) == ("1", "image/png")
    path = form["MediaUrl0"].removeprefix("https://api.twilio.com")
    login = account["sid"], account["auth_token"]
    fetched = httpx.get(carrier.url + path, auth=login, trust_env=False)
    assert fetched.content == PNG
    assert fetched.headers["content-type"] == "image/png"
    assert httpx.get(carrier.url + path, trust_env=False).status_code == 401
    (listed,) = account["client"].messages(message["sid"]).media.list()
    assert path.endswith(listed.sid)


def test_whatsapp_comes_in_with_its_own_fields(carrier, app, account):
    text_in(carrier, account, sender=WHATSAPP)

    (form,) = app.forms("/sms")
    assert (form["From"], form["To"]) == (WHATSAPP, f"whatsapp:{account['number']}")
    assert form["WaId"] == THEIRS.removeprefix("+")
    assert "FromCountry" not in form
    assert app.received[0].is_signed


@pytest.mark.parametrize("medium", ["x", {"data": "x"}, {"content_type": "a/b"}])
def test_bad_media_is_refused_by_the_control_api(carrier, account, medium):
    text_in(carrier, account, media=[medium], expected=400)


# -- Going out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "code"), [("+12025553003", 30003), ("+12025553007", 30007)]
)
def test_number_with_such_an_ending_gets_no_text(carrier, app, account, to, code):
    message = send(account, app, to)

    assert statuses(app, 3) == ["queued", "sent", "undelivered"]
    assert app.forms("/sent")[2]["ErrorCode"] == str(code)
    assert account["client"].messages(message.sid).fetch().error_code == code


def test_texts_are_undelivered_on_demand(carrier, app, account):
    fault(carrier, account, undelivered=30008)
    send(account, app)
    first = statuses(app, 3)
    fault(carrier, account, undelivered=0)
    send(account, app)

    assert (first[2], statuses(app, 6)[5]) == ("undelivered", "delivered")
    assert app.forms("/sent")[2]["ErrorCode"] == "30008"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("twice", ["queued", "queued", "sent", "sent", "delivered", "delivered"]),
        ("reversed", ["delivered", "sent", "queued"]),
        ("late", ["queued", "sent", "delivered"]),
    ],
)
def test_status_callbacks_are_spoiled_on_demand(carrier, app, account, kind, expected):
    fault(carrier, account, callbacks=kind, delay_s=0.1 if kind == "late" else 0)

    message = send(account, app)
    fetch = account["client"].messages(message.sid).fetch
    wait_until(lambda: fetch().status == "delivered")

    assert statuses(app, len(expected)) == expected


def test_status_callbacks_are_lost_on_demand(carrier, app, account):
    fault(carrier, account, callbacks="lost")

    message = send(account, app)

    fetch = account["client"].messages(message.sid).fetch
    wait_until(lambda: fetch().status == "delivered")
    assert app.forms("/sent") == []


@pytest.mark.parametrize(
    ("to", "code"),
    [("+15005550004", 21610), ("+15005550009", 21614), ("+15005550001", 21211)],
)
def test_magic_numbers_are_refused(app, account, to, code):
    assert refusal(lambda: send(account, app, to)) == (400, code)


def test_stop_is_answered_by_the_carrier_and_start_undoes_it(carrier, app, account):
    text_in(carrier, account, "stop")
    refused = refusal(lambda: send(account, app))
    text_in(carrier, account, "Yes")

    assert refused == (400, 21610)
    assert send(account, app).status == "queued"
    listed = account["client"].messages.list()
    assert STOPPED not in [message.body for message in listed]


def test_whatsapp_knows_no_stop_and_a_window(carrier, app, account):
    send(account, app, WHATSAPP)
    statuses(app, 3)
    text_in(carrier, account, "STOP", sender=WHATSAPP)
    send(account, app, WHATSAPP)

    forms = app.wait_for("/sent", 6)
    ends = [(f["MessageStatus"], f.get("ErrorCode")) for f in forms[2::3]]
    assert ends == [("undelivered", "63016"), ("delivered", None)]
    assert forms[5]["ChannelPrefix"] == "whatsapp"


def test_channels_are_not_mixed(account, app):
    def mixed():
        account["client"].messages.create(
            to=WHATSAPP, from_=account["number"], body="Hello"
        )

    assert refusal(mixed) == (400, 63007)


def test_messages_are_listed_by_when_they_were_sent(carrier, app, account):
    message = send(account, app)
    wait_until(lambda: account["client"].messages(message.sid).fetch().date_sent)
    now, found = datetime.now(UTC), account["client"].messages
    hour = timedelta(hours=1)

    assert [m.sid for m in found.list(date_sent=now.date())] == [message.sid]
    assert [m.sid for m in found.list(date_sent_after=now - hour)] == [message.sid]
    assert found.list(date_sent_after=now + hour) == []
    assert found.list(date_sent_before=now - hour) == []
    assert found.list(date_sent=(now - timedelta(days=2)).date()) == []


def test_price_is_known_later(app, account, monkeypatch):
    message = send(account, app, body="a" * 161)
    statuses(app, 3)
    at_once = account["client"].messages(message.sid).fetch().price

    monkeypatch.setattr(answers, "PRICE_AFTER_S", -1)

    assert at_once is None
    assert account["client"].messages(message.sid).fetch().price == "-0.01580"


# -- The page --------------------------------------------------------------------------


@pytest.fixture
def page(carrier, account):
    """The page of texts of an invented number with the account's."""
    return open_page(carrier, account)


def open_page(carrier, account, expected=303, **form):
    database = sqlite3.connect(carrier.database)
    (token,) = database.execute(
        "SELECT console_token FROM accounts WHERE sid = ?", (account["sid"],)
    ).fetchone()
    (number,) = account["client"].incoming_phone_numbers.list()
    path = f"/simulator/accounts/{token}/numbers/{number.sid}/texts"
    answer = carrier.http.post(path, data=form)
    assert answer.status_code == expected, answer.text
    return answer.headers.get("location")


def write(carrier, page, body, **files):
    answer = carrier.http.post(page, data={"body": body}, files=files or None)
    assert (answer.status_code, answer.headers.get("location")) == (303, page)


def test_person_writes_and_reads_what_comes_back(carrier, app, account, page):
    app.answers["/sms"] = "<Response><Message>At <b>nine</b>.</Message></Response>"
    assert "Nothing yet" in carrier.http.get(page).text

    write(carrier, page, "When? <i>Please</i>")

    wait_until(lambda: "delivered" in carrier.http.get(page).text)
    shown = carrier.http.get(page).text
    assert "When? &lt;i&gt;Please&lt;/i&gt;" in shown
    assert "At nine." in shown
    account_page = carrier.http.get(page.partition("/numbers")[0]).text
    assert page in account_page


def test_person_sends_a_picture(carrier, app, account, page):
    write(carrier, page, "", picture=("cat.png", PNG, "image/png"))

    (form,) = app.forms("/sms")
    assert (form["Body"], form["MediaContentType0"]) == ("", "image/png")
    (source,) = re.findall(r'<img[^>]* src="([^"]+)"', carrier.http.get(page).text)
    picture = carrier.http.get(source)
    assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")


def test_file_that_could_run_is_only_saved(carrier, app, account, page):
    write(carrier, page, "", picture=("x.html", b"<script>", "text/html"))

    (link,) = re.findall(r'href="([^"]+/media/[^"]+)"', carrier.http.get(page).text)
    headers = carrier.http.get(link).headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment"


def test_person_writes_by_whatsapp_and_has_read_the_answer(carrier, app, account):
    page = open_page(carrier, account, **{"from": THEIRS, "channel": "whatsapp"})
    write(carrier, page, "Hello")
    send(account, app, WHATSAPP, "Good day")
    statuses(app, 3)

    carrier.http.get(page)

    assert statuses(app, 4)[-1] == "read"
    assert "Good day" in carrier.http.get(page).text


def test_person_sees_that_nobody_took_the_text(carrier, app, account, page):
    (number,) = account["client"].incoming_phone_numbers.list()
    number.update(sms_url="http://127.0.0.1:9/")
    write(carrier, page, "Hello?")
    first = carrier.http.get(page).text
    number.update(sms_url="")
    write(carrier, page, "Anybody?")

    assert "the application did not take it" in first
    assert "no message webhook" in carrier.http.get(page).text


def test_page_refuses_what_is_no_text(carrier, account, page):
    big = ("big.png", b"x" * (1024 * 1024 + 1), "image/png")
    foreign = {"sec-fetch-site": "cross-site"}
    http = carrier.http

    assert http.post(page, data={"body": "a" * 1601}).status_code == 400
    assert http.post(page, files={"picture": big}).status_code == 413
    assert http.post(page, data={"body": "x"}, headers=foreign).status_code == 403
    assert http.get(page.rpartition("/")[0] + "/guess").status_code == 404
    open_page(carrier, account, 400, **{"from": "12"})
    assert "Nothing yet" in http.get(page).text


def test_file_of_an_earlier_version_is_brought_up_to_date(tmp_path):
    path = str(tmp_path / "old.sqlite3")
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE messages DROP COLUMN callback")

    store = Store(path)

    assert store.rows("messages", {"callback": ""}) == []
