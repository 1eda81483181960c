"""What the pages for people share. They carry no inline script or style.

Whoever has an account's page address (128 random bits) may use the account; there is
no other log-in.
"""

from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {
    # data: for the stylesheet's own patterns
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:;"
    " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Html(str):
    """Text that is HTML already; anything else is escaped."""

    def __new__(cls, *parts: str):
        return super().__new__(cls, "".join(parts))


def render(name: str, **values) -> Html:
    template = Template((TEMPLATES / f"{name}.html").read_text())
    shown = {
        key: value if isinstance(value, Html) else escape(str(value or "not set"))
        for key, value in values.items()
    }
    return Html(template.substitute(shown))


def page(name: str, *, title: str, http_status: int = 200, **values) -> Response:
    content = render(name, title=title, **values)
    page = render("_base", title=title, content=content)
    return HTMLResponse(page, http_status, HEADERS)


def refusal(message: str, http_status: int) -> Response:
    return page(
        "refusal", title="Not possible", http_status=http_status, message=message
    )


def account_of(request: Request) -> dict | None:
    token = request.path_params["token"]
    return request.app.state.store.get("accounts", console_token=token)


def is_same_origin(request: Request) -> bool:
    """Whether a form comes from our own pages; older browsers send only Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return True  # no browser at all: nobody's cookies or address to abuse
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    return urlsplit(origin).netloc in hosts
