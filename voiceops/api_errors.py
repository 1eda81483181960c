"""Every error as `application/problem+json` (RFC 9457)."""

from http import HTTPStatus

from django.core.exceptions import RequestDataTooBig
from drf_standardized_errors.formatter import ExceptionFormatter, flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.handler import exception_handler as standardized_handler
from rest_framework.exceptions import (
    APIException,
    NotFound,
    Throttled,
    ValidationError,
)
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from voiceops.api import BodyTooBig, CarrierProblem, Throttle

PROBLEM_TYPE = "https://voiceops.dev/problems/"
PROBLEM_MEDIA_TYPE = "application/problem+json"


class ProblemFormatter(ExceptionFormatter):
    """RFC 9457: `type`, `title`, `status`, `detail`, and `errors` by field."""

    def run(self) -> dict:
        code = getattr(self.exc, "problem", None) or _first_code(self.exc)
        problem = {
            "type": PROBLEM_TYPE + code.replace("_", "-"),
            "title": HTTPStatus(self.exc.status_code).phrase,
            "status": self.exc.status_code,
        }
        if isinstance(self.exc, ValidationError):
            problem["detail"] = "Some fields are not right."
            problem["errors"] = _errors_by_field(self.exc.detail)
        else:
            problem["detail"] = str(self.exc.detail)
        return problem | getattr(self.exc, "extra", {})


def _first_code(exc: APIException) -> str:
    if isinstance(exc, ValidationError):
        return "invalid"
    return getattr(exc.detail, "code", exc.default_code)


def _errors_by_field(detail) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for error in flatten_errors(detail):
        errors.setdefault(error.attr or "non_field_errors", []).append(error.detail)
    return errors


class ProblemHandler(ExceptionHandler):
    """Faults of ours are reported; those of a carrier are not ours."""

    def convert_known_exceptions(self, exc):
        if isinstance(exc, RequestDataTooBig):  # Django was the first to read the body
            return BodyTooBig()
        return super().convert_known_exceptions(exc)

    def report_exception(self, exc, response):
        if not isinstance(self.exc, CarrierProblem):
            super().report_exception(exc, response)


def exception_handler(exc, context):
    """Every error of every view, as problem+json."""
    if isinstance(exc, RequestDataTooBig):  # Django's own, before our parser reads
        exc = BodyTooBig()
    response = standardized_handler(_counted(exc, context), context)
    if response is not None:
        response.content_type = PROBLEM_MEDIA_TYPE
    return response


def _counted(exc, context):
    """The error, or that of asking too often.

    A view counts a request once it is let in: what was refused at the door counts too.
    """
    request = context["request"]
    if hasattr(request._request, "rate_limit"):
        return exc
    throttle = Throttle()
    try:
        if throttle.allow_request(request, context["view"]):
            return exc
    except APIException as refusal:  # its credentials had not been looked at yet
        return refusal
    return Throttled(wait=throttle.wait())


class UnknownAddress(APIView):
    """What is not there is told as a problem too, not as a page."""

    authentication_classes = []
    permission_classes = [AllowAny]
    schema = None

    def initial(self, request, *args, **kwargs):
        raise NotFound
