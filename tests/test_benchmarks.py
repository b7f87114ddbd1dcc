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


@pytest.mark.slow
def test_fits_side_by_side_are_of_one_likelihood(monkeypatch, tmp_path):
    """A quick sample of all ways to fit; what is not installed is named and has no time."""
    monkeypatch.syspath_prepend(RUN.parent)
    beside = importlib.import_module("fitting_beside")
    monkeypatch.setattr(beside, "ON_CELLS", ())
    monkeypatch.setattr(beside, "R_PEERS", {"pscl_tight": "pscl, reltol = 1e-14"})
    monkeypatch.setattr(beside, "STATSMODELS", {})
    found, versions = beside.measure(3_000, "banded", tmp_path)
    text = beside.document(3_000, "banded", found)
    assert found["what"].tolist() == ["needsalloc", "needsalloc, collapsed before", "pscl, reltol = 1e-14"]
    assert text.count("\n| ") == 4
    assert versions
    assert found["ratio"].iloc[0] == 1
    # The same persons, so the same optimum: 1e-9 is rounding, 1e-4 standard errors what R's BFGS leaves.
    assert found["off"].iloc[1] < 1e-9
    assert found["off"].iloc[2] < 1e-4 or "| absent: " in text


def test_a_peer_beside_the_optimum_or_without_an_answer_is_told(monkeypatch):
    monkeypatch.syspath_prepend(RUN.parent)
    beside = importlib.import_module("fitting_beside")
    ours = {
        "what": "needsalloc",
        "CPU seconds": 0.5,
        "seconds": 1.0,
        "first": 1.0,
        "cells": 9,
        "says": "converged",
    }
    ours |= {"log_likelihood": -10.0, "coefficients": [1.0, 2.0], "errors": [0.1, 0.5]}
    peer = ours | {"what": "pscl", "CPU seconds": 40.0, "log_likelihood": -10.5, "coefficients": [1.0, 2.25]}
    absent = {"what": "statsmodels, BFGS", "absent": "statsmodels is not installed"}
    found = beside._compared(pd.DataFrame([ours, peer, absent]))
    text = beside.document(10, "exact", found)
    assert "| pscl | 40.00 | 1.00 | 80.0 |  | converged, beside the optimum | 5.0e-01 | 5.0e-01 |" in text
    assert "| statsmodels, BFGS | | | | | absent: statsmodels is not installed | | |" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:<Cells")
def test_persons_are_made_collapsed_and_fitted(monkeypatch, tmp_path):
    """Every step of the large runs, on few people: flags have fewer cells than values as they are."""
    pytest.importorskip("duckdb")
    monkeypatch.syspath_prepend(RUN.parent)
    fitting = importlib.import_module("fitting")
    cells = {}
    for detail in ("flags", "exact"):
        case = fitting.Case(20_000, detail, tmp_path / detail, "1GB")
        assert fitting.make(case)["distinct"]["female"] == 2
        cells[detail] = fitting.collapsed(case, supply=True)["cells"]
        found = fitting.fitted(case, supply=True)
        assert found["cells"] == cells[detail]
        assert 0 < found["CPU seconds"]
    assert cells["flags"] < cells["exact"] <= 20_000
