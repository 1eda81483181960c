"""The work of forgetting a number: step after step, in pieces, from where it stopped.

Every piece is a transaction with the place where the next one begins. What was erased
is not found again, so a kill at any moment loses and repeats nothing. The last steps
read all rows of the workspace, for numbers that stand where nobody expects them.
"""

import json
import secrets
import string
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, models, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Cast, Replace
from django.utils.timezone import now as present
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEntry, KeptAnswer
from accounts.tenancy import OwnedModel
from hooks.models import Delivery
from privacy import exports
from privacy.masking import SEPARATORS, Number
from privacy.models import Erasure
from telephony.dialling.numbers import ERASED
from telephony.models import (
    Call,
    CallEvent,
    CampaignFile,
    CarrierRemoval,
    Contact,
    Conversation,
    ConversationFact,
    ConversationLabel,
    DoNotContact,
    Message,
    Note,
    RecurringCall,
    RefusedRow,
    Rehearsal,
    ScheduledCall,
    TestScript,
)
from telephony.models.texts import WHATSAPP
from telephony.services import after_call, removals, wordless
from telephony.services import scheduled as scheduling
from voiceops.encryption import EncryptedTextField

CHUNK = 100  # rows a transaction
SWEPT = 1_000  # rows that are read at once
LETTERS = 13
QUIET = timedelta(seconds=after_call.QUIET_S)
REMOVED_WORDS = _("The number was forgotten.")


@dataclass
class Work:
    """What a step is given: whose number, and where the last piece ended."""

    erasure: Erasure
    number: Number

    @classmethod
    def of(cls, erasure: Erasure) -> "Work":
        return cls(erasure, Number(erasure.sealed_number))

    @property
    def owner_id(self) -> UUID:
        return self.erasure.owner_id

    @property
    def batch(self) -> UUID:
        return self.erasure.pk

    def count(self, kind: str, many: int) -> None:
        if many:
            counts = self.erasure.counts
            self.erasure.counts = counts | {kind: counts.get(kind, 0) + many}

    def rows(self, model: type[OwnedModel]) -> QuerySet:
        return model.unscoped.filter(owner=self.owner_id)


# A step does one piece and says where the next one begins; DONE: there is none.
DONE = object()
Step = Callable[[Work], Any]


def _unlike_others() -> str:
    """The sentinel, where rows must differ: letters, so that no digits are found."""
    letters = (secrets.choice(string.ascii_lowercase) for _ in range(LETTERS))
    return f"{ERASED}-{''.join(letters)}"[:20]


# -- What is to come -------------------------------------------------------------------


def _schedules(work: Work) -> Any:
    found = work.rows(ScheduledCall).filter(to_number=work.number.e164)
    rows = list(found.order_by("pk")[:CHUNK])
    for row in rows:
        row.move(
            ScheduledCall.Status.CANCELED,
            among=(ScheduledCall.Status.PENDING,),
            detail=str(REMOVED_WORDS),
            next_attempt_at=None,
        )
        scheduling.end_opened(row, Call.EndReason.CANCELED, str(REMOVED_WORDS))
    found.filter(pk__in=[row.pk for row in rows]).update(
        to_number=ERASED,
        variables={},
        decision=None,
        recurring_call=None,
        occurs_at=None,
        max_attempts=1,
    )
    work.count("scheduled_calls", len(rows))
    return None if len(rows) == CHUNK else DONE


def _recurring(work: Work) -> Any:
    found = work.rows(RecurringCall).filter(to_number=work.number.e164)
    rows = list(found[:CHUNK])
    calls = ScheduledCall.unscoped.filter(recurring_call__in=rows)
    calls.update(recurring_call=None, occurs_at=None)
    found.filter(pk__in=[row.pk for row in rows]).delete()
    work.count("recurring_calls", len(rows))
    return None if len(rows) == CHUNK else DONE


# -- What was --------------------------------------------------------------------------


def _is_over() -> Q:
    """Of calls: nothing is written of it any more. The last words come a bit later."""
    has_ended = Q(ended_at__isnull=False)
    is_quiet = Q(answered_at=None) | Q(ended_at__lte=present() - QUIET)
    return has_ended & is_quiet | Q(placement=Call.Placement.UNKNOWN)


