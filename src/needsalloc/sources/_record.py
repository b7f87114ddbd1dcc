"""The checksums of fetched files, recorded when each first came: `needsalloc.lock` beside them."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from needsalloc.errors import FetchError, first_few
from needsalloc.whole import whole_file

LOCK = "needsalloc.lock"
_HEAD = """\
# Official files fetched into this folder, with the checksum that each had when it first came. A file with
# another is refused. Keep this with your plan: whoever fetches by it gets the same bytes, or an error. To
# accept a file that its publisher has corrected, take out its section here and fetch it again.

"""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """What was fetched: its name, checksum and size, where from, and the day, which no check asks for."""

    file: str
    sha256: str
    bytes: int
    origin: str
    first: str


def read_records(folder: Path) -> dict[str, Record]:
    """The records of a folder by key ("registrations/2026-04"); none where it has no lock file.

    Raises FetchError for a lock file that is damaged.
    """
    path = folder / LOCK
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise FetchError(f"{path} cannot be read: {error}. Restore it, or take it away.") from error
    wrong = [key for key, about in found.items() if not _is_record(about)]
    if wrong:
        raise FetchError(
            f"{path} has {len(wrong)} sections that are no record of a file: {first_few(wrong)}. Take them "
            "out."
        )
    return {key: Record(**about) for key, about in found.items()}


def _is_record(about: object) -> bool:
    kinds = Record.__annotations__
    return (
        isinstance(about, Mapping)
        and set(about) == set(kinds)
        and all(type(value).__name__ == kinds[key] for key, value in about.items())
        and is_plain_name(about["file"])
    )


def is_plain_name(name: str) -> bool:
    """Whether a name is that of a file and leads nowhere else."""
    return name.isprintable() and name.strip(". ") != "" and not set(name) & set("/\\:")


def write_records(folder: Path, records: Mapping[str, Record]) -> None:
    """Put the records in the place of those that are there, whole or not at all."""
    import tomli_w

    text = _HEAD + tomli_w.dumps({key: asdict(records[key]) for key in sorted(records)})
    with whole_file(folder / LOCK) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def checksum_of(path: Path) -> str:
    """The sha256 of a file, read block by block."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def settle(path: Path) -> None:
    """See that what was written is on the disk, so that a name never stands for half a file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


__all__ = ["LOCK", "Record", "checksum_of", "is_plain_name", "read_records", "settle", "write_records"]
