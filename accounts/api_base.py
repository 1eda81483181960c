"""The shared base of serializers and views: one workspace's rows, told plainly."""

import hashlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.utils.datastructures import MultiValueDict
from django.utils.timezone import now
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from rest_framework import generics, serializers
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from accounts import idempotency
from accounts.models import AccessToken, KeptAnswer
from voiceops.api import Conflict, refuse_unknown_filters

IDEMPOTENCY_HEADER = "Idempotency-Key"
# The draft writes it as a quoted string, most clients do not quote it: both are taken.
IDEMPOTENCY_KEY = re.compile(r'"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


# What rest_framework would convert in silence: 5 to "5", "off" to false.
JSON_TYPES = {
    serializers.CharField: {str},
    serializers.BooleanField: {bool},
    serializers.IntegerField: {int, float},
    serializers.FloatField: {int, float},
}


class StrictSerializer(serializers.Serializer):
    """A body with a field that we do not know is refused: it would be lost silently.

    So is a value of another type than its field's; a form has texts alone.
    """

    def to_internal_value(self, data):
        errors = {
            name: ["Unknown field."] for name in sorted(set(data) - set(self.fields))
        }
        is_form = isinstance(data, MultiValueDict)
        typed = [] if is_form else self._writable_fields
        given = [field for field in typed if field.field_name in data]
        for field in given:
            if wrong := _wrong_types(field, data[field.field_name]):
                errors[field.field_name] = wrong
        if errors:
            raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


def _wrong_types(field, value) -> list | dict | None:
    """Errors about the JSON type of `value` and of what is in it; null is not ours."""
    child = getattr(field, "child", None)
    if child is not None and isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            key: wrong for key, each in items if (wrong := _wrong_types(child, each))
        }
    for kind, types in JSON_TYPES.items():
        if isinstance(field, kind) and value is not None and type(value) not in types:
            return [field.error_messages["invalid"]]
    return None


class OwnedSerializer(StrictSerializer, serializers.ModelSerializer):
    """Rows of one workspace. An id of another's row is worded as an unknown id."""

    def get_fields(self):
        fields = super().get_fields()
        for field in fields.values():
            if getattr(field, "queryset", None) is not None:
                field.queryset = field.queryset.for_owner(self._owner())
        return fields

    def get_validators(self):
        """None of the automatic ones: they would ask without an owner."""
        return []

    def _owner(self):
        return getattr(self.context.get("request"), "workspace", None)

    def validate(self, attrs):
        """Hold the row as it would become against the model's own rules."""
        model = self.Meta.model
        row = model(owner=self._owner())
        if self.instance is not None:
            names = [field.attname for field in model._meta.concrete_fields]
            row = model(**{name: getattr(self.instance, name) for name in names})
            row._state.adding = False
        own = {field.name for field in model._meta.fields}
        for name, value in attrs.items():
            if name in own:
                setattr(row, name, value)
        try:
            row.clean_fields(exclude=own - set(attrs))
            row.validate_constraints()
        except DjangoValidationError as error:
            raise serializers.ValidationError(self._by_field(error)) from None
        return attrs

    def _by_field(self, error: DjangoValidationError) -> dict:
        names = {field.source: name for name, field in self.fields.items()}
        return {
            "non_field_errors" if name == NON_FIELD_ERRORS else names.get(name, name): m
            for name, m in error.message_dict.items()
        }


class OwnedView(generics.GenericAPIView):
    """A view over `model`'s rows of the workspace in use, filtered as the URL says."""

    model = None
    filters: frozenset[str] = frozenset()

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.model.objects.none()
        return self.model.objects.for_owner(self.request.workspace)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.method in {"GET", "HEAD"}:
            refuse_unknown_filters(request, set(self.filters))


class ListCreateView(OwnedView, generics.ListCreateAPIView):
    """The list, newest first, and making one more."""


class IndexedFilterBackend(DjangoFilterBackend):
    """For filter sets that say what an index finds (`by_index`); the rest is their
    `search`, which the pages carry out.
    """

    def filter_queryset(self, request, queryset, view):
        filterset = self.get_filterset(request, queryset, view)
        if not filterset.is_valid():
            raise translate_validation(filterset.errors)
        view.search = filterset.search
        return filterset.by_index(queryset)


