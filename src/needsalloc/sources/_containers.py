"""Archives as they are published: looked into, never unpacked to disk, no larger than official files are."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from needsalloc.errors import InputFileError, first_few

ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
LARGEST = 1 << 29
"""Bytes of text that a file may unpack to: five times the largest official file that is read."""

# Official tables shrink to a tenth or twentieth; a small file may shrink to anything.
_RATIO = 100
_RATIO_FROM = 1 << 26
_MOST_MEMBERS = 2_000
_TEXT = (".csv", ".txt")
_FAULTS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
    NotImplementedError, RuntimeError, ValueError, IndexError, OverflowError,
)  # fmt: skip


def refuse_bomb(unpacked: int, packed: int, name: str) -> None:
    """InputFileError if so few bytes unpack to so many that no official file is like it."""
    if unpacked > LARGEST or (unpacked > _RATIO_FROM and unpacked > _RATIO * packed):
        raise InputFileError(
            f"{name} unpacks to more than {min(unpacked, LARGEST) >> 20:,} MB from {packed:,} bytes. No "
            "official file does that, so it was not read further. Fetch it again from its publisher."
        )


class Archive:
    """A zip file in memory, refused if its members are none that a publisher would pack.

    Raises InputFileError for a damaged or encrypted archive, for names that lead out of a folder, links,
    names that stand twice, and for more members or bytes than official files have.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._size, self._unpacked = name, len(data), 0
        with self._faults():
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self._members = [one for one in self._zip.infolist() if not one.is_dir()]
        self._check()

    @property
    def names(self) -> list[str]:
        """The members, without what a Mac adds."""
        return [
            one.filename
            for one in self._members
            if not one.filename.startswith("__MACOSX/")
            and not PurePosixPath(one.filename).name.startswith(".")
        ]

    @property
    def tables(self) -> list[str]:
        """The members that are text."""
        return [name for name in self.names if name.lower().endswith(_TEXT)]

    @property
    def is_workbook(self) -> bool:
        """Whether it is an Office file."""
        return "[Content_Types].xml" in self.names

    def read(self, name: str, *, most: int | None = None) -> bytes:
        """A member, or its first `most` bytes."""
        with self._faults(), self._zip.open(name) as member:
            if most is not None:
                return member.read(most)
            blocks = []
            while block := member.read(1 << 24):
                self._unpacked += len(block)
                refuse_bomb(self._unpacked, self._size, self.name)
                blocks.append(block)
        return b"".join(blocks)

    def _check(self) -> None:
        names = Counter(one.filename for one in self._members)
        hostile = {
            "are more than official archives have": list(names) if len(names) > _MOST_MEMBERS else [],
            "lead out of the folder": [name for name in names if _leads_out(name)],
            "are links": [one.filename for one in self._members if stat.S_ISLNK(one.external_attr >> 16)],
            "are encrypted": [one.filename for one in self._members if one.flag_bits & 1],
            "stand twice": [name for name, times in names.items() if times > 1],
        }
        for what, wrong in hostile.items():
            if wrong:
                raise InputFileError(
                    f"{self.name}: {len(wrong):,} members {what}: {first_few(map(repr, wrong), 3)}. Fetch "
                    "it again from its publisher, or unpack it and give the table inside."
                )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except _FAULTS as error:
            raise InputFileError(
                f"{self.name} is a damaged archive, or one of an unusual kind ({error}). Fetch it again."
            ) from error


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name


def is_archive(data: bytes) -> bool:
    """Whether the bytes begin as those of a zip archive do."""
    return data.startswith((ZIP, EMPTY_ZIP))


__all__ = ["LARGEST", "Archive", "is_archive", "refuse_bomb"]
