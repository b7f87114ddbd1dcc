"""Kill what writes, at every step or at random moments, and look at what is left. `make kills` does it often.

A child process is forked, so that nothing has to be imported or computed again: a kill takes half a second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

Action = Callable[[], object]

# What Python does to a file system, as it tells its auditors; pyarrow and GDAL write without telling.
STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
REFUSED, BROKEN = 3, 4


def killed(action: Action, *, step: int = 0, after: float = 0.0) -> str:
    """Run `action` in a child that is killed before its `step`-th touch of a file, or `after` some seconds.

    Returns "killed", or how it ended if it was quicker: "done", "refused" (an error of ours) or "broken".
    """
    return _ended(_forked(action, lambda: _at(step, _kill_myself) if step else None), after)


def failing(action: Action, fault: OSError, *, step: int) -> str:
    """Run `action` in a child whose `step`-th touch of a file fails."""

    def fail() -> None:
        raise fault

    return _ended(_forked(action, lambda: _at(step, fail)), 0.0)


def limited(action: Action, prepare: Action) -> str:
    """Run `action` in a child after `prepare`, which takes something from it."""
    return _ended(_forked(action, prepare), 0.0)


def at_once(*actions: Action) -> list[str]:
    """Run actions in children that start together; how each ended."""
    gate = multiprocessing.get_context("fork").Barrier(len(actions))
    children = [_forked(action, gate.wait) for action in actions]
    return [_ended(child, 0.0) for child in children]


def _forked(action: Action, prepare: Action) -> int:
    child = os.fork()
    if child:
        return child
    code = BROKEN
    try:
        from needsalloc.errors import NeedsallocError

        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        try:
            prepare()
            action()
            code = 0
        except NeedsallocError:
            code = REFUSED
        except BaseException as fault:
            print(f"{type(fault).__module__}.{type(fault).__name__}: {fault}", file=sys.stderr)
    finally:
        os._exit(code)


def _ended(child: int, after: float) -> str:
    if after:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return "killed"
    return {0: "done", REFUSED: "refused"}.get(os.WEXITSTATUS(status), "broken")


def _at(step: int, then: Action) -> None:
    """Do `then` at the `step`-th touch of a file in this process."""
    left = step

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if is_step(event, arguments):
            left -= 1
            if left == 0:
                then()

    sys.addaudithook(hook)


def is_step(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an event changes files; what is opened to be read is code, or there anyway."""
    return event in STEPS and not (event == "open" and _reads(arguments))


