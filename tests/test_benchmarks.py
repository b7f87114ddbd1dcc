"""The benchmarks run on a small sample. How long they take is not tested here: machines differ."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"


def bench(*arguments, **environment):
    return subprocess.run(
        [sys.executable, RUN, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.slow
def test_a_quick_sample_measures_every_case_or_says_why_not(tmp_path):
    done = bench("--quick", "--out", tmp_path / "results.md")
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert written.strip() == done.stdout.strip()
    sections = dict(part.split("\n", 1) for part in written.split("\n## ")[1:])
    assert len(sections) == 9
    skipped = [title for title, body in sections.items() if body.strip().startswith("skipped: ")]
    assert skipped == [
        "All of England, July 2023, files to folder",
        "Every need measure of England that these files feed, files to tables by PCN, ICB and area",
    ]
    assert all(body.count("\n| ") > 3 for title, body in sections.items() if title not in skipped)
    assert "| peak memory | " in written
    for engine in ("pandas", "polars", "duckdb"):
        ran = f"| from files: needsalloc over {engine} | " in written
        assert ran != (f"| {engine} | skipped: not installed |" in written)
    assert str(tmp_path) not in written


def test_without_official_files_their_cases_are_skipped_by_name(tmp_path):
    done = bench(
        "--only",
        "england",
        "--only",
        "reading",
        "--out",
        tmp_path / "r.md",
        NEEDSALLOC_DATA=str(tmp_path / "no"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("skipped: NEEDSALLOC_DATA names no folder") == 2


def test_engines_that_differ_are_told_apart(monkeypatch):
    monkeypatch.syspath_prepend(RUN.parent)
    rivals = importlib.import_module("rivals")
    index = pd.MultiIndex.from_product([["proportional"], ["U1", "U2"]])
    ours = pd.DataFrame({"registered": [5.0, 0.0], "resident": [4.0, 0.0]}, index)
    rivals.same(ours, ours.iloc[:1])
    for other in (ours * 1.001, ours.rename({"U1": "U3"}), ours.replace(0.0, 1.0)):
        with pytest.raises(AssertionError):
            rivals.same(ours, other)


def test_a_figure_above_its_promise_is_a_failure(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(RUN.parent)
    run = importlib.import_module("run")
    for seconds, code in ((0.2, 0), (0.4, 1)):
        figure = run.Figure("added", seconds, "s", at_most=0.3)
        monkeypatch.setattr(run, "in_own_process", lambda *_, found=figure, **__: [found])
        assert run.main(["--only", "importing", "--out", str(tmp_path / "results.md")]) == code
        assert f"| added | {seconds:.2f} s | 0.3 s |" in capsys.readouterr().out
