"""Two tenants, for every test that reads."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import time_machine
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.http import HttpRequest
from django.test import Client
from django.utils.timezone import now

from accounts import services
from accounts.models import Membership, User, Workspace
from tests.password import PASSWORD


@dataclass
class Tenant:
    """A person with a workspace and a browser that is logged in."""

    user: User
    workspace: Workspace
    client: Client

    def api(self, method: str, path: str, body=None, **extra):
        """Ask the API with a bearer token of this person."""
        token = services.issue_login_token(self.user)
        return Client().generic(
            method,
            path,
            data="" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
            **extra,
        )


def make_tenant(name: str, role: str = Membership.Role.OWNER) -> Tenant:
    """A signed-in person called `name` with `role` in a workspace of their own."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title())
    workspace = services.open_personal_workspace(user)
    Membership.objects.filter(user=user).update(role=role)
    client = Client()
    client.force_login(user)
    return Tenant(user, workspace, client)


def make_operator(name: str = "root", **rights: bool) -> Tenant:
    """Who runs the installation, second factor given; `rights` in place of all."""
    tenant = make_tenant(name)
    rights = {"is_staff": True} | (rights or {"is_superuser": True})
    User.objects.filter(pk=tenant.user.pk).update(**rights)
    tenant.user.refresh_from_db()
    give_second_factor(tenant)
    return tenant


def give_second_factor(tenant: Tenant) -> None:
    """Set it up and confirm it in the tenant's browser."""
    factor = TOTP.activate(tenant.user, generate_totp_secret()).instance
    request = HttpRequest()
    request.user, request.session = tenant.user, tenant.client.session
    record_authentication(request, tenant.user, "mfa", id=factor.pk, type=factor.type)
    request.session.save()


TOTP_PERIOD_S = 30  # RFC 6238, 5.2


def code_now(seed: str) -> str:
    """What an authenticator shows."""
    return format_hotp_value(hotp_value(seed, int(time.time()) // TOTP_PERIOD_S))


@contextmanager
def code_shown(seed: str) -> Iterator[str]:
    """The same, at a time that stands still until it is given."""
    with time_machine.travel(now(), tick=False):
        yield code_now(seed)


@pytest.fixture
def alice(db):
    """A tenant: `user`, `workspace`, a logged-in `client` and `api(...)`."""
    return make_tenant("alice")


@pytest.fixture
def mallory(db):
    """Another tenant, who should see nothing of alice's."""
    return make_tenant("mallory")


def join(tenant: Tenant, name: str, role: str) -> Tenant:
    """Another person called `name`, in this workspace alone, and signed in."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title())
    Membership.objects.create(workspace=tenant.workspace, user=user, role=role)
    client = Client()
    client.force_login(user)
    return Tenant(user, tenant.workspace, client)
