"""Persons made, collapsed and fitted: how long it takes and how much memory, up to 57 million of them.

`python benchmarks/fitting.py [--sizes 100000 2500000 57000000] [--persons FOLDER] [--memory 1GB]`. Persons of
a made-up linked cohort are written as Parquet (kept in FOLDER for the next time), and fitted from there. Each
step runs in a process of its own, so that its peak memory is its own. On two idle cores a step takes half its
CPU seconds at best; where others work too, these say more than the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from cases import GB, peak_memory

SIZES = (100_000, 2_500_000, 57_000_000)
SUPPLY = "district_nurses_per_10000"
# Whose ethnicity is not known would drop out: it is left out as a predictor.
UNKNOWN = "minority_ethnicity"
Step = Callable[[int, Path, str], dict[str, Any]]


def values_of(people: int) -> str:
    """Services in bands for the smallest cohort, yes or no for the others."""
    return "banded" if people <= 100_000 else "flags"


def cohort_of(people: int) -> Any:
    """A cohort in as many areas and teams as so many people have in England."""
    from needsalloc import synthetic
    from needsalloc.linked import linked_cohort

    share = min(people / 57_000_000, 1.0)
    england = synthetic.england(
        areas=max(round(33_755 * share), 60),
        pcns=max(round(1_300 * share), 10),
        icbs=max(round(36 * share), 1),
    )
    return linked_cohort(people, england=england, values=values_of(people))


def design(people: int, *, supply: bool) -> tuple[str, list[str]]:
    """The formula and its columns."""
    terms = cohort_of(people).coefficients.index.drop(["Intercept", UNKNOWN, *([] if supply else [SUPPLY])])
    return "contacts ~ " + " + ".join(terms), [term for term in terms if ":" not in term]


def opened(persons: Path, memory: str) -> Any:
    """The persons as a DuckDB relation on two threads, in no more memory than this."""
    import duckdb

    base = duckdb.connect(config={"threads": 2, "memory_limit": memory})
    return base.read_parquet(f"{persons}/*.parquet")


def make(people: int, persons: Path, memory: str) -> dict[str, Any]:
    distinct = cohort_of(people).write(persons)
    size = sum(part.stat().st_size for part in persons.iterdir())
    return {"distinct": distinct.to_dict(), "GB of Parquet": size / GB}


def collapsed(people: int, persons: Path, memory: str, *, supply: bool) -> dict[str, Any]:
    from needsalloc.collapse import collapse

    _, columns = design(people, supply=supply)
    start = time.perf_counter()
    cells = collapse(opened(persons, memory), columns, count="contacts")
    return {
        "seconds": time.perf_counter() - start,
        "CPU seconds": time.process_time(),
        "cells": len(cells),
        "people to a cell": cells.compression,
        "people alone": cells.alone,
    }


def fitted(people: int, persons: Path, memory: str, *, supply: bool) -> dict[str, Any]:
    from needsalloc.fit import fit

    formula, _ = design(people, supply=supply)
    start = time.perf_counter()
    found = fit(formula, opened(persons, memory), family="zip", centre=["age", "imd_score"])
    seconds, processor = time.perf_counter() - start, time.process_time()
    return {"seconds": seconds, "CPU seconds": processor, "iterations": found.iterations}


STEPS: dict[str, Step] = {
    "made": make,
    "collapsed": lambda *given: collapsed(*given, supply=False),
    "collapsed, supply by team": lambda *given: collapsed(*given, supply=True),
    "fitted": lambda *given: fitted(*given, supply=False),
    "fitted, supply by team": lambda *given: fitted(*given, supply=True),
}


def in_own_process(step: str, people: int, persons: Path, memory: str) -> dict[str, Any]:
    """A step's figures from a fresh interpreter; `seconds` is the step's own or all that the process took."""
    command = [sys.executable, __file__, "--step", step, "--sizes", str(people)]
    command += ["--persons", str(persons), "--memory", memory]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{step} of {people:,} failed:\n{done.stderr}")
    return {"seconds": time.perf_counter() - start} | json.loads(done.stdout.splitlines()[-1])


def measure(people: int, folder: Path, memory: str) -> pd.DataFrame:
    """A row for each step of this size."""
    persons = folder / f"{people}-{values_of(people)}"
    rows = []
    for step in STEPS:
        if step == "made" and persons.exists():
            continue
        found = in_own_process(step, people, persons, memory)
        for column, distinct in found.pop("distinct", {}).items():
            print(f"    {column}: {distinct:,} distinct values")
        rows.append({"people": people, "step": step, **found})
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--persons", type=Path)
    parser.add_argument("--memory", default="1GB", help="what DuckDB may use")
    parser.add_argument("--step", choices=STEPS, help="one step here and now, its figures as JSON")
    asked = parser.parse_args()
    if asked.step:
        warnings.simplefilter("ignore")
        found = STEPS[asked.step](asked.sizes[0], asked.persons, asked.memory)
        print(json.dumps(found | {"peak GB": peak_memory() / GB}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.persons or Path(scratch)
        tables = [measure(people, folder, asked.memory) for people in asked.sizes]
    print(pd.concat(tables).to_string(index=False))


if __name__ == "__main__":
    main()
