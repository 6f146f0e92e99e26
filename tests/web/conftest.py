"""A real Chromium that can reach the service and nothing else, and that reports every complaint."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Visit:
    """A page of the service, opened by somebody."""

    page: Page
    base: str

    def open(self, path: str) -> None:
        """Go to an address of the service."""
        self.page.goto(f"{self.base}{path}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"No browser at {CHROMIUM}, which CI has to have")
        pytest.skip(f"NO BROWSER TESTS: there is no {CHROMIUM} (apt-get install chromium)")
    expect.set_options(timeout=20_000)  # ms; other tests use the machine too
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Visit]:
    """A fresh visitor. The test fails on any console error, script error, violation of the
    content policy, or request to anybody but the service.
    """
    base = str(server).rstrip("/")
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 860})

    def admit(route: Route) -> None:
        url = route.request.url
        if url.startswith((base, "data:", "blob:")):
            route.continue_()
        else:
            complaints.append(f"asked for {url}")
            route.abort()

    context.route("**/*", admit)
    context.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " event => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
    )
    page = context.new_page()
    page.on("console", lambda message: _note(complaints, message.type, message.text))
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    yield Visit(page, base)
    context.close()
    assert complaints == []


def _note(complaints: list[str], kind: str, text: str) -> None:
    # Chromium reports every refused request here; the tests of refusals look at the page instead.
    if kind in {"error", "warning"} and "Failed to load resource" not in text:
        complaints.append(f"{kind}: {text}")
