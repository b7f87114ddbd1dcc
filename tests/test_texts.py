"""The documents say what the run knows, and leave to people what only they know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from needsalloc.report import Assumption, Source, write
from needsalloc.report.markdown import to_html
from needsalloc.report.texts import TO_FILL, documents
from needsalloc.withheld import disclose
from report_samples import sample

SAMPLE = sample()
TEXTS = documents(SAMPLE)


def test_each_document_is_a_file_of_the_report_and_a_part_of_its_page(tmp_path: Path) -> None:
    bundle = disclose(SAMPLE)
    write(bundle, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    for name, text in documents(bundle).items():
        assert (tmp_path / "out" / f"{name}.md").read_text(encoding="utf-8") == text
    assert "Supplier: none" in page


@pytest.mark.parametrize("name", ["equality", "data-flow", "transparency"])
def test_a_document_says_of_which_plan_it_is_for_whom_and_what_is_left_to_fill(name: str) -> None:
    text = TEXTS[name]
    assert text.startswith("# ")
    assert SAMPLE.title in text.splitlines()[0]
    assert "Status: for discussion. Audience: internal" in text
    assert TO_FILL in text or "| Answer | Owner |" in text
    assert "{" not in text
    assert to_html(text).count("<h3>") == 1
    assert "Audience: public" in documents(replace(SAMPLE, audience="public"))[name]


def test_equality_has_every_row_of_the_table_and_what_must_be_read_first() -> None:
    text = TEXTS["equality"]
    table = SAMPLE.beside["equality"]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len([row for row in rows if row.split(" | ")[0][2:] in set(table["characteristic"])]) == len(table)
    assert SAMPLE.warnings[0] in text
    gaps = [found.what for found in SAMPLE.assumptions if found.kind == "gap"]
    assert gaps
    assert all(gap in text for gap in gaps)
    beside = {name: frame for name, frame in SAMPLE.beside.items() if name != "equality"}
    assert "no table by characteristic" in documents(replace(SAMPLE, beside=beside))["equality"]


def test_equality_marks_what_is_withheld() -> None:
    table = SAMPLE.beside["equality"].assign(suppressed="")
    table.loc[0, "posts_before"] = np.nan
    table.loc[0, "suppressed"] = "posts_before"
    text = documents(replace(SAMPLE, beside={**SAMPLE.beside, "equality": table}))["equality"]
    assert text.count("[c]") == 1


def test_the_data_flow_names_every_file_and_licence_and_no_rows_about_patients() -> None:
    text = TEXTS["data-flow"]
    assert f"read {len(SAMPLE.sources)} files" in text
    for source in SAMPLE.sources:
        assert source.file in text
        assert source.licence in text
    assert "no rows about patients" in text
    assert SAMPLE.attribution[0] in text
    assert "from MHCLG and NHS England." in text


def test_one_publisher_or_none_makes_a_sentence_too() -> None:
    one = documents(replace(SAMPLE, sources=SAMPLE.sources[:1]))["data-flow"]
    assert "from NHS England." in one
    assert documents(replace(SAMPLE, sources=()))["data-flow"]


def test_the_transparency_record_has_the_plans_settings_options_and_checks() -> None:
    text = TEXTS["transparency"]
    for setting, value in SAMPLE.parameters.items():
        assert f"| {setting} | {value} |" in text
    for option in SAMPLE.beside["options"]["option"]:
        assert f"- {option}: " in text
    assert "4 checks were made: 0 failed, 1 with a warning" in text
    assert "decides nothing about a person" in " ".join(text.split())
    assert "compares the plan with nothing else" in documents(replace(SAMPLE, beside={}))["transparency"]


def test_a_name_cannot_break_a_document() -> None:
    odd = Source("a | b", "x<script>.csv", "P\n# Q", "t", "r", "l", "0" * 64, 1)
    gap = Assumption("line\n# heading", "<b>why</b>", "gap", "s")
    for text in documents(replace(SAMPLE, sources=(odd,), assumptions=(gap,), title="T\n# U")).values():
        assert "<script" not in text
        assert "<b>" not in text
        assert not [line for line in text.splitlines() if line in ("# Q", "# heading", "# U")]