def _calls(work: Work) -> Any:
    calls = work.rows(Call).of_other_party(work.number.e164).filter(_is_over())
    ids = list(calls.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    these = work.rows(Call).filter(pk__in=ids)
    work.count("transcripts", wordless.calls(ids))
    work.count("recordings", removals.recordings_of(ids, batch=work.batch))
    CallEvent.unscoped.filter(call__in=ids).update(detail="")
    work.count("deliveries", _deleted(Delivery.unscoped.filter(call__in=ids)))
    _empty_tests(ids)
    told = {"variables": {}, "decision": None, "end_detail": "", "transfer_to": ""}
    for way, field in ((Call.Direction.INCOMING, "from_number"), (OUT, "to_number")):
        these.filter(direction=way).update(**told, **{field: ERASED})
    work.count("calls", len(ids))
    return None if len(ids) == CHUNK else DONE


OUT = Call.Direction.OUTGOING


def _empty_tests(calls: list[UUID]) -> None:
    """Tests that were made of these calls repeat what was said in them."""
    scripts = TestScript.unscoped.filter(made_from__in=calls)
    ids = list(scripts.values_list("pk", flat=True))
    Rehearsal.unscoped.filter(script__in=ids).update(played={}, results=[], error="")
    scripts.update(turns=[], expectations=[], tool_answers={})


def _texts(work: Work) -> Any:
    conversation = _conversations(work).order_by("pk").first()
    if conversation is None:
        return DONE
    is_nobodys = Q(from_number=ERASED) | Q(to_number=ERASED)
    texts = Message.unscoped.filter(conversation=conversation).exclude(
        is_nobodys, words_removed_at__isnull=False
    )
    messages = list(texts.order_by("pk")[:CHUNK])
    for message in messages:
        message.cancel() or message.block()
    ids = [message.pk for message in messages]
    removals.texts(messages, batch=work.batch)
    wordless.texts(ids)
    work.count("deliveries", _deleted(Delivery.unscoped.filter(text__in=ids)))
    for way, field in (("incoming", "from_number"), ("outgoing", "to_number")):
        these = Message.unscoped.filter(pk__in=ids, direction=way)
        these.update(error_detail="", **{field: ERASED})
    work.count("texts", len(ids))
    if len(messages) < CHUNK:
        _close(conversation)
    return None


def _conversations(work: Work) -> QuerySet:
    addresses = [work.number.e164, WHATSAPP + work.number.e164]
    return work.rows(Conversation).filter(address__in=addresses)


def _close(conversation: Conversation) -> None:
    """Nothing is left in it; whoever texts again begins another one."""
    for model in (Note, ConversationFact, ConversationLabel):
        model.unscoped.filter(conversation=conversation).delete()
    Conversation.unscoped.filter(pk=conversation.pk).update(
        address=_unlike_others(),
        status=Conversation.Status.CLOSED,
        mode=Conversation.Mode.HUMAN,
        need="",
        assigned_to=None,
        unread_count=0,
        snoozed_until=None,
        next_try_at=None,
        claimed_until=None,
    )


# -- What was noted --------------------------------------------------------------------


def _contact(work: Work) -> Any:
    found = work.rows(Contact).filter(number=work.number.e164)
    for contact in found.filter(deleted_at=None):
        if contact.refuses_calls or contact.refuses_texts:
            _keep_refusal(work)
    work.count("contacts", _deleted(found))
    return DONE


def _keep_refusal(work: Work) -> None:
    DoNotContact.unscoped.get_or_create(
        owner_id=work.owner_id,
        digest=work.erasure.digest,
        deleted_at=None,
        defaults={"number": _unlike_others()},
    )
    work.erasure.keeps_refusal = True


def _do_not_contact(work: Work) -> Any:
    """A refusal outlives the number: it is known by its hash from now on."""
    found = work.rows(DoNotContact).filter(number=work.number.e164)
    if found.filter(deleted_at=None).exists():
        _keep_refusal(work)
        kept = DoNotContact.unscoped.filter(
            owner=work.owner_id, digest=work.erasure.digest, deleted_at=None
        )
        kept.update(source=found.filter(deleted_at=None).get().source)
    _deleted(found)
    return DONE


def _lists(work: Work) -> Any:
    """Lists of campaigns that are not called yet: the whole line goes."""
    for file in work.rows(CampaignFile).iterator(chunk_size=1):
        lines = file.text.splitlines(keepends=True)
        found = [n for n, line in enumerate(lines) if work.number.is_in(line)]
        for n in found:
            lines[n] = "".join(c for c in lines[n] if c in ",;\t\r\n")
        if found:
            CampaignFile.unscoped.filter(pk=file.pk).update(text="".join(lines))
            work.count("list_lines", len(found))
    refused = work.rows(RefusedRow)
    ids = [row.pk for row in refused.iterator() if work.number.is_in(row.text)]
    refused.filter(pk__in=ids).update(text="")
    work.count("list_lines", len(ids))
    return DONE


def _answers(work: Work) -> Any:
    """Answers that are kept for repeated requests, for a day."""
    answers = [row for row in work.rows(KeptAnswer) if work.number.is_in(row.body)]
    ids = [row.pk for row in answers]
    work.count("kept_answers", _deleted(work.rows(KeptAnswer).filter(pk__in=ids)))
    return DONE


def _deleted(rows: QuerySet) -> int:
    return rows.delete()[1].get(rows.model._meta.label, 0)


# -- Wherever else it stands -----------------------------------------------------------


def swept_models() -> list[type[OwnedModel]]:
    """Every kind of row that holds texts, but for what is at work here."""
    owned = [model for model in apps.get_models() if issubclass(model, OwnedModel)]
    apart = (Erasure, CarrierRemoval)
    return [one for one in owned if one not in apart and _texts_of(one)]


def _texts_of(model: type[OwnedModel]) -> list[models.Field]:
    kinds = (models.CharField, models.TextField, models.JSONField)
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, kinds) and not field.choices
    ]


