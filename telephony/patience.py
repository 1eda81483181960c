"""How long we wait for others, all of it scaled by one setting.

The order of the waits is part of the rules: a lease outlasts a decision, and nobody is
thought dead before the carrier's time to answer is over. So a test that cannot wait
makes all of them shorter at once.
"""

from datetime import timedelta

from django.conf import settings


def patient_s(seconds: float) -> float:
    return seconds * settings.PATIENCE


def patient(seconds: float) -> timedelta:
    return timedelta(seconds=patient_s(seconds))
