import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import (
    AccessToken,
    FailedTask,
    Membership,
    SwitchedOff,
    User,
    Workspace,
)
from agents.models import ModelPrice
from privacy.models import WorkspaceRemoval
from tests.people import PASSWORD, code_shown, give_second_factor, make_operator
from tests.walls import furnish
from voiceops.encryption import decrypt
from voiceops.ids import uuid7

OURS = {
    *("accounts", "agents", "hooks", "telephony", "analytics", "alerts"),
    *("importing", "privacy"),
}
PAGES = ("admin:index", "isolation", "dialling", "features", "queues", "given_up")
SECRET_FIELDS = ("auth_token", "webhook_token", "relay_token", "digest", "api_key")
SECOND_FACTOR = "SEEDOFTHESECONDFACTOR"
SESSION_KEY = "keyofthesession0123456789"


@pytest.fixture
def operator(db):
    """A browser of somebody who runs the installation."""
    return make_operator().client


def furnish_everything(tenant):
    """A row of every model that the admin shows; the secrets among their values."""
    rows = furnish(tenant)
    for row in rows:
        if row._meta.model_name == "testline":  # its mark is in the open texts too
            row.auth_token = "secretofthetestline"
            row.save()
    user = tenant.user
    Group.objects.create(name="Support")
    ModelPrice.objects.create(
        model="m",
        host="h",
        input_per_million=1,
        output_per_million=1,
        as_of=now().date(),
    )
    SwitchedOff.objects.create(feature="sign_up", reason="An attack")
    FailedTask.objects.create(
        name="t", error="E", is_repeatable=True, first_at=now(), last_at=now()
    )
    WorkspaceRemoval.objects.create(workspace_id=tenant.workspace.pk)
    EmailAddress.objects.create(user=user, email=user.email)
    Authenticator.objects.create(user=user, type="totp", data={"secret": SECOND_FACTOR})
    UserSession.objects.create(
        user=user, ip="192.0.2.1", session_key=SESSION_KEY, user_agent="A browser"
    )
    stored = {
        str(getattr(row, name))
        for row in rows
        for name in SECRET_FIELDS
        if hasattr(row, name)
    }
    return stored | {SECOND_FACTOR, SESSION_KEY, user.password}


def address_of(model, page, *args):
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def test_every_model_of_ours_is_in_the_admin():
    ours = {model for model in apps.get_models() if model._meta.app_label in OURS}

    assert ours - admin.site._registry.keys() == set()


def test_every_page_of_the_admin_opens_and_shows_no_secret(operator, alice):
    secrets = furnish_everything(alice)
    operator.get(reverse("admin:index"))  # which is written down

    for model, shown in admin.site._registry.items():
        row = model._base_manager.first()
        pages = [
            operator.get(address_of(model, "changelist")),
            operator.get(address_of(model, "change", row.pk)),
        ]
        if shown.search_fields:
            pages.append(operator.get(address_of(model, "changelist"), {"q": "x"}))
        assert {page.status_code for page in pages} == {200}, model
        for page in pages:
            text = page.content.decode()
            assert [secret for secret in secrets if secret in text] == [], model
            assert "unsafe" not in page["Content-Security-Policy"], model
            assert "no-store" in page["Cache-Control"], model


def test_admin_sees_rows_of_every_workspace(operator, alice, mallory):
    furnish(alice)
    furnish(mallory)

    page = operator.get(reverse("admin:agents_prompt_changelist"))
    owners = {row.owner for row in page.context["cl"].result_list}

    assert owners == {alice.workspace, mallory.workspace}


def test_admin_filters_by_workspace(operator, alice, mallory):
    furnish(alice)
    furnish(mallory)
    wanted = {"owner__id__exact": str(mallory.workspace.pk)}

    page = operator.get(reverse("admin:agents_voiceagent_changelist"), wanted)

    assert {row.owner for row in page.context["cl"].result_list} == {mallory.workspace}


# -- The door --------------------------------------------------------------------------


def pages_of_the_admin():
    yield from map(reverse, PAGES)
    yield reverse("workspace", args=[uuid7()])
    for model in admin.site._registry:
        yield address_of(model, "changelist")
        yield address_of(model, "change", 1)
        yield address_of(model, "delete", 1)


def assert_nothing_opens(client):
    for path in pages_of_the_admin():
        for answer in (client.get(path), client.post(path, {"action": "purge"})):
            if answer.status_code != 405:
                assert answer.status_code == 302, path
                assert answer.url == f"/admin/login/?next={path}"
            assert answer.content == b""


def test_admin_is_closed_to_people_who_are_no_operators(alice):
    give_second_factor(alice)

    assert_nothing_opens(alice.client)


