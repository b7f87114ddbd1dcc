"""A headless Chromium for the tests of the pages, and the accessibility scanner that it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# `npm ci --prefix tests` puts it there; NEEDSALLOC_AXE names another place.
AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; without one the tests are skipped, and fail where CI is true."""
    if not CHROMIUM.exists():
        _without(f"{CHROMIUM} is missing: the page is not driven in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


def scanned(page: Any) -> list[str]:
    """What axe-core finds serious or critical on an open page: rule, how often, and where first."""
    axe = Path(os.environ.get("NEEDSALLOC_AXE", AXE))
    if not axe.exists():
        _without(f"{axe} is missing: run npm ci --prefix tests")
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["testEngine"]["name"] == "axe-core"
    assert len(found["passes"]) > 20  # that it looked at the page at all
    return [
        f"{each['id']} ({each['impact']}) {len(each['nodes'])} times, first {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def _without(words: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)
