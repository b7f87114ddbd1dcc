"""What is measured. Each case runs in a process of its own, so that its peak memory is its own.

A case takes a folder of files and `quick`, and returns figures. Two ways of doing one thing are timed in turn
in one process, and their results are compared, so that neither is fast by doing less.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

CORES = 2
HERE = Path(__file__).resolve()
ROOT = HERE.parent.parent
MB, GB = 1e6, 1e9
_MADE_REGISTRATIONS, _MADE_MAP = "gp-reg-pat-prac-lsoa-all.csv", "gp-reg-pat-prac-map.csv"
_MADE_PLAN = {
    "plan": {"title": "Synthetic", "total": 10_000.0, "step": 0.1},
    "inputs": {
        "registrations": _MADE_REGISTRATIONS,
        "membership": _MADE_MAP,
        "population": "population.csv",
        "deprivation": {"path": "imd-file-7.csv", "edition": "synthetic"},
        "lists": "gp-reg-pat-prac-sing-age.csv",
        "conditions": "PREVALENCE.csv",
        "boundaries": "boundaries.parquet",
    },
    "need": {"base": "icb"},
    "report": {"out": "report"},
}


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured: `at_most` is what the project promises, where it promises anything."""

    what: str
    value: float
    unit: str
    at_most: float | None = None


