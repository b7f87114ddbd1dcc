"""TOML that somebody else may have written: read, or refused, in little time."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from pathlib import Path
from typing import Any

LARGEST = 1 << 20
"""Characters of the longest file that is read: hundreds of times a plan of every key."""

# The time for a dotted key grows with the square of its parts, and no key of ours has more than three.
_MOST_PARTS = 50
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_DOTTED = re.compile(rf"""(?<![\w"'-])(?:{_PART}){{{_MOST_PARTS}}}""")


def toml_of(path: Path) -> dict[str, Any]:
    """What the file says; OSError if it cannot be read, ValueError with the reason if it is no such TOML."""
    if not path.is_file():
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.stat()
        raise OSError(errno.EINVAL, "it is no ordinary file")
    if path.stat().st_size > 4 * LARGEST:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, more than any such file")
    return parse_toml(path.read_text(encoding="utf-8-sig"))


def parse_toml(text: str) -> dict[str, Any]:
    """What a text in TOML says; ValueError with the reason if it is none, or nests beyond measure."""
    if len(text) > LARGEST:
        raise ValueError(f"it has {len(text):,} characters, more than any such file")
    if _DOTTED.search(text):
        raise ValueError(f"a key has more than {_MOST_PARTS} parts between dots")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


__all__ = ["LARGEST", "parse_toml", "toml_of"]