class RowView(OwnedView, generics.RetrieveUpdateDestroyAPIView):
    """One row: read, replaced (what is left out gets its default), changed, deleted."""

    def put(self, request, *args, **kwargs):
        row = self.get_object()
        serializer = self.get_serializer(row, data=self._with_defaults(request.data))
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def _with_defaults(self, given) -> dict:
        """The body, and the default of each field that it leaves out."""
        blank = self.get_serializer(self.model()).data
        writable = self.get_serializer().fields.items()
        left_out = {
            name: blank[name]
            for name, field in writable
            if name in blank and not field.read_only and not field.required
        }
        return left_out | given


class KeyInUse(Conflict):
    """The first request with this key is being worked on."""

    default_detail = (
        "A request with this Idempotency-Key is being worked on: ask again."
    )
    default_code = "idempotency_key_in_use"
    wait = 1  # seconds, for Retry-After


class KeyReused(Conflict):
    default_detail = "This Idempotency-Key was used for another request."
    default_code = "idempotency_key_reused"


def idempotent(within: Callable[[], AbstractContextManager]):
    """Let a POST give a repeated `Idempotency-Key` its first answer again.

    `within` is opened around the work and the keeping of its answer:
    `transaction.atomic` where the work is rows alone, `nullcontext` where the carrier
    is asked. Kept is what was done or refused; not a malformed request (400), which may
    come again mended, and nothing that failed here (5xx).
    """

    def decorate(post):
        @wraps(post)
        def answer_once(view, request, *args, **kwargs):
            key = _idempotency_key(request)
            if key is None:
                return post(view, request, *args, **kwargs)
            claimed = _claim(request, key)
            if not claimed.is_in_progress:
                return _again(claimed)
            try:
                with within():
                    response = post(view, request, *args, **kwargs)
                    _keep(claimed, response)
            except Exception as error:
                if not _is_an_answer(error):
                    idempotency.release(claimed)
                    raise
                response = view.handle_exception(error)
                _keep(claimed, response)
            return response

        answer_once.is_idempotent = True
        return answer_once

    return decorate


def _idempotency_key(request) -> str | None:
    given = request.headers.get(IDEMPOTENCY_HEADER)
    if given is None:
        return None
    key = IDEMPOTENCY_KEY.fullmatch(given)
    if key is None:
        message = "1 to 255 visible ASCII characters."
        raise serializers.ValidationError({IDEMPOTENCY_HEADER: [message]})
    return key[1] or key[2]


def _claim(request, key: str) -> KeptAnswer:
    """Whose request it is counts too: an answer may hold what only they may see."""
    scopes = request.auth.scopes if isinstance(request.auth, AccessToken) else ["all"]
    try:
        return idempotency.claim(
            owner=request.workspace,
            key=key,
            fingerprint=idempotency.fingerprint(
                request.user.pk,
                sorted(scopes),
                request.method,
                request.path.removeprefix("/api"),
                _told(request.data),
            ),
            at=now(),
        )
    except idempotency.InProgress:
        raise KeyInUse from None
    except idempotency.KeyReused:
        raise KeyReused from None


def _told(data):
    """The body, files by what is in them."""
    if not isinstance(data, MultiValueDict):
        return data
    return {name: [_content(value) for value in data.getlist(name)] for name in data}


def _content(value):
    if not isinstance(value, UploadedFile):
        return value
    digest = hashlib.file_digest(value, "sha256").hexdigest()
    value.seek(0)
    return [value.name, digest]


def _again(kept: KeptAnswer) -> HttpResponse:
    response = HttpResponse(kept.body, status=kept.status, content_type=kept.media_type)
    response["Idempotent-Replayed"] = "true"
    return response


def _keep(claimed: KeptAnswer, response: Response) -> None:
    idempotency.keep(
        claimed,
        status=response.status_code,
        body=JSONRenderer().render(response.data).decode(),
        media_type=response.content_type or JSONRenderer.media_type,
    )


def _is_an_answer(error: Exception) -> bool:
    status = getattr(error, "status_code", 500)
    return isinstance(error, APIException) and 400 < status < 500
