"""What the API of prompts and of agents share."""

from contextlib import contextmanager

from rest_framework import serializers

from agents import services
from agents.limits import MAX_VALUE_CHARACTERS, check_variables
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
