"""One process at a time: a lock that dies with its process, whatever kills it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


_PAUSE = 0.05


@contextmanager
def locked(path: str | Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file at `path` for the length of a `with` block, alone among all processes.

    The operating system keeps the lock and lets go of it when the process ends, even by a kill, so that no
    file left behind ever stands in the way. The file is empty and is removed afterwards.

    wait: seconds to wait for another process.

    Raises TimeoutError if another process holds it for longer than `wait`; OSError if the file cannot be
    made, or the place knows no locks.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / "lock"):
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['lock']
    """
    path = Path(path)
    until = time.monotonic() + wait
    while (handle := _held(path)) is None:
        if time.monotonic() >= until:
            raise TimeoutError(f"another process holds {path.name}")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        # Windows removes no file that is open; elsewhere it has to go while it is still held.
        if sys.platform == "win32":
            os.close(handle)
        with suppress(OSError):
            path.unlink()
        if sys.platform != "win32":
            os.close(handle)


def _held(path: Path) -> int | None:
    """The open lock file, once it is this process's own; None while it is another's."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if sys.platform == "win32" and path.exists():  # about to be removed by whoever held it
            return None
        raise
    try:
        _take(handle)
        # Whoever held it before may have removed the file that was opened here: a lock on nothing.
        if _same(handle, path):
            return handle
    except (BlockingIOError, PermissionError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


__all__ = ["locked"]
