"""What each role may do: one table, for pages, the API and docs/teams.md."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    MEMBER = "member", _("Member")
    VIEWER = "viewer", _("Viewer")


class Action(TextChoices):
    READ = "read", _("See everything in the workspace")
    WRITE = (
        "write",
        _("Make, change and delete agents, prompts, tools and numbers; make tests"),
    )
    PLACE_CALLS = (
        "place_calls",
        _("Place, schedule and end calls; keep contacts and the do-not-contact list"),
    )
    SEND_TEXTS = (
        "send_texts",
        _("Send texts, take conversations over and keep them in order"),
    )
    MANAGE_ALERTS = "manage_alerts", _("Make, change, mute and remove alerts")
    MANAGE_KEYS = "manage_keys", _("Make and revoke API keys")
    MANAGE_CARRIER_ACCOUNTS = (
        "manage_carrier_accounts",
        _("Connect, change and remove carrier accounts"),
    )
    MANAGE_WEBHOOKS = (
        "manage_webhooks",
        _("Make, change, test and remove webhooks"),
    )
    MANAGE_MEMBERS = (
        "manage_members",
        _("Invite people, change their roles, remove them"),
    )
    MANAGE_WORKSPACE = (
        "manage_workspace",
        _(
            "Change the workspace's name, time zone, language model, calling rules, "
            "budget and how long it keeps what"
        ),
    )
    ERASE = (
        "erase",
        _("Forget a number: erase what is kept of whoever has it"),
    )
    EXPORT = (
        "export",
        _("Have everything in the workspace as a file"),
    )
    DELETE_WORKSPACE = (
        "delete_workspace",
        _("Delete the workspace with everything in it"),
    )
    TRANSFER_OWNERSHIP = (
        "transfer_ownership",
        _("Make somebody else the owner"),
    )
    LEAVE = "leave", _("Leave the workspace")


_VIEWER = {Action.READ, Action.LEAVE}
_MEMBER = _VIEWER | {
    Action.WRITE,
    Action.PLACE_CALLS,
    Action.SEND_TEXTS,
    Action.MANAGE_ALERTS,
}
_ADMIN = _MEMBER | {
    Action.MANAGE_KEYS,
    Action.MANAGE_CARRIER_ACCOUNTS,
    Action.MANAGE_WEBHOOKS,
    Action.MANAGE_MEMBERS,
    Action.MANAGE_WORKSPACE,
    Action.ERASE,
}
# There is always one owner: who holds the workspace hands it over before leaving.
_OWNER = _ADMIN - {Action.LEAVE} | {
    Action.TRANSFER_OWNERSHIP,
    Action.EXPORT,
    Action.DELETE_WORKSPACE,
}

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OWNER: frozenset(_OWNER),
    Role.ADMIN: frozenset(_ADMIN),
    Role.MEMBER: frozenset(_MEMBER),
    Role.VIEWER: frozenset(_VIEWER),
}
# The owner's role is only ever handed over, never given by an invitation or a change.
ASSIGNABLE = [Role.ADMIN, Role.MEMBER, Role.VIEWER]
ASSIGNABLE_CHOICES = [(role.value, role.label) for role in ASSIGNABLE]


# As far as the role allows it: what an operator may who looks at the workspace, and
# what people of a suspended one may still do.
TO_LOOK = frozenset({Action.READ})
WHILE_SUSPENDED = frozenset({Action.READ, Action.EXPORT, Action.LEAVE})


def only(some: frozenset[Action], rights: dict[str, bool]) -> dict[str, bool]:
    """Those of the rights that are among `some`."""
    return {name: has_it and name in some for name, has_it in rights.items()}


def rights_of(role: str) -> dict[str, bool]:
    """Every action by its name and whether the role allows it; for templates too."""
    allowed = ALLOWED[Role(role)]
    return {action.value: action in allowed for action in Action}


def table() -> list[tuple[Action, list[bool]]]:
    """For each action, whether each role (in the order of `Role`) allows it."""
    return [(action, [action in ALLOWED[role] for role in Role]) for action in Action]


def as_markdown() -> str:
    """The table as it stands in docs/teams.md."""
    lines = [
        "| | " + " | ".join(str(role.label) for role in Role) + " |",
        "| --- |" + " :-: |" * len(Role),
    ]
    for action, marks in table():
        words = " | ".join("yes" if is_allowed else "–" for is_allowed in marks)
        lines.append(f"| {action.label} | {words} |")
    return "\n".join(lines)
