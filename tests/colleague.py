"""Somebody who comes by links of mails, forgets the password, takes a second factor."""

import re
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core import mail
from django.test import Client

from accounts import invitations
from accounts.models import Membership
from tests.people import code_shown
from tests.processes import wait_until

EMAIL = "colleague@example.com"
PASSWORD, NEXT_PASSWORD = "colleague-password-Tgk94", "colleague-password-Zwv38"


def join_by_links(person, mails, within_s):
    """Join the person's workspace; what became known on the way, by its name.

    `mails`: the directory that a worker writes its mails into.
    """
    browser = Client()
    known = {
        "secret of the invitation": _join(browser, person, mails, within_s),
        "key of the confirmation": _confirm(browser),
        "session that joins": _session_of(browser),
        **_take_a_second_factor(browser),
    }
    browser = Client()
    known |= {
        "key of the reset": _choose_another_password(browser),
        "session that resets": _session_of(browser),
    }
    _log_in(browser, known["recovery code 1"])
    return known | {
        "colleague's password": PASSWORD,
        "colleague's next password": NEXT_PASSWORD,
        "session that logs in": _session_of(browser),
    }


def _join(browser, person, mails, within_s):
    inviter = Membership.objects.get(user=person)
    invitations.invite(email=EMAIL, role=Membership.Role.MEMBER, by=inviter)
    wait_until(lambda: mails.exists() and any(mails.iterdir()), within_s, "a mail")
    (written,) = mails.iterdir()
    secret, _page = _open_link(
        browser, written.read_text(), r"(\S+/invitations/([\w-]+))"
    )
    browser.post("/account/signup/", {"email": EMAIL, "password1": PASSWORD})
    assert Membership.objects.filter(user__email=EMAIL).count() == 1
    return secret


def _confirm(browser):
    """Another address of theirs."""
    browser.post("/account/email/", {"action_add": "", "email": f"my.{EMAIL}"})
    key, path = _open_link(
        browser, mail.outbox[-1].body, r"(\S+/confirm-email/([\w:-]+)/)"
    )
    assert browser.post(path).status_code == 302
    return key


def _take_a_second_factor(browser):
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    path = "/account/2fa/totp/activate/"
    seed = browser.get(path).context["form"].secret
    with code_shown(seed) as code:
        browser.post(path, {"code": code})
    assert browser.get("/account/2fa/recovery-codes/").status_code == 200
    rows = Authenticator.objects.filter(user__email=EMAIL, type="recovery_codes")
    codes = RecoveryCodes(rows.get()).get_unused_codes()
    named = {f"recovery code {number}": code for number, code in enumerate(codes, 1)}
    return {"seed of the second factor": seed, **named}


def _choose_another_password(browser):
    browser.post("/account/password/reset/", {"email": EMAIL})
    key, path = _open_link(
        browser, mail.outbox[-1].body, r"(\S+/password/reset/key/\w+?-([\w-]+)/)"
    )
    form = {"password1": NEXT_PASSWORD, "password2": NEXT_PASSWORD}
    assert browser.post(path, form).status_code == 302
    return key


def _log_in(browser, recovery_code):
    browser.post("/account/login/", {"login": EMAIL, "password": NEXT_PASSWORD})
    browser.post("/account/2fa/authenticate/", {"code": recovery_code})
    assert browser.get("/calls").status_code == 200


def _open_link(browser, text, pattern):
    """Open the link in a mail; its secret, and the path of where it leads."""
    link, secret = re.search(pattern, text).groups()
    page = browser.get(urlsplit(link).path, follow=True)
    assert page.status_code == 200
    return secret, page.request["PATH_INFO"]


def _session_of(browser):
    return browser.cookies["sessionid"].value
