"""What the API of prompts, of agents and of calls share."""

from contextlib import contextmanager

from rest_framework import serializers

from agents import services
from agents.limits import DAYS, MAX_VALUE_CHARACTERS, check_variables
from voiceops.api import Conflict


@contextmanager
def services_as_conflicts():
    """What the services refuse is a 409 here."""
    try:
        yield
    except services.Refused as refusal:
        raise Conflict(str(refusal)) from refusal


class Variables(serializers.DictField):
    """Values for placeholders, by their names."""

    child = serializers.CharField(max_length=MAX_VALUE_CHARACTERS, allow_blank=True)

    def __init__(self, **kwargs):
        super().__init__(validators=[check_variables], **kwargs)


class WindowTime(serializers.TimeField):
    """One end of the hours in which calls may be placed."""

    def __init__(self, means: str):
        super().__init__(
            allow_null=True,
            required=False,
            help_text=f"{means}, on the clock of the callee; null: as the rules of the "
            "agent or the workspace say.",
        )


class Weekdays(serializers.MultipleChoiceField):
    """Days of the week, in its order."""

    def __init__(self, help_text: str, **options):
        super().__init__(choices=DAYS, required=False, help_text=help_text, **options)

    def to_internal_value(self, data):
        chosen = super().to_internal_value(data)
        return [day for day in DAYS if day in chosen]

    def to_representation(self, days):
        return [day for day in DAYS if day in days]


class WindowDays(Weekdays):
    """The days on which calls may be placed."""

    def __init__(self):
        super().__init__(
            "Days of the callee; none: as the rules of the agent or the workspace say."
        )
