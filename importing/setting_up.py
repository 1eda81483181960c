"""People, prompts, numbers and agents of an earlier system."""

from itertools import chain, count
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db.models import Model

from accounts.models import Membership, User, Workspace
from agents.models import Agent, MessageAgent, Prompt, PromptVersion, VoiceAgent
from importing import values
from importing.making import (
    Made,
    Run,
    born_at,
    checked,
    deleted_at,
    id_at,
    refuse_strangers,
    set_if_can_be,
)
from importing.mapping import Document
from importing.models import Origin
from importing.values import Refused, source_id
from telephony.models import CarrierAccount, Phone

ACCOUNTS = "carrier_accounts"  # no collection there: what numbers say of them
# What is read by its own rule, or is none of a person's settings.
NOT_SETTINGS = {
    *("id", "user_id", "name", "phone_id", "prompt_id", "is_active", "instructions"),
    *("is_deleted", "deleted_at", "created_at", "updated_at", "transfer_number"),
}


def make_user(document: Document, run: Run) -> Made:
    """A person, without a password: whoever they are, they get a link to set one."""
    email = document.need("email", values.line).lower()
    user = User.objects.filter(email=email).first()
    is_double = user is not None and run.ledger.has_made("users", user)
    if is_double or not run.take("email", email):
        raise Refused("another document has the same e-mail address")
    workspace = run.workspaces.of(document.id)
    is_deleted = document.is_deleted
    if user is not None:
        notes = ["a person with this e-mail address was here, and is as before"]
        joins = [] if is_deleted else _membership(document, run, user, workspace)
        return Made(user, workspace, after=joins, notes=notes, is_new=False)
    notes: list[str] = []
    given = {
        "email": email,
        "name": _within(User, "name", document.get("name", values.line, ""), notes),
        "is_active": not is_deleted,
        "date_joined": born_at(document, run),
    }
    set_if_can_be(given, User, "timezone", document, notes)
    user = checked(User, **given)
    user.password = make_password(None)
    joins = [] if is_deleted else _membership(document, run, user, workspace)
    return Made(user, workspace, after=joins, notes=notes)


def _membership(
    document: Document, run: Run, user: User, workspace: Workspace
) -> list[Membership]:
    """The first person of a workspace owns it."""
    members = Membership.objects.filter(workspace=workspace)
    if members.filter(user=user).exists():
        return []
    Role = Membership.Role
    role = document.word("role", Role.values, Role.MEMBER)
    if not members.exists() and run.take("owner", workspace.pk):
        role = Role.OWNER
    elif role == Role.OWNER:
        role = Role.ADMIN
    return [Membership(workspace=workspace, user=user, role=role)]


def make_prompt(document: Document, run: Run) -> Made:
    owner, notes = run.owner_of(document), []
    text = document.need("text", values.text)
    at = born_at(document, run)
    gone_at = deleted_at(document, run)
    prompt = checked(
        Prompt,
        id=id_at(at),
        owner=owner,
        name=_name(Prompt, owner, document, run, notes),
        text=text,
        created_at=at,
        deleted_at=gone_at,
    )
    version = PromptVersion(
        owner=owner, prompt=prompt, number=1, text=text, note="Imported", created_at=at
    )
    return Made(prompt, owner, after=[version], notes=notes)


def make_phone(document: Document, run: Run) -> Made:
    """A number. The carrier is asked nothing: a person has it pointed here, later."""
    owner, notes = run.owner_of(document), []
    number = document.number("number")
    at = born_at(document, run)
    gone_at = deleted_at(document, run)
    if gone_at is None:
        here = Phone.unscoped.filter(number=number, deleted_at=None).first()
        if not _is_free(here, owner, run) or not run.take("number", number):
            raise Refused("the number is registered already, here or there")
        if here is not None:
            notes = ["the number was registered here, and is as before"]
            return Made(here, owner, notes=notes, is_new=False)
    account, new = _carrier_account(document, owner, run)
    carrier_sid = document.get("carrier_sid", values.line, "")
    if not (carrier_sid or gone_at):
        notes.append("it has no SID of the carrier: it is looked up when pointed here")
    phone = checked(
        Phone,
        id=id_at(at),
        owner=owner,
        carrier_account=account,
        number=number,
        carrier_sid=carrier_sid,
        label=_within(Phone, "label", document.get("label", values.line, ""), notes),
        created_at=at,
        deleted_at=gone_at,
    )
    return Made(phone, owner, before=new, notes=notes)


def _is_free(here: Phone | None, owner: Workspace, run: Run) -> bool:
    """Whether a document may become that registration: the workspace's own, and none
    of another document.
    """
    if here is None:
        return True
    return here.owner_id == owner.pk and not run.ledger.has_made("phones", here)


