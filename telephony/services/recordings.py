"""The recordings of calls: what the carrier is asked for, and what it tells."""

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from telephony.addresses import webhook_url
from telephony.dialling.numbers import is_erased
from telephony.models import Call, Recording
from telephony.services import removals
from telephony.transcripts import other_party

FINAL = (
    Recording.Status.COMPLETED,
    Recording.Status.ABSENT,
    Recording.Status.FAILED,
    Recording.Status.REMOVED,
)


def recording_url(call: Call) -> str:
    """Where the carrier tells of the call's recording; "" if it is not to be recorded.

    Test calls are not: there is no carrier that would keep the sound.
    """
    wanted = call.agent is not None and call.agent.recording_enabled
    if not wanted or call.carrier_account is None:
        return ""
    return webhook_url("recording", call.pk)


def record_recording(
    call: Call,
    *,
    sid: str,
    status: str,
    duration_s: int | None = None,
    channels: int | None = None,
) -> None:
    """Note what the carrier tells. Repeating is safe; a final state stays."""
    facts = {"status": status, "duration_s": duration_s, "channels": channels}
    with transaction.atomic():
        found, made = Recording.unscoped.get_or_create(
            call=call, sid=sid, defaults={"owner_id": call.owner_id, **facts}
        )
        if made and is_erased(other_party(call)):  # forgotten before it was told of
            removals.recordings_of([call.pk])
    if made or found.status in FINAL:
        return
    for name, value in facts.items():
        setattr(found, name, value)
    found.save(update_fields=[*facts])


def was_removed(call: Call) -> bool:
    """Whether the call had a recording that is kept no longer."""
    removed = Recording.unscoped.filter(call=call, status=Recording.Status.REMOVED)
    return removed.exists()


def to_hear(call: Call) -> Recording | None:
    """The call's finished recording, if there is one."""
    finished = Recording.unscoped.finished().filter(call=call)
    return finished.order_by("id").first()


def with_sounds(calls: QuerySet[Call]) -> QuerySet[Call]:
    """The same calls, each with its finished recordings as `sounds`, read at once."""
    finished = Recording.unscoped.finished()
    return calls.prefetch_related(
        Prefetch("recordings", queryset=finished, to_attr="sounds")
    )
