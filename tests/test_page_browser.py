"""The page in a real Chromium: it works offline, by mouse and by keyboard, and runs nobody else's code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from browsers import chromium, scanned
from needsalloc.report.page import page as render
from needsalloc.report.team_sheets import team_sheets
from needsalloc.report.waterfall import waterfalls
from report_samples import sample

HOSTILE = "</script><script>window.caught=1</script><img src=x onerror='window.caught=1'>"
PAPER = 688  # pixels between the margins of A4

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """A page; when the test is over nothing may have gone wrong or been asked for."""
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
    troubles: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda fault: troubles.append(str(fault)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    yield page
    assert troubles == []
    assert requests == [address]
    if options.get("java_script_enabled", True):
        assert page.evaluate("window.caught") is None
    page.close()


@pytest.fixture(scope="module")
def bundle() -> Any:
    """A run with a hostile name and hostile documents."""
    made = sample()
    allocation = made.allocation.copy()
    allocation.loc[0, "team_name"] = HOSTILE
    texts = {"equality": f"# Who\n\n- **{HOSTILE}**\n\n| a |\n|---|\n| {HOSTILE} |", "data-flow": HOSTILE}
    headings = ("What was asked", "What the figures suggest", "How sure", "What they leave out")
    return replace(made, allocation=allocation, texts=texts, headings=headings, disclosed=HOSTILE)


@pytest.fixture(scope="module")
def folder(bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page")
    (place / "index.html").write_text(render(bundle), encoding="utf-8")
    (place / "teams.html").write_text(team_sheets(bundle), encoding="utf-8")
    return place


@pytest.fixture
def page(browser: Any, folder: Path) -> Iterator[Any]:
    with opened(browser, (folder / "index.html").as_uri()) as here:
        yield here


@pytest.fixture
def sheets(browser: Any, folder: Path) -> Iterator[Any]:
    with opened(browser, (folder / "teams.html").as_uri()) as here:
        yield here


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
        """found => found
          .filter(e => !(e.textContent || e.ariaLabel || e.labels?.length))
          .map(e => e.outerHTML)""",
    )
    assert unnamed == []


def test_each_finding_stands_under_its_question(page: Any) -> None:
    assert page.locator(".asked").inner_text() == "What was asked"
    heads = page.locator(".answers h3").all_inner_texts()
    assert heads == ["What the figures suggest", "How sure", "What they leave out"]


def test_options_stand_side_by_side(page: Any, bundle: Any) -> None:
    heads = page.locator("#options .options thead th").all_inner_texts()
    assert heads == ["Measure", "Status quo", "This plan", "Equal per adult"]
    moved = bundle.beside["options"]["posts_moved"]
    row = page.locator("#options .options tbody tr", has_text="Posts that some team loses")
    assert row.locator("td").all_inner_texts() == [f"{abs(value):.1f}" for value in moved]


def test_the_waterfall_is_that_of_the_chosen_team(page: Any, bundle: Any) -> None:
    """Python draws the first team and the script the others: both as Python would."""
    found = waterfalls(bundle)
    assert found is not None
    shown = page.locator("#waterfall tbody tr")
    for team in (int(page.locator("#team-choice").input_value()), 0, 5, 2):
        page.locator("#team-choice").select_option(str(team))
        wanted = found.chart(team, "")
        assert wanted is not None
        assert shown.locator("td:last-child").all_inner_texts() == [row.cells[0] for row in wanted.rows]
        bars = page.eval_on_selector_all(
            "#waterfall rect",
            "bars => bars.map(b => [parseFloat(b.getAttribute('x')), parseFloat(b.getAttribute('width'))])",
        )
        marks = [row.marks[0] for row in wanted.rows[1:]]
        for (left, width), mark in zip(bars, marks, strict=True):
            # The script has thousandths of the index, on an axis of half an index: 0.1 % a part.
            assert left == pytest.approx(min(mark.at, mark.start), abs=0.8)
            assert width == pytest.approx(abs(mark.at - mark.start), abs=0.4)
        assert page.locator("#team-name").inner_text() == bundle.allocation["team_name"][team]
        posts = bundle.beside["options_by_team"]
        of_team = posts[posts["team"] == bundle.allocation["team"][team]]
        cells = page.locator("#team-options tbody tr td:nth-child(2)").all_inner_texts()
        assert cells == [f"{value:.1f}" for value in of_team["posts"]]


def test_a_row_that_was_not_taken_apart_says_so(page: Any) -> None:
    page.locator("#team-choice").select_option("8")
    assert not page.locator("#waterfall").is_visible()
    assert page.locator("#no-waterfall").is_visible()
    assert page.locator("#team-pace tbody td").first.inner_text() == "–"


def test_choosing_on_the_map_shows_the_team_below(page: Any) -> None:
    page.locator(".shapes g[data-team='4'] path").first.click()
    assert page.locator("#team-choice").input_value() == "4"
    assert page.locator("#team-name").inner_text() == "Fenmoor Coast"


@pytest.mark.parametrize("label", ["Distance from target now", "Change: this plan less now"])
def test_every_map_says_in_words_what_it_shows(page: Any, label: str) -> None:
    before = page.locator("#map-text").inner_text()
    page.get_by_label(label).check()
    text = page.locator("#map-text").inner_text()
    assert text != before
    assert len(text) > 30
    assert label in page.evaluate("document.getElementById('map-title').textContent")


def test_everything_is_reached_by_keyboard(page: Any) -> None:
    """Every control and every box that scrolls takes the focus in its turn, and shows that it has it."""
    wanted = page.evaluate(
        """() => {
          const all = document.querySelectorAll('a, button, input, select, summary, [tabindex="0"]');
          const radios = new Set();
          return [...all].filter(e => {
            if (!e.checkVisibility()) return false;
            if (e.type !== 'radio') return true;
            return !radios.has(e.name) && radios.add(e.name);
          }).length;
        }"""
    )
    seen = page.evaluate("() => { window.seen = new Set(); window.bare = []; return 0; }")
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => {
              const here = document.activeElement;
              if (here === document.body) return window.seen.size;
              window.seen.add(here);
              if (getComputedStyle(here).outlineStyle === 'none') window.bare.push(here.outerHTML);
              return window.seen.size;
            }"""
        )
    assert seen == wanted
    assert page.evaluate("window.bare") == []


