"""The page in a real Chromium: it works offline, by mouse and by keyboard, and runs nobody else's code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from needsalloc.report.page import page as render
from report_samples import sample

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
HOSTILE = "</script><script>window.caught=1</script><img src=x onerror='window.caught=1'>"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing")
        pytest.skip(f"{CHROMIUM} is missing: the page is not driven in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    bundle = sample()
    teams = bundle.allocation.copy()
    teams.loc[0, "team_name"] = HOSTILE
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(render(replace(bundle, allocation=teams)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, open; when the test is over nothing may have gone wrong or been asked for."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    troubles: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text))
    opened.on("pageerror", lambda fault: troubles.append(str(fault)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(address)
    yield opened
    assert troubles == []
    assert requests == [address]
    assert opened.evaluate("window.caught") is None
    opened.close()


def names(page: Any) -> list[str]:
    return page.locator("#team-table tbody tr:not([hidden]) th button").all_inner_texts()


def test_a_strangers_name_is_shown_as_it_is_written(page: Any) -> None:
    assert names(page)[0] == HOSTILE


def test_searching_leaves_the_rows_that_match(page: Any) -> None:
    page.get_by_label("Find a team by name or code").fill("VALLEY")
    assert names(page) == ["Darrow Valley"]
    assert page.locator("#found").inner_text() == "1 of 9 rows"
    page.get_by_label("Find a team by name or code").fill("")
    assert len(names(page)) == 9


def test_sorting_by_keyboard(page: Any) -> None:
    head = page.locator("#team-table thead th", has_text="Distance from target")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    table = sample().allocation
    table.loc[0, "team_name"] = HOSTILE
    assert names(page) == table.sort_values("distance_from_target", na_position="last")["team_name"].tolist()


def test_pointing_at_the_map_names_the_team(page: Any) -> None:
    page.locator(".shapes g[data-team='2'] path").first.hover()
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert "Darrow Valley" in tip.inner_text()
    assert "Posts in this plan (WTE)" in tip.inner_text()


def test_choosing_in_one_place_shows_in_all(page: Any) -> None:
    row = page.locator("#team-table tbody tr[data-team='3']")
    row.locator("button").click()
    assert row.locator("button").get_attribute("aria-pressed") == "true"
    assert page.locator("#choose").input_value() == "3"
    outline = page.locator(".outlines path[data-team='3']").get_attribute("d")
    assert page.locator("#lit").get_attribute("d") == outline
    assert "Need index (England = 1)" in page.locator("#card").inner_text()
    page.locator(".shapes g[data-team='5'] path").first.click()
    assert page.locator("tr[data-team='5'] button").get_attribute("aria-pressed") == "true"
    assert row.locator("button").get_attribute("aria-pressed") == "false"


def test_the_map_takes_another_measure_and_its_legend(page: Any) -> None:
    page.get_by_label("Distance from target now").check()
    shown = page.locator(".legend:visible")
    assert shown.count() == 1
    assert "within 5% of target" in shown.inner_text()
    classes = page.eval_on_selector_all(
        ".shapes path", "paths => paths.map(path => path.getAttribute('class'))"
    )
    assert {name[0] for name in classes} == {"d"}


def test_the_page_fits_a_narrow_screen(page: Any) -> None:
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_headings_follow_one_another(page: Any) -> None:
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "heads => heads.map(head => Number(head.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_everything_that_is_pressed_has_a_name(page: Any) -> None:
    unnamed = page.eval_on_selector_all(
        "button, a, input, select",
        "found => found.filter(e => !(e.innerText || e.ariaLabel || e.labels?.length)).map(e => e.outerHTML)",
    )
    assert unnamed == []
