"""What every page must be: accessible, quiet in the console, no wider than the window.

`watch(page)` from the beginning, `problems(page)` once it is loaded.
"""

from weakref import WeakKeyDictionary

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Page, expect

AXE_OPTIONS = {
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
    "resultTypes": ["violations"],
}
# All that a theme can change.
AXE_COLOURS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
# Swagger UI is looked at from outside: its colours are its makers'.
AXE_CONTEXT = {"exclude": [".swagger-ui"]}
# A page that is refused on purpose (404, 403, 422) is an error of its own address only.
REFUSED = "Failed to load resource: the server responded with a status of 4"
# A newer question is asked in place of one that is still under way. (What else can
# end a request has a line of its own.)
OUTDATED = ("htmx:afterRequest, ", "htmx:sendAbort, ")

# What htmx has put into the page listens to it only when it has settled.
UNDER_WAY = ".htmx-request, .htmx-swapping, .htmx-added, .htmx-settling"

_said: WeakKeyDictionary[Page, list[str]] = WeakKeyDictionary()


def watch(page: Page) -> Page:
    """Write down from now on what the console says and which scripts break."""
    said = _said.setdefault(page, [])
    page.on("console", lambda message: _note(page, message))
    page.on("pageerror", lambda error: said.append(f"script: {error}"))
    return page


def _note(page: Page, message: ConsoleMessage) -> None:
    if message.type != "error" or message.text.startswith(OUTDATED):
        return
    is_of_the_page = message.location.get("url") == page.url
    if not (is_of_the_page and message.text.startswith(REFUSED)):
        _said[page].append(f"console: {message.text}")


def settle(page: Page) -> None:
    """Wait until nothing that the page asked for by itself is under way."""
    page.wait_for_load_state("load")
    # A function that is waited for would be evaluated as a string: the CSP forbids it.
    expect(page.locator(UNDER_WAY)).to_have_count(0)
    if page.locator("#swagger-ui").count():
        page.locator(".opblock").first.wait_for()


def problems(page: Page) -> list[str]:
    """What is wrong with the page as it stands; empty when it is sound."""
    settle(page)
    return [*_axe(page, AXE_OPTIONS), *_layout(page), *_markup(page), *said(page)]


def problems_of_the_theme(page: Page) -> list[str]:
    """Likewise, of a page that has been judged in the other theme: only its colours."""
    settle(page)
    return [*_axe(page, AXE_COLOURS), *said(page)]


def said(page: Page) -> list[str]:
    """What the console said since it was asked last."""
    taken = list(dict.fromkeys(_said[page]))
    _said[page].clear()
    return taken


def _axe(page: Page, wanted: dict) -> list[str]:
    page.evaluate(AXE_SCRIPT)  # anew: it remembers the colours of another theme
    found = page.evaluate(
        "([context, options]) => axe.run(context, options)", [AXE_CONTEXT, wanted]
    )["violations"]
    return [
        f"axe {violation['id']}: {' '.join(node['target'])} {node['html'][:160]}"
        for violation in found
        for node in violation["nodes"]
    ]


def _layout(page: Page) -> list[str]:
    widths = page.evaluate("[document.scrollingElement.scrollWidth, window.innerWidth]")
    if widths[0] > widths[1]:
        return [f"{widths[0]} px wide in a window of {widths[1]}: {_widest(page)}"]
    return []


def _widest(page: Page) -> str:
    """The elements that stick out, for the message."""
    return page.evaluate(
        """() => [...document.querySelectorAll('body *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .slice(0, 3).map((element) => element.outerHTML.slice(0, 120)).join(' | ')"""
    )


def _markup(page: Page) -> list[str]:
    html = page.content()
    return [f"a raw {tag} in the page" for tag in ("<c-", "{%") if tag in html]
