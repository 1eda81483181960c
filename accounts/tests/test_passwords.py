"""15 characters, or 8 beside a second factor; never a common one."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts.models import User
from tests.people import PASSWORD, give_second_factor, make_operator

pytestmark = pytest.mark.django_db

SHORT = "kettle 9"


def codes_of(password, user=None):
    """Why it is refused."""
    try:
        validate_password(password, user)
    except ValidationError as refused:
        return {error.code for error in refused.error_list}
    return set()


def change(tenant, password):
    tenant.client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": password, "password2": password},
    )
    tenant.user.refresh_from_db()
    return tenant.user.check_password(password)


@pytest.mark.parametrize(
    ("password", "alone", "beside"),
    [
        ("kettle9", {"password_too_short"}, {"password_too_short"}),
        (SHORT, {"password_too_short"}, set()),
        ("fourteen chars", {"password_too_short"}, set()),
        ("fifteen  letters"[:15], set(), set()),
        ("x" * 129, {"password_too_long"}, {"password_too_long"}),
        ("password1", {"password_too_short", "password_too_common"}, None),
        ("password1", None, {"password_too_common"}),
        ("alice@example.com", {"password_too_similar"}, {"password_too_similar"}),
    ],
)
def test_what_a_password_must_be(alice, mallory, password, alone, beside):
    give_second_factor(mallory)
    User.objects.filter(pk=mallory.user.pk).update(email="x@example.org", name="")
    mallory.user.refresh_from_db()
    if "alice" in password:
        mallory.user.email = "alice@example.com"

    assert alone is None or codes_of(password, alice.user) == alone
    assert beside is None or codes_of(password, mallory.user) == beside


def test_nobody_signs_up_with_a_short_one():
    assert codes_of(SHORT) == {"password_too_short"}


def test_a_short_one_is_taken_beside_a_second_factor_alone(alice, mallory):
    give_second_factor(alice)

    assert change(alice, SHORT)
    assert not change(mallory, SHORT)
    assert (alice.user.has_short_password, mallory.user.has_short_password) == (
        True,
        False,
    )


def switch_off(tenant):
    """The page that asks, and whether there is a second factor still."""
    tenant.client.post(reverse("account_reauthenticate"), {"password": SHORT})
    tenant.client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = tenant.client.post(reverse("mfa_deactivate_totp"))
    return page, Authenticator.objects.filter(user=tenant.user).exists()


def test_the_second_factor_stays_on_while_the_password_is_short(alice):
    give_second_factor(alice)
    alice.user.set_password(SHORT)
    alice.user.save()
    alice.client.force_login(alice.user)

    page, is_still_on = switch_off(alice)

    assert is_still_on
    assert "too short to stand alone" in page.content.decode()

    alice.user.set_password(PASSWORD)
    alice.user.save()
    alice.client.force_login(alice.user)
    assert switch_off(alice)[1] is False


def test_an_operator_cannot_take_it_away_either(alice):
    operator = make_operator().client
    give_second_factor(alice)
    factor = Authenticator.objects.get(user=alice.user)
    chosen = {"action": "delete_selected", "_selected_action": [factor.pk]}
    chosen |= {"post": "yes"}
    alice.user.set_password(SHORT)
    alice.user.save()
    one = reverse("admin:mfa_authenticator_delete", args=[factor.pk])
    many = reverse("admin:mfa_authenticator_changelist")

    assert operator.post(one, {"post": "yes"}).status_code == 403
    operator.post(many, chosen)
    assert Authenticator.objects.filter(pk=factor.pk).exists()

    User.objects.filter(pk=alice.user.pk).update(has_short_password=False)
    operator.post(many, chosen)
    assert not Authenticator.objects.filter(pk=factor.pk).exists()


def test_pages_say_how_long_it_has_to_be(client, alice):
    new = client.get(reverse("account_signup")).content.decode()
    other = alice.client.get(reverse("account_change_password")).content.decode()

    assert "15 characters or more; a few words are fine." in new
    assert "15 characters or more, or 8 with two-factor log-in" in other
