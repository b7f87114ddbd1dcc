"""Time and memory of the larger runs: `make bench`; `python benchmarks/run.py --quick` takes a small sample.

Official files come from the folder that NEEDSALLOC_DATA names; without it their cases are skipped by name.
Exit code 1 if a figure is above what the project promises.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
from pathlib import Path

from cases import CASES, CORES, GB, Figure, in_own_process

RESULTS = Path(__file__).resolve().parent / "results.md"
SHOWN = (
    "reading",
    "catchment",
    "methods",
    "stratified",
    "quarters",
    "england",
    "measures",
    "synthetic",
    "importing",
)
OFFICIAL = ("reading", "catchment", "methods", "stratified", "quarters", "england", "measures")


def main(arguments: list[str] | None = None) -> int:
    """Run the cases, print and write their figures; 1 if a promise is broken, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small made-up files, one round: does it run?")
    parser.add_argument("--only", choices=SHOWN, action="append", help="only this case; may be repeated")
    parser.add_argument("--out", type=Path, help="file to write (default: results.md of this folder)")
    options = parser.parse_args(arguments)
    chosen = options.only or list(SHOWN)
    other_work = _other_work()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) if options.quick else _official_files()
        if options.quick:
            in_own_process("synthetic_made", folder, quick=True)
        found = {case: _measured(case, folder, options.quick) for case in chosen}
    text = _document(found, options.quick, other_work)
    print(text)
    # Neither a sample nor a part replaces the figures of a whole run.
    out = options.out or (None if options.quick or options.only else RESULTS)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
    broken = [f for figures in found.values() if isinstance(figures, list) for f in figures if not _kept(f)]
    return 1 if broken else 0


def _official_files() -> Path | None:
    named = os.environ.get("NEEDSALLOC_DATA", "")
    return Path(named) if named and Path(named).is_dir() else None


def _measured(case: str, folder: Path | None, quick: bool) -> list[Figure] | str:
    """The figures of a case, or why there are none."""
    if case in ("england", "measures") and quick:
        return "skipped: all of England is not part of a quick sample"
    if case in OFFICIAL and folder is None:
        return "skipped: NEEDSALLOC_DATA names no folder of official files"
    print(f"{case} …", file=sys.stderr, flush=True)
    return in_own_process(case, folder or "", quick=quick)


def _document(found: dict[str, list[Figure] | str], quick: bool, other_work: str) -> str:
    parts = ["# A quick sample: not to be quoted" if quick else "# Measured", "", _machine(), other_work]
    for case, figures in found.items():
        parts += ["", f"## {_title(case)}", ""]
        if isinstance(figures, str):
            parts.append(figures)
            continue
        parts += ["| what | measured | at most |", "|---|---:|---:|"]
        parts += [f"| {f.what} | {_number(f)} | {_promise(f)} |" for f in figures]
    return "\n".join(parts)


def _title(case: str) -> str:
    return str(CASES[case].__doc__).splitlines()[0].rstrip(".")


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ("needsalloc", "numpy", "scipy", "pandas", "pyarrow", "polars", "duckdb")
    found = {name: _version(name) for name in packages}
    versions = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    system = f"{platform.system()} {platform.machine()}, {cores} cores, at most {CORES} of them used"
    return (
        f"{system}{_memory()}. Python {platform.python_version()}, {versions}.\n"
        "Seconds are of the clock on the wall; two ways of one thing are timed in turn (medians)."
    )


def _other_work() -> str:
    """What the machine was doing before; the figures of a busy machine run high."""
    if not hasattr(os, "getloadavg"):
        return "Other work on the machine makes them run higher."
    return f"In the minute before, {os.getloadavg()[0]:.1f} other processes ran: they make times longer."


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "from the checkout" if package == "needsalloc" else ""


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return ""
    return f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / GB:.0f} GB of memory"


def _number(figure: Figure) -> str:
    if figure.unit.startswith("skipped"):
        return figure.unit
    digits = {"s": ".2f", "GB": ".2f", "MB": ".0f", "times": ".2f"}.get(figure.unit, ",.0f")
    return f"{figure.value:{digits}} {figure.unit}"


def _promise(figure: Figure) -> str:
    return "" if figure.at_most is None else f"{figure.at_most:.3g} {figure.unit}"


def _kept(figure: Figure) -> bool:
    return figure.at_most is None or not figure.value > figure.at_most


if __name__ == "__main__":
    sys.exit(main())
