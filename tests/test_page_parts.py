"""Parts of the page: their figures against hand computation, their text against hostile text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from needsalloc.report import fairness, options, ranges, shown
from needsalloc.report.bundle import Bundle
from needsalloc.report.markdown import to_html
from needsalloc.report.page import contents, findings, first_team, page, questions
from needsalloc.report.team_sheets import team_sheets
from needsalloc.report.waterfall import waterfalls
from report_samples import sample
from small_worlds import law


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return sample()


def without(bundle: Bundle, *names: str) -> Bundle:
    return replace(bundle, beside={name: bundle.beside[name] for name in bundle.beside if name not in names})


# Markdown


def test_markdown_becomes_what_it_says() -> None:
    text = "# Who\n\nA **bold** and\n`code` line.\n\n- one\n- two\n\n1. first\n2. second\n"
    assert to_html(text) == (
        "<h3>Who</h3>\n<p>A <strong>bold</strong> and <code>code</code> line.</p>\n"
        "<ul><li>one</li><li>two</li></ul>\n<ol><li>first</li><li>second</li></ol>"
    )


def test_a_table_keeps_its_head_and_its_pipes() -> None:
    found = to_html("| A | B |\n|---|--:|\n| 1 | 2 \\| 3 |\n")
    assert '<thead><tr><th scope="col" class="number">A</th><th scope="col">B</th></tr></thead>' in found
    assert '<tbody><tr><td class="number">1</td><td>2 | 3</td></tr></tbody>' in found


@law(st.text(alphabet="<>&;lt\"'`*|-#1. \n\\/=abscript", max_size=60))
def test_no_text_becomes_a_tag_of_its_own(text: str) -> None:
    plain = {
        "p",
        "ul",
        "ol",
        "li",
        "h3",
        "h4",
        "h5",
        "h6",
        "strong",
        "code",
        "table",
        "thead",
        "tbody",
        "tr",
        "td",
    }
    ours = {
        '<th scope="col">',
        '<th scope="col" class="number">',
        '<td class="number">',
        "</th>",
        '<p class="instead">',
        "</div>",
    }
    ours |= {
        f'<div class="scroll{more}" role="region" aria-label="Table" tabindex="0">' for more in ("", " broad")
    }
    ours |= {f"<{end}{name}>" for name in plain for end in ("", "/")}
    assert set(re.findall(r"<[^>]*>?", to_html(text))) <= ours


# Waterfall


def test_the_steps_of_a_waterfall_begin_where_the_last_one_ended(bundle: Bundle) -> None:
    """Sample: 1, age and sex +0.10, deprivation -0.05, COPD 0.01 a team; the third team ends at 1.07."""
    found = waterfalls(bundle)
    assert found is not None
    chart = found.chart(2, "")
    assert chart is not None
    assert [row.name for row in chart.rows] == ["England", "Age and sex", "Deprivation", "COPD", "Need index"]
    assert [row.cells[0] for row in chart.rows] == ["1.00", "+0.10", "−0.05", "+0.02", "1.07"]
    at = found.scale.at
    bars = [(row.marks[0].start, row.marks[0].at, row.marks[0].kind) for row in chart.rows[1:]]
    assert bars == [
        (at(1.0), at(1.1), "more"),
        (at(1.1), at(1.05), "less"),
        (at(1.05), at(1.07), "more"),
        (at(1.0), at(1.07), "whole"),
    ]
    assert found.compact()["teams"][2] == [100, -50, 20, 1070]  # type: ignore[index]


def test_a_row_without_a_split_has_no_waterfall(bundle: Bundle) -> None:
    found = waterfalls(bundle)
    assert found is not None
    assert found.chart(8, "") is None
    assert found.compact()["teams"][8] is None  # type: ignore[index]


# Options, pace and the audit


def test_options_keep_their_order_and_this_plan_is_marked(bundle: Bundle) -> None:
    found = options.side_by_side(bundle)
    assert found is not None
    assert found.names == ["Status quo", "This plan", "Equal per adult"]
    assert found.own == 1
    frame = bundle.beside["options"]
    rows = {label: figures for label, _, figures in found.rows}
    assert rows["Teams that gain"] == [str(count) for count in frame["teams_gaining"]]


def test_without_posts_now_no_option_has_a_change() -> None:
    found = options.side_by_side(sample(current=False))
    assert found is not None
    assert found.names == ["This plan", "Equal per adult"]
    assert not [label for label, _, _ in found.rows if "lose" in label and "Teams" not in label]


def test_posts_of_a_team_by_year_are_in_one_row(bundle: Bundle) -> None:
    found = options.teams_by_year(bundle)
    assert found is not None
    pace = bundle.beside["pace"]
    own = pace[pace["team"] == "U10003"]
    row = [text for text, _ in found.rows[2]]
    wanted = [own["opening"].iloc[0], *own["posts"]]
    assert row[:5] == ["Darrow Valley", *(f"{value:.1f}" for value in wanted)]
    assert [label for label, _, _ in found.heads] == [
        "Team", "Now", "Year 1", "Year 2", "Year 3", "Target, year 3", "Distance left, year 3",
    ]  # fmt: skip


def test_the_way_to_target_has_a_mark_for_now_and_each_year(bundle: Bundle) -> None:
    found = ranges.pace_chart(bundle)
    assert found is not None
    assert all([mark.kind for mark in row.marks] == ["before", "step", "step", "after"] for row in found.rows)
    pace = bundle.beside["pace"]
    first = pace[pace["team"] == "U10001"]
    start = first["opening"].iloc[0] / first["target"].iloc[0] - 1
    assert found.rows[0].cells[0] == f"{start:+.1%}".replace("-", "−")


def test_lorenz_curves_say_what_the_worse_served_have(bundle: Bundle) -> None:
    """The sample's posts now are share ** 1.2: 0.2 ** 1.2 = 0.1450 by hand."""
    found = fairness.lorenz(bundle)
    assert found is not None
    assert [name for _, name, _ in found.curves] == ["Posts now", "This plan", "Equal per adult"]
    assert found.curves[0][2].startswith("0,100 ")
    assert found.curves[0][2].endswith(" 100,0")
    assert found.table.rows[0][1][0] == "14.5%"


