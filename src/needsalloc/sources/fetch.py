"""Fetch an official file into a folder, once, and see that it is the same ever after."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from needsalloc.errors import FetchError, OutputError, UnknownCodeError, first_few
from needsalloc.locked import locked
from needsalloc.sources._download import Limits, NotTheFileError, Progress, download
from needsalloc.sources._feature_service import read_layer
from needsalloc.sources._record import (
    LOCK,
    Record,
    checksum_of,
    is_plain_name,
    read_records,
    settle,
    write_records,
)
from needsalloc.sources._shape import check_shape
from needsalloc.sources.registry import OfficialFile, files_of, find_series, newest, parts, releases
from needsalloc.whole import whole_file

LIMITS = Limits()
_BUSY = ".fetching"
_LONGEST_RELEASE = 40
_SUFFIXES = (".zip", ".csv", ".xlsx", ".geojson", ".gpkg", ".parquet")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A release of official files in a folder.

    `paths`: its files, in the order of its parts (women, men); `sha256`: the checksum of each; `folder`: the
    folder fetched into, which holds `needsalloc.lock`; `was_there`: nothing had to be fetched; `attribution`:
    the line to print where its figures are shown.
    """

    name: str
    release: str
    folder: Path
    paths: tuple[Path, ...]
    sha256: tuple[str, ...]
    was_there: bool
    attribution: str

    def __repr__(self) -> str:
        files = " and ".join(path.name for path in self.paths)
        state = "was here, unchanged" if self.was_there else "is here now"
        return f"<Fetched {self.name}, release {self.release}: {files} {state}>"

    @property
    def line(self) -> str:
        """What to write under [inputs] of a plan that is run with `--data` naming the folder."""
        inside = [f'"{path.relative_to(self.folder).as_posix()}"' for path in self.paths]
        return f"{self.name} = " + (inside[0] if len(inside) == 1 else f"[{', '.join(inside)}]")


def fetch(
    name: str,
    *,
    release: str | None = None,
    to: str | Path | None = None,
    from_: str | Path | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Fetch a release of official files into a folder, as published; what is there already is not fetched.

    name: of the registry, or the input of a plan ("registrations"). release: one of `registry()`, else the
    newest there. to: a folder, by default the user's cache.

    from_: where to take the files from in place of their own address: a folder in which they were saved, one
    such file, a mirror (the https address of a folder that was fetched into), or the https address of the
    file itself. With it a release may be one that the registry does not know yet.

    The checksum of each file is recorded in `needsalloc.lock` of the folder when it first comes. Ever after a
    file with another is refused, whether it comes again or lies there. A file takes its place whole, and two
    processes may fetch into one folder.

    Raises UnknownCodeError for a name or release that is not in the registry; FetchError for a file that is
    out of reach, moved, cut short, too large, another than expected, or changed; OutputError for a folder
    that cannot be written. Needs urllib3, platformdirs and tomli-w (pip install "needsalloc[data]").
    """
    chosen = release or newest(name)
    wanted = files_of(name, chosen) or _of_no_registry(name, chosen, from_)
    folder = (cache_folder() if to is None else Path(to).expanduser()).absolute()
    with _alone(folder):
        held = [_held(folder, file, from_, progress) for file in wanted]
    return Fetched(
        name=name,
        release=chosen,
        folder=folder,
        paths=tuple(path for path, _, _ in held),
        sha256=tuple(sha256 for _, sha256, _ in held),
        was_there=all(was_there for _, _, was_there in held),
        attribution=find_series(name).attribution,
    )


def cache_folder() -> Path:
    """The user's own folder for what can be fetched again."""
    import platformdirs

    return platformdirs.user_cache_path("needsalloc", appauthor=False)


def _of_no_registry(name: str, release: str, from_: str | Path | None) -> tuple[OfficialFile, ...]:
    """The files of a release that came out later than this registry, to be found where the user says."""
    series = find_series(name)
    if from_ is None:
        raise UnknownCodeError(
            f"The registry has no release {release!r} of {name}; it has {', '.join(releases(name))}. "
            f"{series.where}"
        )
    if not is_plain_name(release) or len(release) > _LONGEST_RELEASE:
        raise UnknownCodeError(f"{release!r} is no release. Write it as {newest(name)!r}.")
    return tuple(OfficialFile(series, release, part, "file", "", "") for part in parts(name))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else fetches into the folder meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / _BUSY, wait=LIMITS.total):
            yield
    except TimeoutError as fault:
        raise FetchError(f"Another process is fetching into {folder}. Wait until it ends.") from fault
    except OSError as fault:
        raise OutputError(
            f"Cannot write into {folder}: {fault.strerror or fault}. Choose another folder with --to."
        ) from fault


def _held(
    folder: Path, file: OfficialFile, from_: str | Path | None, progress: Progress | None
) -> tuple[Path, str, bool]:
    """The file in its place, its checksum, and whether it was there before."""
    key = "/".join(filter(None, (file.series.name, file.release, file.part)))
    place, record = folder / file.series.name / file.release, read_records(folder).get(key)
    name = record.file if record else file.file
    was_there = bool(name) and (place / name).is_file()
    if was_there:
        path = place / name
        return path, _admitted(folder, key, path, name, file, record, "found in the folder"), True
    way = _way(file, from_, progress)
    path = place / way.name
    place.mkdir(parents=True, exist_ok=True)
    try:
        with whole_file(path) as draft:
            with draft.open("wb+") as into:
                way.write(into)
            settle(draft)
            found = _admitted(folder, key, draft, way.name, file, record, way.origin)
    except NotTheFileError as fault:
        raise FetchError(f"{fault} Nothing was kept. {file.series.where}") from fault
    return path, found, False