def _carrier_account(
    document: Document, owner: Workspace, run: Run
) -> tuple[CarrierAccount, list[Model]]:
    """That of the number, and it again in a list if it is not here yet."""
    usual = run.names.defaults.account_sid
    sid = document.get("account_sid", values.line, usual)
    there = CarrierAccount.objects.for_owner(owner)
    if not sid:
        # One that an import made is not meant: it came by chance before this number.
        imported = Origin.unscoped.filter(collection=ACCOUNTS).values("object_id")
        by_hand = list(there.exclude(pk__in=imported)[:2])
        if len(by_hand) != 1:
            raise Refused("it names no carrier account, and its workspace has not one")
        return by_hand[0], []
    key = ("carrier account", owner.pk, sid)
    known = run.shared.get(key) or there.filter(account_sid=sid).first()
    if known is not None:
        return known, []
    token = document.get("auth_token", values.line, "")
    token = token or (run.auth_token if sid == usual else "")
    if not token:
        raise Refused("its carrier account is not here, and there is no auth token")
    account = checked(
        CarrierAccount,
        owner=owner,
        account_sid=sid,
        auth_token=token,
        label=f"Imported …{sid[-4:]}",
    )
    run.shared[key] = account
    origin = run.ledger.origin(ACCOUNTS, str(account.pk), account, owner)
    return account, [account, origin]


def make_agent(document: Document, run: Run) -> Made:
    return _agent(VoiceAgent, document, run)


def make_message_agent(document: Document, run: Run) -> Made:
    return _agent(MessageAgent, document, run)


def _agent(kind: type[Agent], document: Document, run: Run) -> Made:
    """An agent. A setting that cannot be is left at its default, with a note: calls
    are this agent's, whatever its temperature was.
    """
    owner, notes = run.owner_of(document), []
    phone = _related("phones", "phone_id", document, run)
    prompt = _related("prompts", "prompt_id", document, run)
    refuse_strangers(owner, phone_id=phone, prompt_id=prompt)
    at, gone_at = born_at(document, run), deleted_at(document, run)
    given: dict[str, Any] = {
        "id": id_at(at),
        "owner": owner,
        "name": _name(kind, owner, document, run, notes),
        "phone": phone,
        "prompt": prompt,
        "instructions": document.get("instructions", values.text, ""),
        "created_at": at,
        "deleted_at": gone_at,
    }
    for name in document.fields - NOT_SETTINGS:
        set_if_can_be(given, kind, name, document, notes)
    if "transfer_number" in document.fields:
        _set_number(given, document, run, notes)
    agent = checked(kind, **given)
    wants = document.get("is_active", values.boolean, False)
    agent.is_active = wants and not gone_at and _may_be_active(agent, run, notes)
    return Made(agent, owner, notes=notes)


def _related(collection: str, field: str, document: Document, run: Run):
    told = document.get(field, source_id)
    return told and run.ledger.need(collection, told, field)


def _set_number(given: dict, document: Document, run: Run, notes: list[str]) -> None:
    try:
        if document.get("transfer_number", values.line):
            given["transfer_number"] = document.number("transfer_number")
    except Refused as refused:
        notes.append(f"{refused}: nobody is handed over")


def _may_be_active(agent: Agent, run: Run, notes: list[str]) -> bool:
    if agent.phone is None or agent.phone.deleted_at:
        notes.append("it comes in inactive: it has no number")
        return False
    if not agent.has_text:
        notes.append("it comes in inactive: it has nothing to follow")
        return False
    jobs = {"texts"}
    if isinstance(agent, VoiceAgent):
        both = agent.direction == VoiceAgent.Direction.BOTH
        jobs = {"incoming", "outgoing"} if both else {agent.direction}
    places = {("active", agent.phone.pk, job) for job in jobs}
    if places & run.taken or agent.rivals().exists():
        notes.append("it comes in inactive: another one is active on its number")
        return False
    run.taken |= places
    return True


def _name(
    kind, owner: Workspace, document: Document, run: Run, notes: list[str]
) -> str:
    """Its name, with a number behind it if another has that; deleted keep theirs."""
    told = document.get("name", values.line, "")
    if not told:
        told = f"Imported {document.id[-6:]}"
        notes.append("it had no name")
    told = _within(kind, "name", told, notes)
    if document.is_deleted:
        return told
    rows = kind.objects.for_owner(owner)
    numbered = (f"{told[:90]} ({number})" for number in count(2))
    for name in chain([told], numbered):
        is_free = not rows.filter(name=name).exists()
        if is_free and run.take("name", kind, owner.pk, name):
            break
    if name != told:
        notes.append("another one has its name: it has a number behind it")
    return name


def _within(kind, name: str, told: str, notes: list[str]) -> str:
    longest = kind._meta.get_field(name).max_length
    if len(told) > longest:
        notes.append(f"{name} was cut after {longest} characters")
    return told[:longest]
