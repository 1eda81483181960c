"""Why a verb may say no; the caller shows it to whoever asked."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from agents.models import Agent


class Refused(Exception):
    """A rule forbids the change: `str()` says why, `field` which input it is about."""

    field: str | None = None


class NameTaken(Refused):
    field = "name"


class PromptChanged(Refused):
    """Somebody else saved `version` since the author read the text."""

    field = "text"

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__(
            _(
                "Somebody else saved version %(number)d while you were writing. Look "
                "at it in another tab; if you save again, yours becomes the newest."
            )
            % {"number": version}
        )


class AgentsWouldChange(Refused):
    """`agents` follow the prompt and would talk differently at once."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self.agents = list(agents)
        super().__init__(
            _("These agents would change too: %(names)s")
            % {"names": _names(self.agents)}
        )


class PromptInUse(Refused):
    """Agents follow the prompt or are pinned to a version; they are `agents`."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self.agents = list(agents)
        super().__init__(
            _("These agents use it: %(names)s") % {"names": _names(self.agents)}
        )


class VersionOfAnotherPrompt(Refused):
    field = "prompt_version"

    def __init__(self) -> None:
        super().__init__(_("Choose a version of this agent's prompt, or its newest."))


class InstructionsMissing(Refused):
    field = "instructions"

    def __init__(self) -> None:
        super().__init__(_("Choose a prompt or write instructions."))


class PhoneMissing(Refused):
    field = "phone"

    def __init__(self) -> None:
        super().__init__(_("An active agent needs a phone number: choose one first."))


class PhoneBusy(Refused):
    """`agent` is active on the same phone and does the same there."""

    field = "phone"

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        super().__init__(
            _(
                "“%(name)s” is active on this number. Deactivate one of the two first, "
                "or save this one on another number."
            )
            % {"name": agent.name}
        )


class ToolInUse(Refused):
    """Agents have the tool; they are `agents`."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self.agents = list(agents)
        super().__init__(
            _("These agents have it: %(names)s") % {"names": _names(self.agents)}
        )


class UnknownTool(Refused):
    field = "tools"

    def __init__(self, name: str) -> None:
        super().__init__(_("Unknown tool: %(name)s") % {"name": name[:64]})


class SecretsLeftBehind(Refused):
    """The address is on another host; the secrets `names` were for the old one."""

    field = "url"

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            _(
                "This is another host. Enter the secret headers again or remove them: "
                "%(names)s"
            )
            % {"names": ", ".join(names)}
        )


class KeyLeftBehind(Refused):
    """The address is on another host; the stored key was for the old one."""

    field = "api_key"

    def __init__(self) -> None:
        super().__init__(_("This is another host. Enter its key, or none."))


class TooManyTests(Refused):
    """The workspace tests something too often; it may again in `wait_s` seconds."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(
            _("Too many tests: try again in %(seconds)d seconds.") % {"seconds": wait_s}
        )


class Gone(Refused):
    """The row, or the one that its `field` points at, was deleted in the meantime."""

    def __init__(self, field: str | None = None) -> None:
        self.field = field
        super().__init__(_("It was changed or deleted in the meantime."))


def _names(agents: Iterable[Agent]) -> str:
    return ", ".join(agent.name for agent in agents)