def in_own_process(case: str, data: Path | str = "", *, quick: bool = False) -> list[Figure]:
    """Run a case of this file in a fresh interpreter on at most two cores."""
    command = [sys.executable, str(HERE), case, str(data), str(int(quick))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{case} failed:\n{done.stderr}")
    return [Figure(**figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def reading(data: Path, quick: bool) -> list[Figure]:
    """The registration file: our reader against merely parsing the same three columns."""
    ways = {"read_registrations": _read, "three columns parsed by pyarrow": _parse}
    ours, theirs = (way(data) for way in ways.values())
    assert ours["patients"].sum() == theirs["NUMBER_OF_PATIENTS"].to_pandas().sum()
    seconds = _in_turn({name: lambda way=way: way(data) for name, way in ways.items()}, 1 if quick else 7)
    return [
        Figure("rows", len(ours), "rows"),
        *_seconds_and_ratio(seconds),
        *in_own_process("reading_ours", data),
        *in_own_process("reading_parsed", data),
    ]


def reading_ours(data: Path, quick: bool) -> list[Figure]:
    import needsalloc  # noqa: F401

    before = peak_memory()
    frame = _read(data)
    return _growth("read_registrations", before, len(frame))


def reading_parsed(data: Path, quick: bool) -> list[Figure]:
    import needsalloc  # noqa: F401 - both start from the same libraries

    before = peak_memory()
    table = _parse(data)
    return _growth("three columns parsed by pyarrow", before, table.num_rows)


def catchment(data: Path, quick: bool) -> list[Figure]:
    """Shares of every area by team from the practices' rows, and counts carried: sparse against group-by."""
    import numpy as np
    import pandas as pd

    import needsalloc as na

    registrations, members = _read(data), na.read_membership(_files(data)[1])
    made = na.Catchment.from_registrations(registrations, members)
    rng = np.random.default_rng(1)
    residents = pd.Series(rng.integers(1_000, 3_000, len(made.areas)), made.areas, name="residents")
    area = made.vintage
    flows = _grouped_shares(registrations, members, area)

    def carried_by_group() -> pd.Series:
        counts = flows["resident_share"] * flows[area].map(residents).astype(float)
        return counts.groupby(flows["team"], observed=True).sum().sort_index()

    assert np.allclose(
        np.sort(made.to_frame()["resident_share"]), np.sort(flows["resident_share"]), atol=1e-12
    )
    assert np.allclose(made.apportion(residents), carried_by_group(), rtol=1e-9)
    rounds = 1 if quick else 9
    shares = {
        "Catchment and its shares": lambda: na.Catchment.from_registrations(
            registrations, members
        ).to_frame(),
        "shares by pandas group-by": lambda: _grouped_shares(registrations, members, area),
    }
    counts = {"Catchment.apportion": lambda: made.apportion(residents), "count by group-by": carried_by_group}
    return [
        Figure("area-to-team flows", len(flows), "flows"),
        *_seconds_and_ratio(_in_turn(shares, rounds)),
        *_seconds_and_ratio(_in_turn(counts, rounds)),
    ]


def _grouped_shares(registrations, members, area):  # type: ignore[no-untyped-def]
    """The flows as a careful analyst makes them: categories, English areas, only pairs that are there."""
    english = registrations[area].cat.categories.str.startswith("E01")
    rows = registrations[english[registrations[area].cat.codes]]
    team = rows["practice"].map(members.set_index("practice")["pcn"]).astype("category")
    flows = rows.assign(team=team).groupby([area, "team"], observed=True, sort=False)["patients"].sum()
    flows = flows.reset_index()
    total = flows.groupby(area, observed=True)["patients"].transform("sum")
    return flows.assign(resident_share=flows["patients"] / total)


def england(data: Path, quick: bool) -> list[Figure]:
    """All of England, July 2023, files to folder."""
    from needsalloc.plan import read_plan

    return _plan_to_folder(read_plan(ROOT / "examples" / "england-2023.toml"), data, 30.0, 3.0)


def synthetic(data: Path, quick: bool) -> list[Figure]:
    """An England made up at full size: written as official files, then run."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            *in_own_process("synthetic_made", folder, quick=quick),
            *in_own_process("synthetic_run", folder, quick=quick),
        ]


def synthetic_made(data: Path, quick: bool) -> list[Figure]:
    import needsalloc as na

    size = {"areas": 400, "pcns": 12, "icbs": 2} if quick else {"areas": 33_755, "pcns": 1_300, "icbs": 36}
    start = time.perf_counter()
    made = na.synthetic.england(**size, seed=1)
    between = time.perf_counter()
    made.write(data, boundaries=True)
    return [
        Figure("areas", size["areas"], "areas"),
        Figure("PCNs", size["pcns"], "PCNs"),
        Figure("rows of registrations", len(made.registrations), "rows"),
        Figure("making", between - start, "s"),
        Figure("writing its files", time.perf_counter() - between, "s"),
        Figure("peak memory of making it", peak_memory() / GB, "GB"),
    ]


def synthetic_run(data: Path, quick: bool) -> list[Figure]:
    from needsalloc.plan import check_plan

    return _plan_to_folder(check_plan(_MADE_PLAN), data, 30.0, 3.0)


def importing(data: Path, quick: bool) -> list[Figure]:
    """`import needsalloc` against `import pandas`, each in a fresh interpreter."""
    ways = {
        "import pandas": lambda: _fresh("import pandas"),
        "import needsalloc": lambda: _fresh("import needsalloc"),
    }
    seconds = _in_turn(ways, 1 if quick else 9)
    added = seconds["import needsalloc"] - seconds["import pandas"]
    return [
        *(Figure(name, value, "s") for name, value in seconds.items()),
        Figure("added by needsalloc", added, "s", None if quick else 0.3),
    ]


CASES: dict[str, Callable[[Path, bool], list[Figure]]] = {
    case.__name__: case
    for case in (
        reading,
        reading_ours,
        reading_parsed,
        catchment,
        england,
        synthetic,
        synthetic_made,
        synthetic_run,
        importing,
    )
}


def _plan_to_folder(plan, data: Path, seconds: float, memory: float) -> list[Figure]:  # type: ignore[no-untyped-def]
    """Each step of a run by the run's own words, then the whole."""
    start = time.perf_counter()
    from needsalloc.run import run_plan

    steps: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:

        def say(step: str) -> None:
            steps.append((step, time.perf_counter()))

        run_plan(plan, data, progress=say).write(Path(folder) / "report", progress=say)
        end = time.perf_counter()
    ends = [begun for _, begun in steps[1:]] + [end]
    return [
        *(Figure(step, ended - begun, "s") for (step, begun), ended in zip(steps, ends, strict=True)),
        Figure("files to folder", end - start, "s", seconds),
        Figure("peak memory", peak_memory() / GB, "GB", memory),
    ]


def _files(data: Path) -> tuple[Path, Path]:
    """Registrations and practice map: July 2023 where it is, else the synthetic ones."""
    real, release = data / "england-2023", "2023-07.csv.gz"
    if real.is_dir():
        return real / f"gp-reg-pat-prac-lsoa-all_{release}", real / f"gp-reg-pat-prac-map_for_{release}"
    return data / _MADE_REGISTRATIONS, data / _MADE_MAP


def _read(data: Path):  # type: ignore[no-untyped-def]
    import needsalloc as na

    return na.read_registrations(_files(data)[0])


def _parse(data: Path):  # type: ignore[no-untyped-def]
    from pyarrow import csv

    columns = csv.ConvertOptions(include_columns=["PRACTICE_CODE", "LSOA_CODE", "NUMBER_OF_PATIENTS"])
    return csv.read_csv(_files(data)[0], convert_options=columns)


def _in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each way, timed in turn so that a busy moment does not fall on one of them."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(measured) for name, measured in seconds.items()}


def _seconds_and_ratio(seconds: dict[str, float]) -> list[Figure]:
    (ours, mine), (theirs, other) = seconds.items()
    return [
        Figure(ours, mine, "s"),
        Figure(theirs, other, "s"),
        Figure(f"{ours} over {theirs}", mine / other, "times"),
    ]


def _growth(name: str, before: float, rows: int) -> list[Figure]:
    assert rows > 0
    return [Figure(f"{name}: memory added at its peak", (peak_memory() - before) / MB, "MB")]


def _fresh(statement: str) -> None:
    subprocess.run([sys.executable, "-c", statement], check=True)


def peak_memory() -> float:
    """The most memory this process has held, in bytes; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike ru_maxrss this starts anew with the process and not with what its parent held.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024.0 * int(line.split()[1])
    try:
        import resource
    except ModuleNotFoundError:
        return float("nan")
    held = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return held if sys.platform == "darwin" else 1024.0 * held


def _keep_to_two_cores() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def main() -> None:
    case, data, quick = sys.argv[1:]
    _keep_to_two_cores()
    print(json.dumps([asdict(figure) for figure in CASES[case](Path(data), quick == "1")]))


if __name__ == "__main__":
    main()