def test_without_scripts_every_section_still_reads(browser: Any, folder: Path) -> None:
    with opened(browser, (folder / "index.html").as_uri(), java_script_enabled=False) as plain:
        for place in plain.locator(".contents a").all():
            assert plain.locator(place.get_attribute("href")).is_visible()
        assert plain.locator("#waterfall rect").count() > 2


def open_all(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")


def test_a_scan_for_accessibility_finds_nothing_serious(page: Any) -> None:
    open_all(page)
    assert scanned(page) == []


def test_a_scan_of_the_sheets_finds_nothing_serious(sheets: Any) -> None:
    assert scanned(sheets) == []


def test_the_scan_can_fail(page: Any) -> None:
    page.evaluate("document.querySelector('#search').previousElementSibling.remove()")
    assert any("label" in found for found in scanned(page))


def pages_of(printed: bytes) -> list[tuple[float, float]]:
    """Width and height of each page of a PDF, in points."""
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    return [(float(width), float(height)) for width, height in boxes]


def test_the_page_prints_on_a4_and_nothing_is_cut(page: Any) -> None:
    open_all(page)
    printed = pages_of(page.pdf(prefer_css_page_size=True))
    assert 5 < len(printed) < 40
    assert all(found == pytest.approx((595, 842), abs=1) for found in printed)  # A4 in whole points
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    cut = page.evaluate(
        f"""() => [...document.querySelectorAll('table, svg, h2, h3, p, dl')]
          .filter(e => e.checkVisibility() && !e.closest('.unseen'))
          .filter(e => e.getBoundingClientRect().right > {PAPER} + 1)
          .map(e => (e.caption?.innerText ?? '') + e.outerHTML.slice(0, 120))"""
    )
    assert cut == []


def test_a_folded_part_is_printed_only_if_it_is_open(page: Any) -> None:
    page.emulate_media(media="print")
    assert not page.locator("#behind").is_visible()
    page.locator("#behind details").first.evaluate("each => { each.open = true; }")
    assert page.locator("#behind").is_visible()


def test_each_team_has_one_sheet_of_a4(sheets: Any, bundle: Any) -> None:
    teams = int((bundle.allocation["target_share"] > 0).sum())
    assert sheets.locator("article").count() == teams == 8
    assert sheets.locator("article h2").first.inner_text().startswith(HOSTILE)
    assert sheets.locator("article .of b").first.inner_text() == "For discussion · Internal"
    assert len(pages_of(sheets.pdf(prefer_css_page_size=True))) == teams


def test_the_sheets_fit_a_narrow_screen(sheets: Any) -> None:
    for width in (320, 390, 768):
        sheets.set_viewport_size({"width": width, "height": 800})
        assert sheets.evaluate("document.documentElement.scrollWidth") <= width


def test_the_sheets_run_no_script(folder: Path) -> None:
    text = (folder / "teams.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "<script" not in text