def test_gradients_are_read_from_the_rows_of_areas(bundle: Bundle) -> None:
    frame = bundle.beside["inequality_by_group"]
    of_teams = frame.assign(level="teams", relative_to_all=9.0)
    of_people = frame.assign(against="people", relative_to_all=8.0)
    mixed = pd.concat([of_teams, frame, of_people], ignore_index=True)
    found = fairness.gradient_chart(replace(bundle, beside={**bundle.beside, "inequality_by_group": mixed}))
    assert found == fairness.gradient_chart(bundle)
    assert found is not None
    assert [row.cells[0] for row in found.rows] == ["0.90", "0.95", "1.00", "1.05", "1.10"]


def test_measures_stand_with_their_intervals(bundle: Bundle) -> None:
    found = fairness.measures(bundle)
    assert found is not None
    assert found.resources == ["Posts now", "This plan", "Equal per adult"]
    slope = found.rows[0]
    assert slope[0] == "Slope index"
    assert slope[2][0] == ("+0.050", "+0.030 to +0.070")
    assert "Positive: more per need where less deprived." in slope[1]
    # All of it would move inside the one ICB: said once.
    assert [label for label, _, _ in found.rows].count("Posts out of step") == 1
    assert "Posts out of step within ICBs" not in [label for label, _, _ in found.rows]


def test_too_few_areas_are_said_and_no_interval(bundle: Bundle) -> None:
    frame = bundle.beside["inequality"].assign(too_few_areas=True)
    found = fairness.measures(replace(bundle, beside={**bundle.beside, "inequality": frame}))
    assert found is not None
    assert {words for _, _, cells in found.rows for _, words in cells} == {"too few areas to say"}


# The page as a whole


def test_sections_are_there_only_with_their_tables(bundle: Bundle) -> None:
    bare = replace(bundle, beside={}, said={})
    html = page(bare)
    for place in ("options", "team", "pace", "sure", "behind", "evidence"):
        assert f'<section id="{place}"' in page(bundle)
        assert f'<section id="{place}"' not in html
        assert f'href="#{place}"' not in html
    assert team_sheets(bare).count("<article") == 8


@pytest.mark.parametrize("name", sorted(sample().beside))
def test_any_table_may_be_missing(bundle: Bundle, name: str) -> None:
    assert page(without(bundle, name))
    assert team_sheets(without(bundle, name))


def test_findings_of_one_heading_stand_together(bundle: Bundle) -> None:
    headed = replace(bundle, sentences=("a", "b", "c", "d"), headings=("asked", "says", "sure", "says"))
    assert findings(headed) == [("says", ("b", "d")), ("sure", ("c",))]
    assert findings(replace(headed, headings=())) == [("", ("b", "c", "d"))]


def test_the_first_team_shown_has_the_most_need_for_each_adult(bundle: Bundle) -> None:
    teams = bundle.allocation.copy()
    teams.loc[8, bundle.need_index] = 99.0  # the group without posts
    index = teams[bundle.need_index].iloc[:8]
    assert first_team(replace(bundle, allocation=teams)) == int(np.argmax(index))


def test_a_table_too_long_for_the_page_says_where_it_is(bundle: Bundle, monkeypatch: Any) -> None:
    monkeypatch.setattr(shown, "MOST_ROWS", 3)
    found = shown.shown(bundle, "need_range")
    assert found.rows == []
    assert "tables/need_range.csv" in found.left_out
    assert "8 rows: in the workbook" in page(bundle)


def test_every_section_of_the_contents_is_on_the_page(bundle: Bundle) -> None:
    html = page(bundle)
    for line in html.split('<li><a href="#')[1:16]:
        assert f'<section id="{line.split(chr(34))[0]}"' in html
    nothing = dict.fromkeys(
        ("options", "waterfall", "team_options", "team_pace", "pace_chart", "sensitivity_chart",
         "range_chart", "observed_chart", "beside", "evidence", "texts", "questions")
    )  # fmt: skip
    assert [place for place, _ in contents(bundle, nothing)] == [
        "findings", "teams", "map", "chart", "fairness", "coverage", "assumptions", "checks", "sources",
        "reading",
    ]  # fmt: skip


def test_each_question_is_asked_once_under_its_domain(bundle: Bundle) -> None:
    asked = questions(bundle)
    assert asked[0][0] == "Host"
    assert sum(len(each) for _, each in asked) == bundle.beside["checklist"]["question"].nunique()


def test_withheld_posts_of_an_option_are_marked(bundle: Bundle) -> None:
    frame = bundle.beside["options_by_team"].copy()
    frame["suppressed"] = np.where(frame["team"] == "U10001", "posts change", "")
    frame.loc[frame["team"] == "U10001", ["posts", "change"]] = np.nan
    found = replace(bundle, beside={**bundle.beside, "options_by_team": frame})
    by_option = options.teams_by_option(found)
    assert by_option is not None
    assert [text for text, _ in by_option.rows[0][1:]] == ["[c]"] * 3
    compact = options.of_each_team(found, "options_by_team", "option")
    assert compact is not None
    assert compact["teams"][0] == [["[c]", "[c]"]] * 3
    assert compact["teams"][8] is None
