"""Persons made, collapsed and fitted: how long it takes and how much memory, up to 57 million of them.

`python benchmarks/fitting.py [--sizes 100000 2500000 57000000] [--persons FOLDER] [--memory 1GB] [--exact]`.
Persons of a made-up linked cohort are written as Parquet (kept in FOLDER for the next time), and fitted from
there. Each step runs in a process of its own, so that its peak memory is its own. On two idle cores a step
takes half its CPU seconds at best; where others work too, these say more than the clock. With `--exact` ages,
scores and services are as they are; `--sample` counts the cells of people of a cohort of all of England.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from cases import GB, peak_memory

SIZES = (100_000, 2_500_000, 57_000_000)
SUPPLY = "district_nurses_per_10000"
# Whose ethnicity is not known would drop out: it is left out as a predictor.
UNKNOWN = "minority_ethnicity"
EVERYBODY = 57_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """People of a cohort whose predictors are so fine, their folder, and the memory that DuckDB may use."""

    people: int
    detail: str
    persons: Path
    memory: str


Step = Callable[[Case], dict[str, Any]]


def values_of(people: int) -> str:
    """Services in bands for the smallest cohort, yes or no for the others."""
    return "banded" if people <= 100_000 else "flags"


def cohort_of(people: int, values: str | None = None) -> Any:
    """A cohort in as many areas and teams as so many people have in England; predictors as `values_of`."""
    from needsalloc import synthetic
    from needsalloc.linked import linked_cohort

    share = min(people / 57_000_000, 1.0)
    england = synthetic.england(
        areas=max(round(33_755 * share), 60),
        pcns=max(round(1_300 * share), 10),
        icbs=max(round(36 * share), 1),
    )
    return linked_cohort(people, england=england, values=values or values_of(people))


def design(case: Case, *, supply: bool) -> tuple[str, list[str]]:
    """The formula and its columns."""
    cohort = cohort_of(case.people, case.detail)
    terms = cohort.coefficients.index.drop(["Intercept", UNKNOWN, *([] if supply else [SUPPLY])])
    return "contacts ~ " + " + ".join(terms), [term for term in terms if ":" not in term]


def opened(case: Case) -> Any:
    """The persons as a DuckDB relation on two threads, in no more memory than this."""
    import duckdb

    base = duckdb.connect(config={"threads": 2, "memory_limit": case.memory})
    return base.read_parquet(f"{case.persons}/*.parquet")


def make(case: Case) -> dict[str, Any]:
    distinct = cohort_of(case.people, case.detail).write(case.persons)
    size = sum(part.stat().st_size for part in case.persons.iterdir())
    return {"distinct": distinct.to_dict(), "GB of Parquet": size / GB}


def collapsed(case: Case, *, supply: bool) -> dict[str, Any]:
    from needsalloc.collapse import collapse

    _, columns = design(case, supply=supply)
    start, processor = time.perf_counter(), time.process_time()
    cells = collapse(opened(case), columns, count="contacts")
    return {
        "seconds": time.perf_counter() - start,
        "CPU seconds": time.process_time() - processor,
        "cells": len(cells),
        "people to a cell": cells.compression,
        "people alone": cells.alone,
    }


def fitted(case: Case, *, supply: bool) -> dict[str, Any]:
    from needsalloc.collapse import collapse
    from needsalloc.fit import fit

    formula, columns = design(case, supply=supply)
    start, processor = time.perf_counter(), time.process_time()
    cells = collapse(opened(case), columns, count="contacts")
    halfway, half = time.perf_counter(), time.process_time()
    found = fit(formula, cells, family="zip", centre=["age", "imd_score"])
    return {
        "seconds": time.perf_counter() - start,
        "CPU seconds": time.process_time() - processor,
        "collapse, seconds": halfway - start,
        "collapse, CPU seconds": half - processor,
        "cells": found.cells,
        "iterations": found.iterations,
        "worst error": float(found.inference.standard_errors.max()),
    }


STEPS: dict[str, Step] = {
    "made": make,
    "collapsed": lambda case: collapsed(case, supply=False),
    "collapsed, supply by team": lambda case: collapsed(case, supply=True),
    "fitted": lambda case: fitted(case, supply=False),
    "fitted, supply by team": lambda case: fitted(case, supply=True),
}


def sampled(values: str, chunks: int) -> pd.DataFrame:
    """How many cells so many people of all of England have: a row for each million, drawn from everywhere."""
    cohort = cohort_of(EVERYBODY, values)
    columns = list(cohort.coefficients.index.drop(["Intercept", UNKNOWN]))
    columns = [name for name in columns if ":" not in name]
    people, cells, rows = 0, pd.DataFrame(), []
    for chunk in islice(cohort.chunks(), chunks):
        people += len(chunk)
        here = chunk.groupby(columns, as_index=False).size()
        cells = pd.concat([cells, here]).groupby(columns, as_index=False)["size"].sum()
        alone = (cells["size"] == 1).sum()
        rows.append({"people": people, "cells": len(cells), "alone": alone, "to a cell": people / len(cells)})
    return pd.DataFrame(rows)


def in_own_process(step: str, case: Case) -> dict[str, Any]:
    """A step's figures from a fresh interpreter; `seconds` is the step's own or all that the process took."""
    command = [sys.executable, __file__, "--step", step, "--sizes", str(case.people)]
    command += ["--persons", str(case.persons), "--memory", case.memory]
    command += ["--exact"] * (case.detail == "exact")
    start, load = time.perf_counter(), os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{step} of {case.people:,} failed:\n{done.stderr}")
    found = {"seconds": time.perf_counter() - start} | json.loads(done.stdout.splitlines()[-1])
    return found | {"load before": load}


def measure(case: Case, steps: Sequence[str]) -> pd.DataFrame:
    """A row for each step of this size."""
    rows = []
    for step in ["made", *steps]:
        if step == "made" and case.persons.exists():
            continue
        found = in_own_process(step, case)
        for column, distinct in found.pop("distinct", {}).items():
            print(f"    {column}: {distinct:,} distinct values")
        rows.append({"people": case.people, "values": case.detail, "step": step, **found})
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    steps = [step for step in STEPS if step != "made"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--steps", choices=steps, nargs="+", default=steps)
    parser.add_argument("--persons", type=Path)
    parser.add_argument("--memory", default="1GB", help="what DuckDB may use")
    parser.add_argument("--exact", action="store_true", help="every predictor as it is, none in bands")
    parser.add_argument(
        "--sample", type=int, metavar="MILLIONS", help="only count the cells of so many people"
    )
    parser.add_argument("--step", choices=STEPS, help="one step here and now, its figures as JSON")
    asked = parser.parse_args()
    if asked.sample:
        print(sampled("exact" if asked.exact else "flags", asked.sample).to_string(index=False))
        return

    def case(people: int, persons: Path) -> Case:
        return Case(people, "exact" if asked.exact else values_of(people), persons, asked.memory)

    if asked.step:
        warnings.simplefilter("ignore")
        found = STEPS[asked.step](case(asked.sizes[0], asked.persons))
        print(json.dumps(found | {"peak GB": peak_memory() / GB}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.persons or Path(scratch)
        cases = [case(people, folder) for people in asked.sizes]
        named = [replace(one, persons=folder / f"{one.people}-{one.detail}") for one in cases]
        tables = [measure(one, asked.steps) for one in named]
    print(pd.concat(tables).to_string(index=False))


if __name__ == "__main__":
    main()
