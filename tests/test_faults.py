"""Killed, out of room, locked out, two at once: what is written is whole or absent; the next run succeeds."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from needsalloc import locked as locking
from needsalloc import write_template
from needsalloc.errors import OutputError
from needsalloc.locked import locked
from needsalloc.report import write
from needsalloc.whole import whole_file, whole_folder
from report_samples import sample

kills = pytest.importorskip("kills")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")]
FULL = OSError(errno.ENOSPC, "No space left on device")
MOST_STEPS = 200


def put(folder: Path, text: str) -> None:
    """A folder of three files, one of them deeper."""
    with whole_folder(folder) as draft:
        (draft / "tables").mkdir()
        for name in ("index.html", "tables/need.csv", "log.md"):
            (draft / name).write_text(text)


def files(text: str) -> dict[str, bytes]:
    return dict.fromkeys(("index.html", "tables/need.csv", "log.md"), text.encode())


def renames_of(action: Callable[[], object]) -> int:
    """How many steps an action has taken by its last rename."""
    steps, last = 0, 0

    def count(event: str, arguments: tuple) -> None:
        nonlocal steps, last
        if kills.is_step(event, arguments):
            steps += 1
            last = steps if event == "os.rename" else last

    with watched(count):
        action()
    return last


@contextmanager
def watched(hook: Callable[[str, tuple], None]) -> Iterator[None]:
    """Hear what this process does to files; a hook can be turned off, not taken away."""
    on = [True]
    sys.addaudithook(lambda event, arguments: hook(event, arguments) if on[0] else None)
    try:
        yield
    finally:
        on[0] = False


# A folder


@pytest.mark.parametrize("before", [None, "old"])
def test_a_folder_killed_at_any_step_is_whole_or_absent_and_the_next_run_succeeds(
    tmp_path: Path, before: str | None
) -> None:
    out = tmp_path / "out"
    seen = set()
    for step in range(1, MOST_STEPS):
        if before:
            put(out, before)
        ended = kills.killed(lambda: put(out, "new"), step=step)
        seen.add(kills.left(out, files(before) if before else None, files("new")))
        put(out, "next")
        assert kills.contents(out) == files("next")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        if ended == "done":
            break
        if not before:
            kills.shutil.rmtree(out)
    assert ended == "done"
    assert step >= 10
    assert seen == ({"old", "absent, old kept", "new"} if before else {"absent", "new"})


def test_an_earlier_folder_comes_back_before_anything_looks_at_it(tmp_path: Path) -> None:
    put(tmp_path / "out", "old")
    (tmp_path / "out").rename(tmp_path / ".out.needsalloc-old")
    seen = []
    with (
        pytest.raises(OutputError, match="strangers"),
        whole_folder(tmp_path / "out", before=lambda folder: seen.append(kills.contents(folder))),
    ):
        raise OutputError("strangers")
    assert seen == [files("old")]
    assert kills.contents(tmp_path / "out") == files("old")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_disk_that_is_full_at_any_step_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ends = set()
    for step in range(1, MOST_STEPS):
        put(out, "old")
        ended = kills.failing(lambda: put(out, "new"), FULL, step=step)
        ends.add(ended)
        assert kills.contents(out) == files("new" if ended == "done" else "old")
        put(out, "next")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        if step > 40:
            break
    assert ends == {"refused", "done"}


def test_of_two_runs_into_one_folder_each_is_whole_or_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(25):
        ended = kills.at_once(lambda: put(out, "one"), lambda: put(out, "two"))
        assert set(ended) <= {"done", "refused"}
        assert "done" in ended
        assert kills.contents(out) in (files("one"), files("two"))
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_draft_of_a_live_run_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with whole_folder(out) as draft:
        (draft / "one").write_text("whole")
        assert kills.at_once(lambda: put(out, "two")) == ["refused"]
        with pytest.raises(OutputError, match="Another run is writing"), whole_folder(out):
            pass
        assert (draft / "one").read_text() == "whole"
    assert kills.contents(out) == {"one": b"whole"}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    place = tmp_path / "place"
    put(place / "out", "old")

    def nobody() -> None:
        place.chmod(0o555)
        if os.getuid() == 0:  # who may do anything cannot be locked out
            for folder in (place, place / "out", place / "out" / "tables"):
                os.chmod(folder, 0o555)
            os.setuid(65534)

    assert kills.limited(lambda: put(place / "out", "new"), nobody) == "refused"
    place.chmod(0o755)
    assert kills.contents(place / "out") == files("old")
    with pytest.raises(OutputError, match="no folder that can be replaced"), whole_folder("/"):
        pass


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_a_clock_that_was_changed_does_not_matter(tmp_path: Path, when: int) -> None:
    out = tmp_path / "out"
    put(out, "old")
    (tmp_path / ".out.needsalloc-lock").write_text("")
    (tmp_path / ".out.needsalloc-new").mkdir()
    for path in (out, *out.rglob("*"), *tmp_path.iterdir()):
        os.utime(path, (when, when))
    put(out, "new")
    assert kills.contents(out) == files("new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# A file


def test_a_file_killed_or_out_of_room_at_any_step_is_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"

    def rewrite(text: str) -> None:
        with whole_file(path) as draft:
            draft.write_text(text)

    found = set()
    for step in range(1, 6):
        for end in (
            lambda step=step: kills.killed(lambda: rewrite("new"), step=step),
            lambda step=step: kills.failing(lambda: rewrite("new"), FULL, step=step),
        ):
            rewrite("old")
            end()
            found.add(path.read_text())
            rewrite("next")
            assert [there.name for there in tmp_path.iterdir()] == ["sheet.csv"]
    assert found == {"old", "new"}


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
def test_a_blank_sheet_killed_half_way_is_no_sheet_that_may_be_filled_in(tmp_path: Path, name: str) -> None:
    teams = [f"U{number:05}" for number in range(50)]
    ended = kills.killed(lambda: write_template(tmp_path / name, teams), step=2)
    assert ended == "killed"
    assert not (tmp_path / name).exists()
    assert write_template(tmp_path / name, teams).is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


# The lock


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    def hold() -> None:
        with locked(lock):
            time.sleep(60)

    child = kills._forked(hold, lambda: None)
    while not lock.exists():
        time.sleep(0.01)
    with pytest.raises(TimeoutError), locked(lock, wait=0.1):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locked(lock):
        pass
    assert not lock.exists()


def test_who_waits_has_it_afterwards_and_nobody_has_it_twice(tmp_path: Path) -> None:
    def alone() -> None:
        for _ in range(20):
            with locked(tmp_path / "lock", wait=30):
                (tmp_path / "inside").mkdir()  # fails if anybody else is inside
                (tmp_path / "inside").rmdir()

    assert kills.at_once(alone, alone, alone) == ["done"] * 3
    assert not list(tmp_path.iterdir())


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, take, times = tmp_path / "lock", locking._take, []

    def late(handle: int) -> None:
        times.append(handle)
        if len(times) == 1:
            lock.unlink()  # whoever held it before has just ended
        take(handle)

    monkeypatch.setattr(locking, "_take", late)
    with locked(lock, wait=10):
        assert lock.exists()
    assert len(times) == 2


# A report


@pytest.fixture(scope="module")
def two() -> tuple:
    return sample(), replace(sample(), title="The second")


def test_a_report_killed_at_many_steps_is_the_old_or_the_new(
    two: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    out, temporary = tmp_path / "place" / "out", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write(second, out)
    new = kills.contents(out)
    write(first, out)
    old = kills.contents(out)
    found = set()
    # Few of the steps before the end; each of those around the two renames, and a few of clearing up.
    last = renames_of(lambda: write(second, out))
    write(first, out)
    for step in (1, 3, last // 2, *range(last - 3, last + 4)):
        kills.killed(lambda: write(second, out), step=step)
        found.add(kills.left(out, old, new))
        write(first, out)
        assert kills.contents(out) == old
        assert [path.name for path in out.parent.iterdir()] == ["out"]
        assert not list(temporary.iterdir())  # the tables of a killed run are nowhere else either
    assert found == {"old", "absent, old kept", "new"}


@pytest.mark.parametrize("bytes_left", [0, 1_000, 20_000, 60_000, 111_000, 127_600, 140_000])
def test_a_report_for_which_there_is_no_room_is_refused_whole(
    two: tuple, tmp_path: Path, bytes_left: int
) -> None:
    import resource

    first, second = two
    out = tmp_path / "out"
    write(first, out)
    old = kills.contents(out)

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))

    assert kills.limited(lambda: write(second, out), no_room) == "refused"
    assert kills.contents(out) == old
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_random_kills_of_a_report_leave_it_whole(tmp_path: Path) -> None:
    found = kills.reports(8, tmp_path, seed=2026)
    assert not [what for what in found if "HALF" in what or "broken" in what]
    assert sum(found.values()) == 8


def test_random_kills_of_the_demo_leave_it_whole(tmp_path: Path) -> None:
    found = kills.commands(3, tmp_path, seed=2026)
    assert not [what for what in found if "HALF" in what]
