"""One zero-inflated Poisson on the same persons by needsalloc, pscl, glmmTMB and statsmodels, in one run.

`python benchmarks/fitting_beside.py [--people 100000] [--predictors banded exact] [--out FILE]`. Every fit
has a process of its own with one thread; packages are loaded before its time starts, and for statsmodels the
design is made before too. Ratios are of CPU seconds, since others may work on the machine. Age and score are
standardised beforehand, for all alike. Of each the log-likelihood is held against the best of all, and its
worst coefficient against ours, in standard errors. What fails, or is not installed, has no time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fitting import UNKNOWN, cohort_of

HERE = Path(__file__).resolve()
ROUNDS = 5
# How often a coefficient's own standard error a peer may be off and still be said to have converged.
CONVERGED = 0.01
OURS, FROM_CELLS = "needsalloc", "needsalloc, collapsed before"
R_PEERS = {
    "pscl": "pscl, its defaults",
    "pscl_em": "pscl, EM",
    "pscl_tight": "pscl, reltol = 1e-14",
    "glmmTMB": "glmmTMB, its defaults",
    "glmmTMB_longer": "glmmTMB, 20,000 evaluations",
}
STATSMODELS = {
    "bfgs": "statsmodels, BFGS",
    "newton": "statsmodels, Newton",
}
# Of these the same persons, grouped with the count in the key, are fitted too.
ON_CELLS = ("pscl", "pscl_tight")
# How many times as fast needsalloc is to be, on banded services.
PROMISED = {"pscl, reltol = 1e-14": 80, "glmmTMB, 20,000 evaluations": 20, "statsmodels, BFGS": 150}


def persons(people: int, values: str) -> tuple[str, pd.DataFrame]:
    """A formula and persons with its columns, `contacts` and `people`."""
    cohort = cohort_of(people, values)
    terms = cohort.coefficients.index.drop(["Intercept", UNKNOWN])
    rows = cohort.rows()[[*(term for term in terms if ":" not in term), "contacts"]]
    for name in ("age", "imd_score"):
        rows[name] = (rows[name] - rows[name].mean()) / rows[name].std()
    return "contacts ~ " + " + ".join(terms), rows.assign(people=1)


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    clock, processor = time.perf_counter(), time.process_time()
    found = work()
    seconds = {"CPU seconds": time.process_time() - processor, "seconds": time.perf_counter() - clock}
    return found, seconds


def by_needsalloc(file: Path, formula: str, *, cells: bool) -> dict[str, Any]:
    """The median of several fits in one process, and the first of them."""
    import needsalloc
    from needsalloc.collapse import collapse
    from needsalloc.fit import fit

    rows = pd.read_csv(file).drop(columns="people")
    columns = [name for name in rows if name != "contacts"]
    data = collapse(rows, columns, count="contacts") if cells else rows
    taken = []
    for _ in range(ROUNDS):
        found, seconds = timed(lambda: fit(formula, data))
        taken.append(seconds)
    return {
        **{name: statistics.median(one[name] for one in taken) for name in taken[0]},
        "first": taken[0]["CPU seconds"],
        "cells": found.cells,
        "says": "converged",
        "log_likelihood": found.log_likelihood,
        "coefficients": found.coefficients.tolist(),
        "errors": found.inference.standard_errors.tolist(),
        "version": f"needsalloc {needsalloc.__version__}",
    }


def by_statsmodels(file: Path, formula: str, method: str) -> dict[str, Any]:
    try:
        import statsmodels
        from statsmodels.discrete.count_model import ZeroInflatedPoisson
    except ImportError:
        return {"absent": "statsmodels is not installed"}
    from formulaic import model_matrix

    rows = pd.read_csv(file)
    matrix = model_matrix(formula.split("~")[1], rows).to_numpy(np.float64)
    model = ZeroInflatedPoisson(rows["contacts"].to_numpy(), matrix, exog_infl=matrix)
    try:
        found, seconds = timed(lambda: model.fit(method=method, maxiter=5_000, disp=0))
    except np.linalg.LinAlgError as fault:
        return {"failed": str(fault)}
    # Its inflation comes first.
    ours = np.roll(np.arange(2 * matrix.shape[1]), matrix.shape[1])
    return {
        **seconds,
        "says": "converged" if found.mle_retvals["converged"] else "did not converge",
        "log_likelihood": float(found.llf),
        "coefficients": found.params[ours].tolist(),
        "errors": found.bse[ours].tolist(),
        "version": f"statsmodels {statsmodels.__version__}",
    }


def by_r(peer: str, file: Path, formula: str) -> dict[str, Any]:
    if shutil.which("Rscript") is None:
        return {"absent": "R is not installed"}
    return _answer(["Rscript", str(HERE.with_name("rivals.R")), peer, str(file), formula])


def here(way: str, file: Path, formula: str) -> dict[str, Any]:
    """Ways that run in Python."""
    if way in STATSMODELS:
        return by_statsmodels(file, formula, way)
    return by_needsalloc(file, formula, cells=way == FROM_CELLS)


def in_own_process(way: str, file: Path, formula: str) -> dict[str, Any]:
    if way in R_PEERS:
        return by_r(way, file, formula)
    return _answer([sys.executable, str(HERE), "--way", way, "--file", str(file), "--formula", formula])


def _answer(command: list[str]) -> dict[str, Any]:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | one_thread)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(people: int, values: str, folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """A row for each way of fitting, ours first; and the versions."""
    formula, rows = persons(people, values)
    file, grouped = folder / f"{values}.csv", folder / f"{values}-cells.csv"
    rows.to_csv(file, index=False)
    keys = [name for name in rows if name != "people"]
    cells = rows.groupby(keys, as_index=False)["people"].sum()
    cells.to_csv(grouped, index=False)
    print(f"{values}: {len(rows):,} persons, {len(cells):,} distinct", file=sys.stderr, flush=True)
    named = R_PEERS | STATSMODELS
    runs = [(OURS, OURS, file), (FROM_CELLS, FROM_CELLS, file)]
    runs += [(way, what, file) for way, what in named.items()]
    runs += [(way, f"{named[way]}, on cells", grouped) for way in ON_CELLS]
    found = []
    for way, what, data in runs:
        found.append({"what": what, **in_own_process(way, data, formula)})
        print({name: one for name, one in found[-1].items() if not isinstance(one, list)}, file=sys.stderr)
    return _compared(pd.DataFrame(found)), sorted({one["version"] for one in found if "version" in one})


def _compared(found: pd.DataFrame) -> pd.DataFrame:
    """Ratios to ours, and how far each is from the best likelihood and from our coefficients."""
    ours = found.iloc[0]
    error = np.array(ours["errors"], dtype=np.float64)

    def off(coefficients: Any) -> float:
        if not isinstance(coefficients, list):
            return np.nan
        return float(np.max(np.abs(np.subtract(coefficients, ours["coefficients"])) / error))

    return found.assign(
        ratio=found["CPU seconds"] / ours["CPU seconds"],
        below=found["log_likelihood"].max() - found["log_likelihood"],
        off=found["coefficients"].map(off),
    ).reset_index(drop=True)


def document(people: int, values: str, found: pd.DataFrame) -> str:
    ours = found.iloc[0]
    lines = [
        f"## {people:,} persons, predictors {values}: {int(ours['cells']):,} cells, "
        f"{len(ours['coefficients'])} coefficients",
        "",
        f"The first fit of a process takes needsalloc {ours['first']:.2f} CPU s, the median of "
        f"{ROUNDS} {ours['CPU seconds']:.2f}.",
        "",
        "| what | CPU s | clock, s | times ours | promised | says | below the best | worst off, SE |",
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for one in found.to_dict("records"):
        lines.append(_line(one, values))
    return "\n".join(lines)


def _line(one: dict[str, Any], values: str) -> str:
    for fault in ("absent", "failed"):
        if isinstance(one.get(fault), str):
            return f"| {one['what']} | | | | | {fault}: {one[fault]} | | |"
    promised = PROMISED.get(one["what"], "") if values == "banded" else ""
    says = one["says"] if one["off"] <= CONVERGED else f"{one['says']}, beside the optimum"
    return (
        f"| {one['what']} | {one['CPU seconds']:.2f} | {one['seconds']:.2f} | {one['ratio']:.1f} "
        f"| {promised} | {says} | {one['below']:.1e} | {one['off']:.1e} |"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--predictors", nargs="+", choices=("banded", "exact"), default=["banded", "exact"])
    parser.add_argument("--out", type=Path, help="file to write as well")
    parser.add_argument("--way", help="one way here and now, its figures as JSON")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--formula")
    asked = parser.parse_args(arguments)
    if asked.way:
        warnings.simplefilter("ignore")
        print(json.dumps(here(asked.way, asked.file, asked.formula)))
        return
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    parts, versions = [], set()
    with tempfile.TemporaryDirectory() as scratch:
        for values in asked.predictors:
            found, used = measure(asked.people, values, Path(scratch))
            parts.append(document(asked.people, values, found))
            versions |= set(used)
    text = "\n\n".join([f"Load in the minute before: {load}. {', '.join(sorted(versions))}.", *parts])
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
