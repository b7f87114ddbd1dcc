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
_MADE_AGES = "gp-reg-pat-prac-sing-age.csv"
_REAL_AGES = Path("lists-2026", "single_age_sex_practice_2026-04.csv.gz")
_MADE_PLAN = {
    "plan": {"title": "Synthetic", "total": 10_000.0, "step": 0.1},
    "inputs": {
        "registrations": _MADE_REGISTRATIONS,
        "membership": _MADE_MAP,
        "population": "population.csv",
        "deprivation": {"path": "imd-file-7.csv", "edition": "synthetic"},
        "lists": _MADE_AGES,
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
    """The proportional catchment: its file merely parsed, and its shares and counts by pandas group-by.

    The first ratio has the published file on both sides: all that a catchment takes against three columns
    parsed by pyarrow, which unpacks and parses on all cores and checks nothing.
    """
    import numpy as np
    import pandas as pd

    import needsalloc as na

    registrations, members = _read(data), na.read_membership(_files(data)[1])
    from_file = {
        "file to proportional catchment": lambda: na.Catchment.from_registrations(_read(data), members),
        "three columns parsed by pyarrow": lambda: _parse(data),
    }
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
    rounds = 1 if quick else 15
    shares = {
        "Catchment and its shares": lambda: na.Catchment.from_registrations(
            registrations, members
        ).to_frame(),
        "shares by pandas group-by": lambda: _grouped_shares(registrations, members, area),
    }
    counts = {"Catchment.apportion": lambda: made.apportion(residents), "count by group-by": carried_by_group}
    return [
        *_seconds_and_ratio(_in_turn(from_file, rounds), None if quick else 2.0),
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


def methods(data: Path, quick: bool) -> list[Figure]:
    """Four exact methods on both bases: from the published files, and beside pandas, Polars and DuckDB.

    What the work is, and how each engine goes about it, says `rivals`. All in turn in one warm process.
    """
    import rivals

    import needsalloc as na

    lists, practice_map = _files(data)

    def all_of_it() -> object:
        return rivals.WAYS["needsalloc"].work(
            rivals.WAYS["needsalloc"].read(lists, practice_map, _residents(data))
        )

    registrations, members, residents = _read(data), na.read_membership(practice_map), _residents(data)
    rounds = 1 if quick else 7
    first = _in_turn({"files to four methods on both bases, the first time": all_of_it}, 1)
    again = _in_turn({"the same again": all_of_it}, rounds)
    found = [Figure(name, value, "s", None if quick else 5.0) for name, value in (first | again).items()]
    installed, missing = rivals.installed()
    held = {name: way.hold(registrations, members, residents) for name, way in installed.items()}
    from_rows = {name: lambda way=way, name=name: way.work(held[name]) for name, way in installed.items()}
    from_files = {
        name: lambda way=way: way.work(way.read(lists, practice_map, residents))
        for name, way in installed.items()
    }
    for start, ways in (("parsed rows", from_rows), ("files", from_files)):
        results = {name: way()[1] for name, way in ways.items()}
        for name in installed:
            rivals.same(results["needsalloc"], results[name])
        seconds = _in_turn(ways, rounds)
        found += [Figure(f"from {start}: {name}", value, "s") for name, value in seconds.items()]
        found += [
            Figure(
                f"from {start}: needsalloc over {name}",
                seconds["needsalloc"] / seconds[name],
                "times",
                None if quick else rivals.PROMISED.get(name),
            )
            for name in seconds
            if name != "needsalloc"
        ]
    return found + [Figure(name, float("nan"), "skipped: not installed") for name in missing]


def stratified(data: Path, quick: bool) -> list[Figure]:
    """The catchment stratified by age, estimated from the lists and the residents, from files."""
    import needsalloc as na

    ages = data / _REAL_AGES if (data / _REAL_AGES).exists() else data / _MADE_AGES
    start = time.perf_counter()
    lists, population = na.read_lists(ages), na.read_population(_population(data))
    proportional = na.Catchment.from_registrations(_read(data), na.read_membership(_files(data)[1]))
    read = time.perf_counter()
    made = proportional.with_method("stratified", lists=lists, population=population)
    resident = made.apportion(population)
    end = time.perf_counter()
    assert abs(resident.to_numpy().sum() / population.to_numpy().sum() - 1.0) < 1e-9
    return [
        Figure("files to proportional catchment, ages read", read - start, "s"),
        Figure("stratified, and the residents of each age carried", end - read, "s"),
        Figure("files to stratified catchment", end - start, "s", None if quick else 30.0),
        Figure("peak memory", peak_memory() / GB, "GB"),
    ]


def quarters(data: Path, quick: bool) -> list[Figure]:
    """Forty quarters in sequence: file to four methods on both bases, one after another."""
    import rivals

    number, warm = (4, 2) if quick else (40, 8)
    ours, residents = rivals.WAYS["needsalloc"], _residents(data)
    peaks, start = [], time.perf_counter()
    for _ in range(number):
        ours.work(ours.read(*_files(data), residents))
        peaks.append(peak_memory() / MB)
    seconds = time.perf_counter() - start
    # A quarter's rows and flows are over 30 MB: any of them kept would show.
    return [
        Figure("quarters", number, "quarters"),
        Figure("all of them", seconds, "s"),
        Figure("peak memory at the end", peaks[-1], "MB"),
        Figure(
            f"added to it after the first {warm}", peaks[-1] - peaks[warm - 1], "MB", None if quick else 30.0
        ),
    ]


def england(data: Path, quick: bool) -> list[Figure]:
    """All of England, July 2023, files to folder."""
    from needsalloc.plan import read_plan

    return _plan_to_folder(read_plan(ROOT / "examples" / "england-2023.toml"), data, 30.0, 3.0)


def measures(data: Path, quick: bool) -> list[Figure]:
    """Every need measure of England that these files feed, files to tables by PCN, ICB and area.

    District nursing in three readings, NHS England's weighted populations of three years, and the workload
    index of 2007 with the health domain of 2025 carried to areas of 2011. Two more lack the user's counts.
    """
    import needsalloc as na
    from needsalloc.need_measures import compare_measures

    old, new = data / "england-2023", data / "staffordshire-2025"
    start = time.perf_counter()
    members = na.read_membership(_files(data)[1])
    catchment = na.Catchment.from_registrations(_read(data), members)
    ages, lists = na.read_population(_population(data)), na.read_lists(data / _REAL_AGES)
    weighted = [
        na.read_weighted_populations(folder / f"place_tool_{year}_{year + 1}.csv.gz", edition=str(year))
        for folder, year in ((old, 2023), (old, 2024), (new, 2025))
    ]
    health = na.carry_rates(
        na.read_health_domain(new / "imd2025_england_lsoa21.csv.gz"),
        na.read_area_lookup(old / "lookup_lsoa11_lsoa21_ltla22.csv.gz"),
        to="lsoa11",
        people=na.read_population(new / "census21_lsoa21_age6.csv.gz").sum(axis=1),
    )
    people = na.build_people(
        catchment,
        population=ages,
        deprivation=na.read_deprivation(old / "imd2019_lsoa11.csv.gz"),
        lists=lists,
        conditions=na.read_conditions(old / "PREVALENCE_2122.csv.gz"),
    )
    built = time.perf_counter()
    readings = ("realigned", "as-printed", "age-calibrated")
    given = {
        "uses": [
            na.NeedFormula.published(f"district-nursing/liverpool-2024-{reading}").expected_use(people)
            for reading in readings
        ],
        "weighted_populations": weighted,
        "inputs": {"population": na.with_estimated_sex(ages, lists), "health_domain": health},
    }
    used = time.perf_counter()
    found = [
        compare_measures(catchment, **given),
        compare_measures(catchment, groups=members.set_index("practice")["icb"], **given),
        compare_measures(catchment, unit="area", **given),
    ]
    end = time.perf_counter()
    assert all(len(each.england.columns) == 31 for each in found)
    return [
        Figure("files to people by area, age and sex", built - start, "s"),
        Figure("expected use on every flow, three readings", used - built, "s"),
        Figure("31 measures by PCN, by ICB and by area", end - used, "s"),
        Figure("files to all measures", end - start, "s", 60.0),
        Figure("peak memory", peak_memory() / GB, "GB"),
    ]


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
        methods,
        stratified,
        quarters,
        england,
        measures,
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


def _population(data: Path) -> Path:
    real = data / "england-2023" / "population20_lsoa11.csv.gz"
    return real if real.exists() else data / "population.csv"


def _residents(data: Path):  # type: ignore[no-untyped-def]
    import needsalloc as na

    return na.read_population(_population(data)).sum(axis=1).rename("residents")


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


def _seconds_and_ratio(seconds: dict[str, float], at_most: float | None = None) -> list[Figure]:
    (ours, mine), (theirs, other) = seconds.items()
    return [
        Figure(ours, mine, "s"),
        Figure(theirs, other, "s"),
        Figure(f"{ours} over {theirs}", mine / other, "times", at_most),
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
