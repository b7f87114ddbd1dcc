"""A planner's folder for tests of the command: made-up files and a plan, to be spoilt one at a time."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from needsalloc import cli, synthetic

REGISTRATIONS = "gp-reg-pat-prac-lsoa-all.csv"
MAP = "gp-reg-pat-prac-map.csv"
LISTS = "gp-reg-pat-prac-sing-age.csv"
POPULATION = "population.csv"
DEPRIVATION = "imd-file-7.csv"
CONDITIONS = "PREVALENCE.csv"
CURRENT = "current.csv"

PLAN = f"""\
[plan]
title = "District nursing in two made-up ICBs"
total = 20.0
step = 0.5

[inputs]
registrations = "{REGISTRATIONS}"
membership = "{MAP}"
population = "{POPULATION}"
deprivation = {{ path = "{DEPRIVATION}", edition = "synthetic" }}
lists = "{LISTS}"
conditions = "{CONDITIONS}"
current = "{CURRENT}"

[catchment]

[need]
base = "icb"

[allocate]
minimum = 1.0

[report]
out = "report"
"""


@cache
def england() -> synthetic.SyntheticEngland:
    """Two ICBs, QZZ and QZY, of two PCNs each, U90001 to U90004, on 40 areas."""
    return synthetic.england(areas=40, pcns=4, icbs=2)


@cache
def _files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        england().write(folder)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def write_files(folder: Path, plan: str = PLAN) -> Path:
    """Write the files and the plan into a new `folder`; returns the plan's path."""
    folder.mkdir(parents=True)
    for name, data in _files().items():
        (folder / name).write_bytes(data)
    (folder / "plan.toml").write_text(plan, encoding="utf-8")
    return folder / "plan.toml"


def edit(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    """A fault: the file `name` of a folder with its rows or columns changed, all cells being text."""

    def spoil(folder: Path) -> None:
        change(pd.read_csv(folder / name, dtype="str", keep_default_na=False)).to_csv(
            folder / name, index=False
        )

    return spoil


def first_cells(name: str, column: str, *values: str) -> Callable[[Path], None]:
    """A fault: the first rows of a column hold these values."""

    def put(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[: len(values) - 1, column] = list(values)
        return rows

    return edit(name, put)


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it said where."""

    code: int
    out: str
    err: str


def command(*arguments: object) -> Ended:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    return Ended(code, out.getvalue(), err.getvalue())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder: its path there -> its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
