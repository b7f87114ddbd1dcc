"""A file's bytes and its text: what every reader opens."""

import codecs
import gzip
import hashlib
import io
import stat
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from needsalloc.errors import InputFileError, first_few
from needsalloc.sources._containers import Archive, is_archive, refuse_bomb

_GZIP = b"\x1f\x8b"
_LARGEST_STORED = 1 << 32
_BLOCK = 1 << 24
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"


def read_bytes(path: Path) -> bytes:
    """The file as it is stored; InputFileError if it is not there or cannot be read."""
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST_STORED:
            raise InputFileError(
                f"{path} is no ordinary file, or over {_LARGEST_STORED >> 30} GB. Give the file itself."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise InputFileError(f"No file {path}. Check the path, and the folder that it starts from.") from None
    except IsADirectoryError:
        raise InputFileError(f"{path} is a folder. Give the file inside it.") from None
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} cannot be read: {error}.") from error


def checksum(data: bytes) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def as_text(data: bytes, path: Path) -> bytes:
    """The text of a plain or gzipped file, in UTF-8; InputFileError if it is no text."""
    refuse_other_formats(data, path)
    return _as_utf8(_unpack(data, path), path)


def refuse_other_formats(data: bytes, path: Path) -> None:
    """InputFileError if the bytes begin as those of no text file do."""
    if is_archive(data):
        found = Archive(data, path.name)
        raise InputFileError(
            f"{path.name} is a workbook. Save the sheet as CSV UTF-8."
            if found.is_workbook
            else f"{path.name} is a zip archive of {first_few(found.names)}. Unpack it."
        )
    if data.startswith(_OLD_WORKBOOK):
        raise InputFileError(
            f"{path.name} is a workbook of the old kind, or protected by a password. Save it as CSV UTF-8."
        )
    if data.startswith(b"PAR1"):
        raise InputFileError(f"{path.name} is a Parquet file. Save the table as CSV.")
    if path.suffix == ".gz" and data and not data.startswith(_GZIP):
        raise InputFileError(
            f"{path.name} is not a gzip file. Rename it if it is plain text, or fetch it again."
        )


def _unpack(data: bytes, path: Path) -> bytes:
    if not data.startswith(_GZIP):
        return data
    text = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            while block := packed.read(_BLOCK):
                refuse_bomb(text.tell() + len(block), len(data), path.name)
                text.write(block)
    except (OSError, EOFError, zlib.error) as error:
        raise InputFileError(f"{path.name} is a damaged gzip file ({error}). Fetch it again.") from error
    return text.getvalue()


def _as_utf8(data: bytes, path: Path) -> bytes:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = _from_utf16(data, path)
    if b"\0" in data:
        raise InputFileError(f"{path.name} is not a text table (it holds NUL bytes). Save it as CSV UTF-8.")
    if data.isascii():
        return data
    try:
        data.decode()
        return data
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252").encode()
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path.name} is not a text table ({error.reason}). Save it as CSV UTF-8."
        ) from error


def _from_utf16(data: bytes, path: Path) -> bytes:
    try:
        return data.decode("utf-16").encode()
    except UnicodeError as error:
        raise InputFileError(
            f"{path.name} opens as UTF-16 and goes on otherwise. Save it as CSV UTF-8."
        ) from error


class NotPlainError(Exception):
    """The text is not ASCII throughout: what it is, `as_text` tells."""


class PlainText:
    """ASCII text, plain or gzipped, handed out as it is unpacked; raises NotPlainError where it is none.

    A parser works on one block while the next is unpacked and checked. The published files are ASCII and
    large, and this takes two thirds of the time of unpacking, checking and parsing them one after another.

    `lines` counts the line ends handed out so far, and a last line that has none.
    """

    closed = False  # asked of a file by pyarrow

    def __init__(self, data: bytes, name: str) -> None:
        packed = "gzip" if data.startswith(_GZIP) else None
        self._name, self._stored, self._handed_out = name, len(data), 0
        self._unpacked = pa.input_stream(pa.BufferReader(data), compression=packed)
        self._line_ends, self._unended = 0, 0

    @property
    def lines(self) -> int:
        return self._line_ends + self._unended

    def read(self, size: int) -> pa.Buffer:
        """The next `size` bytes, fewer at the end of the text."""
        block = self._unpacked.read_buffer(size)
        if len(block):
            # As signed bytes NUL is 0 and whatever is beyond ASCII is negative.
            codes = np.frombuffer(block, dtype=np.int8)
            if codes.min() <= 0:
                raise NotPlainError
            self._handed_out += len(block)
            refuse_bomb(self._handed_out, self._stored, self._name)
            self._line_ends += int(np.count_nonzero(codes == ord("\n")))
            self._unended = int(codes[-1] != ord("\n"))
        return block
