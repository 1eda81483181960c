"""One view, one template: the whole page, or the part that htmx asked for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


def full_or_partial(request: HttpRequest, template: str, partial: str) -> str:
    """`page.html#partial` for an htmx swap, `page.html` for anything else.

    A history restore and a boosted link want the whole page, and get it.
    """
    htmx = request.htmx
    if htmx and not htmx.boosted and not htmx.history_restore_request:
        return f"{template}#{partial}"
    return template


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to `url`, whether htmx or a plain form asked."""
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
