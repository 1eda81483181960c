"""Inviting people by e-mail and coming by an invitation, from the mail to the page."""

import re
import threading
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.timezone import now

from accounts import invitations, tasks
from accounts.models import Invitation, Membership, User, Workspace
from tests.people import PASSWORD, make_tenant

GRACE = "grace@example.com"
GONE = "This invitation cannot be used"


def text_of(response):
    """The words of the page, without tags and runs of white space."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(words))


def link_in(message):
    """The path of the link in a mail."""
    return re.search(r"http://\S+?(/invitations/\S+)", message.body)[1]


def role_of(user, workspace):
    found = Membership.objects.filter(user=user, workspace=workspace).first()
    return found and found.role


@pytest.fixture
def invite(queue):
    """Invite an address as somebody, by the page; the answer, the mail being sent."""

    def ask(tenant, email=GRACE, role="member"):
        with queue():
            return tenant.client.post(
                "/settings/members", {"email": email, "role": role}, follow=True
            )

    return ask


@pytest.fixture
def link(alice, invite):
    """The link of an invitation to Grace, who has no account."""
    invite(alice)
    return link_in(mail.outbox[0])


def sign_up(client, email=GRACE):
    return client.post(
        "/account/signup/", {"email": email, "password1": PASSWORD}, follow=True
    )


# -- Inviting --------------------------------------------------------------------------


def test_invite_sends_a_mail_with_a_link_and_stores_its_hash_alone(alice, invite):
    page = invite(alice, "Grace@Example.com", "viewer")

    (message,) = mail.outbox
    invitation = Invitation.unscoped.get()
    secret = link_in(message).rpartition("/")[2]
    assert message.to == [GRACE]
    assert message.subject == "You are invited to Alice's workspace on VoiceOps"
    assert "alice@example.com invites you" in message.body
    assert (invitation.email, invitation.role, invitation.invited_by) == (
        GRACE,
        "viewer",
        alice.user,
    )
    assert invitation.owner == alice.workspace
    assert invitation.digest == Invitation.digest_of(secret)
    assert secret not in repr(Invitation.unscoped.values().get())
    assert invitation.expires_at - now() > timedelta(days=6, hours=23)
    assert "grace@example.com is invited: the mail is on its way." in text_of(page)


def test_invite_lists_the_invitation_for_everybody(team, invite):
    invite(team["admin"])

    for tenant in team.values():
        assert GRACE in text_of(tenant.client.get("/settings/members"))


def test_invite_cannot_break_the_mail_with_the_name_of_a_workspace(alice, invite):
    Workspace.objects.update(name="Fine\r\nBcc: everybody@example.com <b>")

    invite(alice)

    (message,) = mail.outbox
    assert message.recipients() == [GRACE]
    assert "Fine Bcc: everybody@example.com <b>" in message.subject
    assert "\n" not in message.subject


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_invite_is_for_those_who_manage_members(team, invite, role):
    answer = invite(team[role])

    assert answer.status_code == 403
    assert (Invitation.unscoped.count(), mail.outbox) == (0, [])


@pytest.mark.parametrize("actor", ["owner", "admin"])
@pytest.mark.parametrize("role", ["owner", "boss", ""])
def test_invite_never_makes_an_owner(team, invite, actor, role):
    answer = invite(team[actor], role=role)

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"role"}
    assert (Invitation.unscoped.count(), mail.outbox) == (0, [])


def test_database_keeps_invitations_from_making_owners(alice, link):
    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.unscoped.update(role="owner")


def test_database_allows_one_open_invitation_an_address(alice, link):
    twin = Invitation.unscoped.get()
    twin.pk, twin.digest, twin._state.adding = None, "other", True

    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()


@pytest.mark.parametrize(
    ("email", "why"),
    [
        ("nonsense", "Enter a valid email address."),
        ("", "This field is required."),
        ("ALICE@example.com", "alice@example.com is a member already."),
        ("second@example.com", "second@example.com is a member already."),
    ],
)
def test_invite_tells_what_is_wrong(alice, invite, email, why):
    EmailAddress.objects.create(
        user=alice.user, email="second@example.com", verified=True
    )

    answer = invite(alice, email)

    assert answer.status_code == 422
    assert answer.context["form"].errors == {"email": [why]}
    assert mail.outbox == []


def test_invite_again_while_it_is_open_is_refused(alice, invite, link):
    answer = invite(alice, "GRACE@example.com", "admin")

    assert answer.context["form"].errors == {"email": [f"{GRACE} is invited already."]}
    assert Invitation.unscoped.get().role == "member"
    assert len(mail.outbox) == 1


def test_invite_again_after_it_expired_renews_it(alice, invite, link):
    with time_machine.travel(now() + timedelta(days=8)):
        alice.client.force_login(alice.user)
        invite(alice, role="viewer")

        renewed = Invitation.unscoped.get()
        assert (renewed.role, renewed.has_expired) == ("viewer", False)
        assert link_in(mail.outbox[1]) != link
        assert Client().get(link).status_code == 404


def test_invite_answers_alike_for_people_with_and_without_an_account(
    alice, invite, mallory
):
    known = text_of(invite(alice, mallory.user.email))
    Invitation.unscoped.all().delete()
    unknown = text_of(invite(alice, "nobody1@example.com"))

    assert known.replace("mallory@", "x@") == unknown.replace("nobody1@", "x@")


def test_invite_has_a_limit_a_day(alice, invite, monkeypatch):
    monkeypatch.setattr(invitations, "DAILY_INVITATIONS", 2)

    invite(alice, "one@example.com")
    Invitation.unscoped.update(revoked_at=now())  # does not give it back
    invite(alice, "two@example.com")
    answer = invite(alice, "three@example.com")

    assert answer.context["form"].errors == {
        "email": ["You can invite 2 people a day. Go on tomorrow."]
    }
    assert len(mail.outbox) == 2


# -- Sending ---------------------------------------------------------------------------


def test_send_invitation_delivered_twice_mails_once(alice, link):
    tasks.send_invitation(str(Invitation.unscoped.get().pk))

    assert len(mail.outbox) == 1
    assert Client().get(link).status_code == 200


def test_send_invitation_that_failed_is_sent_later(alice, invite, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(invitations.EmailMessage, "send", _refuse)
        alice.client.post("/settings/members", {"email": GRACE, "role": "member"})
        with pytest.raises(OSError, match="no mail server"):
            tasks.send_invitation(Invitation.unscoped.get().pk)
    waiting = text_of(alice.client.get("/settings/members"))

    sent = [invitations.send_unsent(now() + timedelta(minutes=m)) for m in (4, 6, 7)]

    assert "Not sent yet" in waiting
    assert sent == [0, 1, 0]
    assert Client().get(link_in(mail.outbox[0])).status_code == 200


def _refuse(message):
    raise OSError("no mail server")


def test_send_unsent_gives_up_after_an_hour(alice):
    alice.client.post("/settings/members", {"email": GRACE, "role": "member"})

    with time_machine.travel(now() + timedelta(minutes=61)):
        assert invitations.send_unsent(now()) == 0

    assert mail.outbox == []


def test_send_unsent_leaves_revoked_ones_alone(alice):
    alice.client.post("/settings/members", {"email": GRACE, "role": "member"})
    Invitation.unscoped.get().revoke()

    with time_machine.travel(now() + timedelta(minutes=6)):
        tasks.send_unsent_invitations()

    assert mail.outbox == []


# -- Sending again, revoking -----------------------------------------------------------


def test_invitation_resend_sends_another_link_and_ends_the_first(alice, link, queue):
    invitation = Invitation.unscoped.get()
    with time_machine.travel(now() + timedelta(days=3)):
        alice.client.force_login(alice.user)
        with queue():
            alice.client.post(f"/settings/invitations/{invitation.pk}/resend")

        second = link_in(mail.outbox[1])
        assert Client().get(link).status_code == 404
        assert Client().get(second).status_code == 200
        invitation.refresh_from_db()
        assert invitation.expires_at - now() > timedelta(days=6, hours=23)


def test_invitation_resend_waits_a_moment(alice, link, queue):
    invitation = Invitation.unscoped.get()

    with queue():
        page = alice.client.post(
            f"/settings/invitations/{invitation.pk}/resend", follow=True
        )

    assert "It was sent a moment ago." in text_of(page)
    assert len(mail.outbox) == 1
    assert Client().get(link).status_code == 200


def test_invitation_revoke_ends_the_link(alice, link):
    invitation = Invitation.unscoped.get()

    page = alice.client.post(
        f"/settings/invitations/{invitation.pk}/revoke", follow=True
    )

    assert "The invitation of grace@example.com is revoked." in text_of(page)
    assert list(page.context["invitations"]) == []
    assert GONE in text_of(Client().get(link))
    again = alice.client.post(f"/settings/invitations/{invitation.pk}/revoke")
    assert again.status_code == 404


@pytest.mark.parametrize("verb", ["resend", "revoke"])
@pytest.mark.parametrize(
    ("actor", "status"), [("member", 403), ("viewer", 403), ("stranger", 404)]
)
def test_invitations_are_managed_by_those_who_may(
    team, invite, mallory, verb, actor, status
):
    invite(team["owner"])
    invitation = Invitation.unscoped.get()
    asker = {**team, "stranger": mallory}[actor]

    answer = asker.client.post(f"/settings/invitations/{invitation.pk}/{verb}")

    assert answer.status_code == status
    unchanged = Invitation.unscoped.get()
    assert (unchanged.digest, unchanged.revoked_at) == (invitation.digest, None)
    assert len(mail.outbox) == 1


# -- Coming with an account ------------------------------------------------------------


@pytest.fixture
def grace(db):
    return make_tenant("grace")


def test_invitation_is_joined_by_who_is_signed_in_with_the_address(alice, link, grace):
    page = grace.client.get(link)
    joined = grace.client.post(link, follow=True)

    assert "Alice invites you to the workspace “Alice's workspace”" in text_of(page)
    assert "Welcome to “Alice's workspace”." in text_of(joined)
    assert joined.context["workspace"] == alice.workspace
    assert role_of(grace.user, alice.workspace) == "member"
    used = Invitation.unscoped.get()
    assert (used.accepted_by, used.accepted_at is None) == (grace.user, False)


def test_invitation_is_not_joined_by_looking_at_it(alice, link, grace):
    grace.client.get(link)

    assert role_of(grace.user, alice.workspace) is None


def test_invitation_can_come_to_another_verified_address(alice, link, mallory):
    address = EmailAddress.objects.create(
        user=mallory.user, email="Grace@example.com", verified=False
    )
    before = mallory.client.post(link).status_code
    address.verified = True
    address.save()

    mallory.client.post(link)

    assert before == 403
    assert role_of(mallory.user, alice.workspace) == "member"


def test_invitation_for_another_address_says_so(alice, link, mallory):
    page, posted = mallory.client.get(link), mallory.client.post(link)

    assert (page.status_code, posted.status_code) == (403, 403)
    assert "It was sent to grace@example.com, and you are logged in as mallory@" in (
        text_of(page)
    )
    assert role_of(mallory.user, alice.workspace) is None
    assert Invitation.unscoped.get().accepted_at is None


def test_invitation_posted_twice_joins_once(alice, link, grace):
    first, second = grace.client.post(link), grace.client.post(link)

    assert (first.url, second.url) == ("/", "/")
    assert Membership.objects.filter(user=grace.user).count() == 2


def test_invitation_that_was_used_opens_nothing_for_others(alice, link, grace, mallory):
    grace.client.post(link)

    for client in (Client(), mallory.client):
        assert GONE in text_of(client.get(link))


def test_invitation_does_not_let_back_in_who_was_removed(alice, link, grace):
    grace.client.post(link)
    Membership.objects.filter(user=grace.user, workspace=alice.workspace).delete()

    answer = grace.client.post(link)

    assert answer.status_code == 404
    assert role_of(grace.user, alice.workspace) is None


def test_invitation_of_a_member_changes_no_role(alice, link, grace):
    Membership.objects.create(workspace=alice.workspace, user=grace.user, role="admin")

    grace.client.post(link)

    assert role_of(grace.user, alice.workspace) == "admin"


def test_invitation_ends_by_itself(alice, link, grace):
    with time_machine.travel(now() + timedelta(days=7, seconds=1)):
        grace.client.force_login(grace.user)
        answer = grace.client.post(link)

    assert answer.status_code == 404
    assert role_of(grace.user, alice.workspace) is None


def test_invitations_that_cannot_be_used_are_answered_alike(alice, link, grace):
    unknown = Client().get("/invitations/never-was-one")
    Invitation.unscoped.update(revoked_at=now())
    revoked = Client().get(link)

    assert (unknown.status_code, revoked.status_code) == (404, 404)
    assert text_of(unknown) == text_of(revoked)


def test_invitation_page_is_not_kept_by_anybody(link):
    assert "no-store" in Client().get(link)["Cache-Control"]


def test_invitation_shows_strangers_nothing_about_accounts(alice, link, client):
    without = text_of(client.get(link))
    make_tenant("grace")

    assert text_of(client.get(link)) == without


def test_invitation_leads_through_the_log_in(alice, link, grace, client):
    html = client.get(link).content.decode()
    log_in = re.search(r'href="(/account/login/\?next=[^"]+)"', html)[1]

    page = client.post(
        unescape(log_in), {"login": GRACE, "password": PASSWORD}, follow=True
    )

    assert page.redirect_chain[-1] == (link, 302)
    assert "Join the workspace" in text_of(page)


def test_invitation_for_another_address_leads_through_the_log_out(link, mallory):
    answer = mallory.client.post("/account/logout/", {"next": link})

    assert (answer.status_code, answer.url) == (302, link)


# -- Coming without an account ---------------------------------------------------------


@pytest.fixture(params=["optional", "mandatory"])
def verification(request, settings):
    """Whether addresses must be verified before first use."""
    settings.REQUIRE_EMAIL_VERIFICATION = request.param == "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION = request.param
    return request.param


def test_sign_up_by_an_invitation_joins_at_once(verification, alice, link, client):
    html = client.get(link).content.decode()
    address = unescape(re.search(r'href="(/account/signup/[^"]+)"', html)[1])
    form = client.get(address)

    page = sign_up(client)

    grace = User.objects.get(email=GRACE)
    assert 'value="grace@example.com"' in form.content.decode()
    assert page.context["workspace"] == alice.workspace
    assert [(m.workspace, m.role) for m in grace.memberships.all()] == [
        (alice.workspace, "member")
    ]
    assert EmailAddress.objects.get(user=grace).verified
    assert len(mail.outbox) == 1  # the invitation: nothing is left to verify


def test_sign_up_with_another_address_joins_nothing(verification, link, client, alice):
    client.get(link)

    sign_up(client, "other@example.com")

    other = User.objects.get(email="other@example.com")
    assert role_of(other, alice.workspace) is None
    assert list(
        EmailAddress.objects.filter(user=other).values_list("email", "verified")
    ) == [("other@example.com", False)]
    assert Invitation.unscoped.get().accepted_at is None


def test_sign_up_without_having_opened_the_link_joins_nothing(
    verification, link, client, alice
):
    sign_up(client)

    grace = User.objects.get(email=GRACE)
    assert role_of(grace, alice.workspace) is None
    assert not EmailAddress.objects.get(user=grace).verified


def test_sign_up_after_the_invitation_was_revoked_joins_nothing(
    verification, link, client, alice
):
    client.get(link)
    Invitation.unscoped.update(revoked_at=now())

    sign_up(client)

    grace = User.objects.get(email=GRACE)
    assert role_of(grace, alice.workspace) is None
    assert grace.memberships.get().role == "owner"
    assert not EmailAddress.objects.get(user=grace).verified


# -- Races -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(5))
def test_race_for_one_link_lets_one_person_in(_round):
    alice, one, other = (make_tenant(name) for name in ("alice", "one", "other"))
    invitation = Invitation.unscoped.create(
        owner=alice.workspace,
        email=GRACE,
        role="member",
        digest="of the secret",
        expires_at=now() + timedelta(days=1),
    )
    # The address of one, and still the unverified log-in name of the other.
    User.objects.filter(pk=one.user.pk).update(email=GRACE)
    EmailAddress.objects.create(user=other.user, email=GRACE, verified=True)
    barrier, outcomes = threading.Barrier(2), []

    def come(user):
        try:
            barrier.wait(timeout=10)
            outcomes.append(invitations.accept(invitation, user).user_id)
        except invitations.Refused:
            outcomes.append("refused")
        finally:
            connection.close()

    people = [User.objects.get(pk=tenant.user.pk) for tenant in (one, other)]
    threads = [threading.Thread(target=come, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    came = Membership.objects.filter(workspace=alice.workspace).exclude(role="owner")
    assert len(outcomes) == 2
    assert outcomes.count("refused") == 1
    assert [member.user_id for member in came] == [
        outcome for outcome in outcomes if outcome != "refused"
    ]


@pytest.mark.django_db(transaction=True)
def test_race_of_revoking_and_joining_has_one_winner():
    alice, grace = make_tenant("alice"), make_tenant("grace")
    owning = Membership.objects.get(user=alice.user)
    invitation = Invitation.unscoped.create(
        owner=alice.workspace,
        email=GRACE,
        role="member",
        digest="of the secret",
        expires_at=now() + timedelta(days=1),
    )
    barrier, refused = threading.Barrier(2), []

    def run(verb):
        try:
            barrier.wait(timeout=10)
            verb()
        except invitations.Refused:
            refused.append(verb)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(verb,))
        for verb in (
            lambda: invitations.accept(invitation, grace.user),
            lambda: invitations.revoke(invitation, by=owning),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    ended = Invitation.unscoped.get()
    assert len(refused) == 1
    assert (ended.accepted_at is None) == (ended.revoked_at is not None)
    has_come = role_of(grace.user, alice.workspace) == "member"
    assert has_come == (ended.accepted_at is not None)