def _sweep(model: type[OwnedModel]) -> Step:
    fields = _texts_of(model)

    def step(work: Work) -> Any:
        rows = model.unscoped.filter(owner=work.owner_id)
        if work.erasure.after is not None:
            rows = rows.filter(pk__gt=work.erasure.after)
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:SWEPT])
        if ids:
            these = model.unscoped.filter(pk__gte=ids[0], pk__lte=ids[-1])
            for come_back in _come_back(work):
                if come_back.model is model:
                    these = these.exclude(pk__in=come_back)
            for row in _suspects(these.filter(owner=work.owner_id), fields, work):
                _mask(row, fields, work)
        return ids[-1] if len(ids) == SWEPT else DONE

    return step


def _suspects(rows: QuerySet, fields: list[models.Field], work: Work) -> QuerySet:
    """Those in which its digits stand in a row, and all that are encrypted."""
    if any(isinstance(field, EncryptedTextField) for field in fields):
        return rows
    return _holding(rows, [field.name for field in fields], work.number)


def _holding(rows: QuerySet, names: Collection[str], number: Number) -> QuerySet:
    bare = {f"_bare_{name}": _without_separators(name) for name in names}
    wanted = Q()
    for name in bare:
        wanted |= Q(**{f"{name}__contains": number.national})
    return rows.annotate(**bare).filter(wanted)


def _without_separators(name: str) -> models.Expression:
    """The column as text; one of JSON may have separators in its own spelling."""
    spelled = dict.fromkeys(SEPARATORS)
    spelled |= dict.fromkeys(json.dumps(one).strip('"') for one in SEPARATORS)
    text: models.Expression = Cast(name, models.TextField())
    for one in spelled:
        text = Replace(text, Value(one), output_field=models.TextField())
    return text


def _mask(row: OwnedModel, fields: list[models.Field], work: Work) -> None:
    changes = {}
    for field in fields:
        before = getattr(row, field.attname)
        after = work.number.masked(before)
        if after != before:
            changes[field.attname] = after
    if not changes:
        return
    rows = type(row).unscoped.filter(pk=row.pk)
    write = rows.mask if isinstance(row, AuditEntry) else rows.update
    try:
        with transaction.atomic():
            write(**changes)
    except IntegrityError:  # another row has lost its name likewise
        texts = {name: _unlike_others() for name, v in changes.items() if v == ERASED}
        write(**changes | texts)
    work.count("audit_entries" if isinstance(row, AuditEntry) else "other_rows", 1)


def _operators_log(work: Work) -> Any:
    """What operators did to rows of this workspace, as the admin tells it."""
    told = ["object_repr", "change_message"]
    entries = LogEntry.objects.select_related("content_type")
    for entry in _holding(entries, told, work.number):
        model = entry.content_type and entry.content_type.model_class()
        if model is None or not issubclass(model, OwnedModel):
            continue
        theirs = model.unscoped.filter(pk=entry.object_id).exclude(owner=work.owner_id)
        if not theirs.exists():
            entry.object_repr = work.number.masked(entry.object_repr)
            entry.change_message = work.number.masked(entry.change_message)
            entry.save(update_fields=told)
    return DONE


def _exports(work: Work) -> Any:
    """Files that were made before; the one being made begins anew."""
    work.count("exports", exports.withdraw(work.owner_id))
    return DONE


def steps() -> list[Step]:
    """In their order: first what may still happen, last what nobody thought of."""
    known = (
        *(_schedules, _recurring, _calls, _texts, _contact, _do_not_contact),
        *(_lists, _answers, _operators_log),
    )
    return [*known, *map(_sweep, swept_models()), _exports]


def do_piece(erasure: Erasure, now: datetime) -> bool:
    """Do one piece of the work; False when nothing is left to do here."""
    todo = steps()
    if erasure.step >= len(todo):
        return False
    with transaction.atomic():
        work = Work.of(erasure)
        place = todo[erasure.step](work)
        if place is DONE:
            erasure.step, erasure.after = erasure.step + 1, None
        else:
            erasure.after = place
        erasure.updated_at = now
        erasure.save(
            update_fields=["step", "after", "counts", "keeps_refusal", "updated_at"]
        )
    return True


def is_under_way(erasure: Erasure) -> bool:
    """Whether a call or a text with it is, so that it is still being written of."""
    work = Work.of(erasure)
    calls = work.rows(Call).of_other_party(work.number.e164).exclude(_is_over())
    # Nobody was called yet: the first step ends those.
    placed = calls.exclude(placement=Call.Placement.OPENED)
    texts = work.rows(Message).filter(conversation__in=_conversations(work))
    return placed.exists() or texts.filter(status=Message.Status.ASKING).exists()


def is_left(erasure: Erasure) -> bool:
    """Whether the number has come back meanwhile: somebody called again."""
    return any(rows.exists() for rows in _come_back(Work.of(erasure)))


def _come_back(work: Work) -> list[QuerySet]:
    """What the first steps have not seen; masked, it could not be found any more."""
    number = work.number.e164
    calls = work.rows(Call).of_other_party(number)
    scheduled = work.rows(ScheduledCall).filter(to_number=number)
    return [calls, _conversations(work), scheduled]