def test_admin_is_closed_to_an_operator_without_a_second_factor(operator, alice):
    User.objects.filter(pk=alice.user.pk).update(is_staff=True, is_superuser=True)

    assert_nothing_opens(alice.client)
    assert operator.get("/admin/").status_code == 200


def test_operator_without_a_second_factor_is_sent_to_set_it_up(alice):
    User.objects.filter(pk=alice.user.pk).update(is_staff=True)

    sent = alice.client.get("/admin/", follow=True).redirect_chain

    set_up = f"{reverse('mfa_activate_totp')}?next=/admin/"
    assert [url for url, _ in sent][:2] == ["/admin/login/?next=/admin/", set_up]


def test_operator_gives_the_second_factor_in_each_session(operator):
    """Also one who has logged in before it was set up, or in another browser."""
    user, other = User.objects.get(), Client()
    other.force_login(user)

    assert_nothing_opens(other)
    door = other.get("/admin/login/?next=/admin/accounts/user/")
    page = other.get(door.url)
    secret = decrypt(Authenticator.objects.get().data["secret"])
    with code_shown(secret) as code:
        given = other.post(door.url, {"code": code})

    assert door.url.startswith(reverse("mfa_reauthenticate"))
    assert page.status_code == 200
    assert given.url == "/admin/accounts/user/"
    assert other.get(given.url).status_code == 200


def test_operator_who_switches_the_second_factor_off_is_out(operator):
    assert operator.get("/admin/").status_code == 200

    Authenticator.objects.all().delete()

    assert_nothing_opens(operator)


def test_admin_tells_somebody_who_is_no_operator_instead_of_going_in_circles(alice):
    answer = alice.client.get("/admin/", follow=True)

    assert answer.status_code == 403
    assert [url for url, _ in answer.redirect_chain] == ["/admin/login/?next=/admin/"]


def test_admin_sends_strangers_to_the_log_in_of_everybody(client):
    answer = client.get("/admin/login/?next=/admin/")

    assert answer.url == "/account/login/?next=/admin/"


def test_admin_has_no_log_in_form_of_its_own(client):
    form = {"username": "root@example.com", "password": PASSWORD}

    assert client.post("/admin/login/", form).url.startswith("/account/login/")


def test_knocking_at_the_admin_is_limited(client, limited):
    statuses = [client.get("/admin/login/").status_code for _ in range(21)]

    assert set(statuses[:-1]) == {302}
    assert statuses[-1] == 429


def test_the_log_of_operators_tells_once_a_session_who_came_in(operator):
    for _ in range(2):
        operator.get("/admin/", REMOTE_ADDR="192.0.2.7")

    (entry,) = LogEntry.objects.all()
    told = (str(entry.user), entry.get_change_message())
    assert told == ("root@example.com", "Came in from 192.0.2.7")


def test_admin_sends_to_everybodys_page_for_a_new_password(operator):
    answer = operator.get("/admin/password_change/")

    assert answer.url == reverse("account_change_password")


# -- Inside ----------------------------------------------------------------------------


def test_admin_makes_and_changes_people(operator):
    added = operator.post(
        reverse("admin:accounts_user_add"),
        {
            "email": "New@example.com",
            "usable_password": "true",
            "password1": "a few words are fine",
            "password2": "a few words are fine",
            "memberships-TOTAL_FORMS": "0",
            "memberships-INITIAL_FORMS": "0",
        },
    )
    person = User.objects.get(email__iexact="new@example.com")

    assert added.status_code == 302
    assert person.check_password("a few words are fine")
    assert operator.get(address_of(User, "change", person.pk)).status_code == 200


def test_admin_revokes_tokens(operator, alice):
    furnish(alice)
    key = AccessToken.unscoped.get()

    operator.post(
        reverse("admin:accounts_accesstoken_changelist"),
        {"action": "revoke", "_selected_action": [str(key.pk)]},
    )

    assert not AccessToken.unscoped.usable().exists()


def test_admin_bounds_an_agent_and_changes_nothing_else_of_it(operator, alice):
    rows = furnish(alice)
    (agent,) = [row for row in rows if row._meta.model_name == "voiceagent"]
    limits = {"max_duration_s": 60, "silence_timeout_s": 10, "max_tokens": 50}

    answer = operator.post(
        address_of(type(agent), "change", agent.pk),
        limits | {"name": "Renamed", "is_active": ""},
    )

    stored = type(agent).unscoped.filter(pk=agent.pk).values(*limits).get()
    assert answer.status_code == 302
    assert stored == limits
    assert type(agent).unscoped.get(pk=agent.pk).name == agent.name


def test_admin_never_deletes_a_workspace(operator, alice):
    furnish(alice)

    answer = operator.post(
        address_of(Workspace, "delete", alice.workspace.pk), {"post": "yes"}
    )

    assert answer.status_code == 403
    assert Membership.objects.filter(workspace=alice.workspace).exists()