def _admitted(
    folder: Path, key: str, path: Path, name: str, file: OfficialFile, record: Record | None, origin: str
) -> str:
    """The checksum of a file that may stand in its place: as recorded or, the first time, of the right shape.

    It is recorded before the file takes its place, so that no file is ever there without a record.
    """
    found = checksum_of(path)
    if record is None:
        check_shape(path, name, file.series, file.release)
        today = dt.date.today().isoformat()
        record = Record(name, found, path.stat().st_size, origin, today)
        write_records(folder, read_records(folder) | {key: record})
    if found != record.sha256:
        remedy = (
            "Take the file away and fetch it again"
            if origin == "found in the folder"
            else f"If its publisher has corrected it ({file.series.landing} would say so), take the section "
            f'["{key}"] out of {folder / LOCK} and fetch it again; figures made with the first will change'
        )
        raise FetchError(
            f"{name} is not the file that was first fetched on {record.first} ({record.origin}). Its "
            f"checksum is {found}, recorded is {record.sha256}. Nothing was changed. {remedy}."
        )
    return found


@dataclass(frozen=True, slots=True)
class _Way:
    """How a file comes: its name, where from (as it is recorded), and what writes its bytes."""

    name: str
    origin: str
    write: Callable[[BinaryIO], None]


def _way(file: OfficialFile, from_: str | Path | None, progress: Progress | None) -> _Way:
    if from_ is None:
        return _from_publisher(file, progress)
    if isinstance(from_, str) and from_.lower().startswith(("http://", "https://")):
        return _from_address(file, from_, progress)
    return _from_folder(file, Path(from_).expanduser())


def _from_publisher(file: OfficialFile, progress: Progress | None) -> _Way:
    def write(into: BinaryIO) -> None:
        if file.kind == "features":
            shapes = file.file.endswith(".geojson")
            read_layer(
                file.address, into, shapes=shapes, limits=LIMITS, progress=progress, what=file.series.name
            )
        else:
            download(file.address, into, limits=LIMITS, progress=progress, what=file.file)

    return _Way(file.file, file.address, write)


def _from_address(file: OfficialFile, address: str, progress: Progress | None) -> _Way:
    """The file itself where the last part of the address is its name, else from a mirror."""
    # The name ends the path, or all of an address such as file?uri=/datasets/name.xlsx.
    ends = (unquote(text.rpartition("/")[2]) for text in (address.partition("?")[0], address))
    name = next((end for end in ends if _is_of(file, end)), None)
    if name is None:
        if not file.file:
            raise FetchError(
                f"{address} does not end in a name such as {' or '.join(file.series.patterns)}"
                f"{f' ({file.part})' if file.part else ''}, and a mirror is asked only for releases of the "
                "registry. Give the address of the file itself."
            )
        name = file.file
        address = "/".join((address.rstrip("/"), *map(quote, (file.series.name, file.release, file.file))))

    def write(into: BinaryIO) -> None:
        download(address, into, limits=LIMITS, mirror=True, progress=progress, what=name)

    return _Way(name, address, write)


def _from_folder(file: OfficialFile, given: Path) -> _Way:
    try:
        found = given if given.is_file() else _in_folder(file, given)
        size = found.stat().st_size
    except OSError as error:
        raise FetchError(f"{given} cannot be read: {error.strerror or error}.") from error
    if not _is_part(file, found.name):
        raise FetchError(
            f"{found.name} does not say that it is the {file.part} part of {file.series.name}. Put all parts "
            "into one folder, under the names that they are published under, and give the folder."
        )
    if size > LIMITS.stored:
        raise FetchError(
            f"{found} is larger than {LIMITS.stored / 1e6:,.0f} MB, which no file of the registry is."
        )

    def write(into: BinaryIO) -> None:
        try:
            saved = found.open("rb")
        except OSError as error:
            raise FetchError(f"{found} cannot be read: {error.strerror or error}.") from error
        with saved:
            shutil.copyfileobj(saved, into)

    return _Way(found.name, found.name, write)


def _in_folder(file: OfficialFile, folder: Path) -> Path:
    """The file where it was fetched into the folder, or saved there under a name that its series has."""
    if not folder.is_dir():
        raise FetchError(f"There is no folder or file {folder}. Check what --from names.")
    fetched = folder / file.series.name / file.release / file.file
    if file.file and fetched.is_file():
        return fetched
    saved = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_of(file, path.name)]
    exact = [path for path in saved if path.name == file.file]
    found = exact or saved
    if len(found) != 1:
        raise FetchError(
            f"{folder} holds {len(found)} files that may be {file.series.name} {file.release} "
            f"{file.part}".rstrip()
            + (
                f": {first_few([path.name for path in found])}. Name one with --from."
                if found
                else f". {file.series.where}"
            )
        )
    return found[0]


def _is_of(file: OfficialFile, name: str) -> bool:
    """Whether a name is one that the file is saved under."""
    if name == file.file and name:
        return True
    known = any(fnmatch(name.lower(), pattern.lower()) for pattern in file.series.patterns)
    return known and is_plain_name(name) and name.lower().endswith(_SUFFIXES) and _is_part(file, name)


def _is_part(file: OfficialFile, name: str) -> bool:
    return not file.part or re.search(rf"(?<![a-z]){file.part}(?![a-z])", name.lower()) is not None


__all__ = ["LIMITS", "Fetched", "cache_folder", "fetch"]
