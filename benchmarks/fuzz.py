"""Tries each reader on files changed at random, and prints how many were read and refused.

    python benchmarks/fuzz.py [--seconds 20] [--seed 1] [target …]

Each target runs in a process of its own, with 4 GB of memory; a file that ends in anything but a frame or an
error of ours is kept. Where atheris is installed (pip install atheris; Linux and Mac), the search is led by
the lines of needsalloc that a file reaches; else it is blind.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "src")]
MEMORY = 4 << 30
GUIDED = importlib.util.find_spec("atheris") is not None


def one(name: str, folder: Path, seconds: float, seed: int) -> None:
    """Try one target and write its counts to the folder."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if GUIDED:
        guided(name, folder, seconds, seed)
        return
    import fuzzing

    keep(folder, fuzzing.try_out(name, folder, seconds, seed))


def guided(name: str, folder: Path, seconds: float, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["needsalloc"]):
        import fuzzing
    target, found, start = fuzzing.TARGETS[name](), Counter[str](), time.perf_counter()
    end = start + seconds

    def change(data: bytes, most: int, number: int) -> bytes:
        dice = random.Random(number)
        made = fuzzing.mutated(data, dice) if dice.random() < 0.7 else atheris.Mutate(data, most)
        return made[:most]

    def attempt(data: bytes) -> None:
        if time.perf_counter() > end:
            return
        try:
            found[fuzzing.outcome(target, data, folder / target.file)] += 1
        except BaseException:
            (folder / f"found-{target.file}").write_bytes(data)
            raise
        finally:
            keep(folder, found)

    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "good").write_bytes(target.seed)
    options = [
        f"-max_total_time={seconds:.0f}",
        f"-seed={seed}",
        "-max_len=20000",
        "-timeout=30",
        "-rss_limit_mb=0",
    ]
    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], attempt, custom_mutator=change
    )
    atheris.Fuzz()


def keep(folder: Path, found: Counter[str]) -> None:
    (folder / "counts.json").write_text(json.dumps(found))


def run(name: str, seconds: float, seed: int) -> tuple[Counter[str], str]:
    """The counts of a target, and what ended it before its time."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    command = [sys.executable, "-W", "ignore", __file__, "--one", str(folder), "--seconds", str(seconds)]
    try:
        done = subprocess.run(
            [*command, "--seed", str(seed), name],
            capture_output=True,
            text=True,
            timeout=seconds * 3 + 60,
            check=False,
        )
        wrong = "" if done.returncode == 0 else f"{folder}: {done.stderr[-1500:]}"
    except subprocess.TimeoutExpired:
        wrong = f"{folder}: no end"
    counts = folder / "counts.json"
    return Counter(json.loads(counts.read_text()) if counts.exists() else {}), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", nargs="*")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.target[0], given.one, given.seconds, given.seed)
        return 0
    import fuzzing

    print(f"{'led by coverage' if GUIDED else 'blind'}, {given.seconds:g} s each\n")
    print("| file | tried | read | refused | wrong |\n|---|---:|---:|---:|---|")
    total, faults = Counter[str](), []
    for name in given.target or sorted(fuzzing.TARGETS):
        found, wrong = run(name, given.seconds, given.seed)
        total += found
        faults += [f"{name}: {wrong}"] if wrong else []
        line = f"{found.total():,} | {found['read']:,} | {found['refused']:,}"
        print(f"| {name} | {line} | {'yes' if wrong else ''} |", flush=True)
    print(f"| all | {total.total():,} | {total['read']:,} | {total['refused']:,} | {len(faults)} |")
    print(*faults, sep="\n\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
