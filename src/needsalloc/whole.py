"""Files and folders that are there whole, or not at all, whenever the program ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from needsalloc.errors import OutputError
from needsalloc.locked import locked

_ADVICE = "Nothing was changed there. Choose another place, or make room and close files of it that are open."


@contextmanager
def whole_folder(folder: str | Path, *, before: Callable[[Path], object] | None = None) -> Iterator[Path]:
    """A draft beside `folder` to write into, which takes its place when the block ends, or vanishes.

    Two names stand beside it while it is written: `.<name>.needsalloc-new` is the draft, and
    `.<name>.needsalloc-old` what was there before, whole, for the moment between two renames. What a killed
    run has left under these names is put right by the next one: an earlier folder comes back, a draft goes. A
    lock (`.<name>.needsalloc-lock`) keeps two runs apart.

    before: called with the folder once nobody else writes there and it is what the last run left; what it
        raises stops everything.

    Raises OutputError if another process writes the same folder, or it cannot be written.
    """
    folder = Path(folder).resolve()
    if not folder.name:
        raise OutputError(f"{folder} is no folder that can be replaced. Choose another place.")
    draft, old, lock = (
        folder.with_name(f".{folder.name}.needsalloc-{part}") for part in ("new", "old", "lock")
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            _put_right(folder, draft, old)
            if before:
                before(folder)
            try:
                draft.mkdir()
                yield draft
                _take_place(draft, folder, old)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except TimeoutError as fault:
        raise OutputError(
            f"Another run is writing {folder} now. Wait until it ends, or choose another folder."
        ) from fault
    except OSError as fault:
        raise OutputError(f"Cannot write {folder}: {fault.strerror or fault}. {_ADVICE}") from fault


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A draft beside `path` to write, which becomes that file when the block ends, or vanishes.

    One that a killed process has left is written over by the next. Two processes writing the same file are
    the caller's to keep apart (`locked`).

    Raises OutputError if it cannot be written.
    """
    path = Path(path)
    # The suffix stays: libraries tell by it what to write.
    draft = path.with_name(f".{path.stem}.needsalloc-new{path.suffix}")
    try:
        try:
            yield draft
            draft.replace(path)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
    except OSError as fault:
        raise OutputError(f"Cannot write {path}: {fault.strerror or fault}. {_ADVICE}") from fault


def _put_right(folder: Path, draft: Path, old: Path) -> None:
    """What a killed run has left: its draft goes, and what it was about to replace comes back."""
    if old.exists():
        if folder.exists():
            shutil.rmtree(old)
        else:
            old.rename(folder)
    if draft.exists():
        shutil.rmtree(draft)


def _take_place(draft: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    # What is deleted may be left in part; under this name it is never taken for what was there before.
    with suppress(OSError):
        old.rename(draft)


__all__ = ["whole_file", "whole_folder"]