def _reads(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return not set(mode) & set("wax+")
    return not flags & (os.O_WRONLY | os.O_RDWR)


def _kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def contents(folder: Path) -> dict[str, bytes] | None:
    """Every file under a folder, None if there is no folder."""
    if not folder.exists():
        return None
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def differing(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    """The files that are lacking, too many, or other than wanted."""
    found = contents(folder) or {}
    return [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]


def left(folder: Path, old: dict[str, bytes] | None, new: dict[str, bytes]) -> str:
    """What stands in a folder after a kill: "old", "new", "absent", "absent, old kept" or "HALF"."""
    found = contents(folder)
    if found == old:
        return "old" if old is not None else "absent"
    if found is None:
        return (
            "absent, old kept"
            if contents(folder.with_name(f".{folder.name}.needsalloc-old")) == old
            else "HALF"
        )
    return "new" if found == new else "HALF"


def reports(times: int, place: Path, seed: int) -> Counter[str]:
    """Kill the writing of a report over another one at random moments, and write it again each time."""
    from dataclasses import replace

    from needsalloc.report import write
    from report_samples import sample

    first, second = sample(), replace(sample(), title="The second")
    out = place / "out"
    held = []
    for bundle in (first, second):
        write(bundle, out)  # here, so that no child has to import what it needs
        held.append(contents(out))
    began = time.monotonic()
    assert _ended(_forked(lambda: write(second, out), lambda: None), 0.0) == "done"
    took = time.monotonic() - began
    moments, found = random.Random(seed), Counter[str]()
    for turn in range(times):
        old, new = held[(turn + 1) % 2], held[turn % 2]
        bundle = (first, second)[turn % 2]
        ended = killed(lambda bundle=bundle: write(bundle, out), after=moments.uniform(0.001, 1.1 * took))
        state = left(out, old, new)
        found[f"{ended}: {state}"] += 1
        assert _ended(_forked(lambda bundle=bundle: write(bundle, out), lambda: None), 0.0) == "done"
        assert not differing(out, new), "the next run is not whole"
        assert [path.name for path in place.iterdir()] == ["out"], "the next run left something"
    return found


def fetches(times: int, place: Path, seed: int) -> Counter[str]:
    """Kill the fetching of a file that comes in pieces at random moments, and fetch it again each time."""
    from hashlib import sha256

    from misbehaving import serving
    from needsalloc.sources.fetch import fetch
    from test_fetch import GOOD, PLACE, RELEASE

    moments, found, to = random.Random(seed), Counter[str](), place / "cache"

    def ask() -> object:
        return fetch("registrations", release=RELEASE, to=to, from_=f"{server.address}/chunks")

    with serving() as server:
        server.body = GOOD
        began = time.monotonic()
        assert _ended(_forked(ask, lambda: None), 0.0) == "done"
        took = time.monotonic() - began
        for _ in range(times):
            shutil.rmtree(to)
            ended = killed(ask, after=moments.uniform(0.001, 1.1 * took))
            there = (to / PLACE).read_bytes() if (to / PLACE).exists() else None
            found[f"{ended}: {'absent' if there is None else 'whole' if there == GOOD else 'HALF'}"] += 1
            assert _ended(_forked(ask, lambda: None), 0.0) == "done"
            assert sha256((to / PLACE).read_bytes()).digest() == sha256(GOOD).digest()
            assert len(contents(to) or {}) == 2, "the next fetch left something"
    return found


def commands(times: int, place: Path, seed: int) -> Counter[str]:
    """Kill `needsalloc demo`, as a command, at random moments; then let it run to its end."""
    moments, found = random.Random(seed), Counter[str]()
    whole: dict[str, dict[str, bytes]] = {}

    def demo(out: Path) -> subprocess.Popen[bytes]:
        order = [sys.executable, "-m", "needsalloc.cli", "demo", "--out", str(out)]
        return subprocess.Popen(order, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    began = time.monotonic()
    assert demo(place / "first").wait() == 0
    took = time.monotonic() - began
    whole["data"], whole["report"] = (contents(place / "first" / part) or {} for part in ("data", "report"))
    out = place / "out"
    for _ in range(times):
        running = demo(out)
        time.sleep(moments.uniform(0.3, 1.0) * took)
        running.kill()
        running.communicate()
        for part in whole:
            state = left(out / part, None if not (out / part).exists() else whole[part], whole[part])
            found[f"{part}: {'whole' if state in ('old', 'new') else state}"] += 1
        ended = demo(out)
        said = ended.communicate()[1]
        assert ended.returncode == 0, said.decode()
        assert contents(out) == contents(place / "first"), "the next demo is not whole"
        if moments.random() < 0.7:
            shutil.rmtree(out)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=400, help="how often to kill the writing of a report")
    parser.add_argument("--fetches", type=int, default=200, help="how often to kill the fetching of a file")
    parser.add_argument("--commands", type=int, default=30, help="how often to kill the demo as a command")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    for name, kill, times in (
        ("a report written over another", reports, options.reports),
        ("a file fetched into a cache", fetches, options.fetches),
        ("needsalloc demo", commands, options.commands),
    ):
        if not times:
            continue
        with tempfile.TemporaryDirectory() as place:
            found = kill(times, Path(place), options.seed)
        print(f"{name}, killed {times:,} times at random moments; the next run was whole each time:")
        for what, count in sorted(found.items()):
            print(f"  {count:5,}  {what}")
        failed |= any("HALF" in what or "broken" in what for what in found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
