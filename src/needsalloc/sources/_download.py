"""Bytes over https from a server that may misbehave: whole, within limits of time and size, or not at all."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from needsalloc.errors import FetchError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

Progress = Callable[[str], None]

_BLOCK = 1 << 16
_MOST_REDIRECTS = 5
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (404, 410)
_REFUSED = (401, 403, 407, 451)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_PART = 206
_RANGE_IS_WRONG = 416
_OBJECT = re.compile(r"^(<.*?>|\w+\(.*?\)): ")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_ENCODINGS = ("identity", "gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 47
_LONGEST_WAIT = 60.0


class NotTheFileError(FetchError):
    """What is there is not the file: nothing any more, a web page, or a file of another kind."""


class _Passing(Exception):
    """A fault that another attempt may not meet; `wait`, seconds that the server asks for."""

    def __init__(self, said: str, wait: float = 0.0) -> None:
        super().__init__(said)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Limits:
    """What a download may take: seconds to connect, between two reads and altogether; attempts, with the
    seconds before the second (they double); and bytes."""

    connect: float = 15.0
    read: float = 60.0
    total: float = 3600.0
    attempts: int = 5
    pause: float = 1.0
    stored: int = 1 << 29


def download(
    address: str,
    into: BinaryIO,
    *,
    limits: Limits,
    mirror: bool = False,
    progress: Progress | None = None,
    what: str = "the file",
) -> None:
    """Write what is at `address` to `into`, an empty file open for reading and writing.

    A connection that breaks is taken up where it broke if the server can, else begun again. Only https is
    followed, and on this computer http too where `mirror` says that the user named the address.

    Raises NotTheFileError for 404, 410 or a web page; FetchError for whatever else ends it.
    """
    part = _Part(into, limits, time.monotonic() + limits.total)
    for attempt in range(limits.attempts):
        try:
            with _opened(address, part, mirror) as response:
                part.receive(response, what, progress)
            return
        except _Passing as fault:
            last = fault
            pause = max(limits.pause * 2**attempt, fault.wait) if attempt + 1 < limits.attempts else 0.0
            if time.monotonic() + pause > part.until:
                break
            if progress and pause:
                progress(f"{what}: {fault}; trying again")
            time.sleep(pause)
    raise FetchError(
        f"{address} could not be fetched whole: {last}. Try again later, or fetch it in a browser and name "
        "its folder with --from."
    )


class _Part:
    """What has arrived so far, and what is needed to go on from there."""

    def __init__(self, file: BinaryIO, limits: Limits, until: float) -> None:
        self.file, self.limits, self.until = file, limits, until
        self.bytes = 0
        self._version: str | None = None

    def request(self) -> Mapping[str, str]:
        """Headers that ask for the rest of the same version, or for the whole."""
        if not self.bytes or self._version is None:
            self.begin_again()
            return {}
        return {"Range": f"bytes={self.bytes}-", "If-Range": self._version}

    def seconds_left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise FetchError(
                f"The download took longer than {self.limits.total:,.0f} seconds and was given up. "
                "Fetch the file in a browser and name its folder with --from."
            )
        return left

    def receive(self, response: BaseHTTPResponse, what: str, progress: Progress | None) -> None:
        """Write what the response brings, as it comes."""
        unpacker = self._begin(response)
        stated = response.headers.get("Content-Length", "")
        whole = f"of {(self.bytes + int(stated)) / 1e6:,.1f} " if stated.isdecimal() and not unpacker else ""
        while packed := response.read1(_BLOCK, decode_content=False):
            for block in _unpacked(packed, unpacker):
                self.file.write(block)
                self.bytes += len(block)
                self._refuse_too_large(self.bytes)
            self.seconds_left()
            if progress:
                progress(f"{what}: {self.bytes / 1e6:,.1f} {whole}MB")
        if unpacker and not unpacker.eof:
            raise _Passing("what came is packed and was cut")

    def _begin(self, response: BaseHTTPResponse) -> zlib._Decompress | None:
        """Wind the file to where this response begins; what unpacks it, None where it is not packed."""
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in _ENCODINGS:
            raise FetchError(
                f"The server sends the file packed in a way that is not known here ({encoding}). Fetch it in "
                "a browser and name its folder with --from."
            )
        packed = encoding != "identity"
        if response.status == _PART:
            self._refuse_another_part(response)
        else:
            self.begin_again()
        self._version = None if packed else _version(response.headers)
        stated = response.headers.get("Content-Length", "")
        if not stated and "chunked" not in response.headers.get("Transfer-Encoding", "").lower():
            raise FetchError(
                "The server does not say how long the file is, so that a cut could not be told from its end. "
                "Fetch it in a browser and name its folder with --from."
            )
        self._refuse_too_large(self.bytes + (int(stated) if stated.isdecimal() else 0))
        return zlib.decompressobj(_GZIP_OR_ZLIB) if packed else None

    def _refuse_another_part(self, response: BaseHTTPResponse) -> None:
        """What was asked for goes from where it broke to the end of the file."""
        said = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        start, last, total = map(int, said.groups()) if said else (-1, -1, -1)
        if (start, last) != (self.bytes, total - 1):
            self.begin_again()
            raise _Passing("the server sent another part than the one asked for")

    def _refuse_too_large(self, size: int) -> None:
        if size > self.limits.stored:
            raise FetchError(
                f"The file is larger than {self.limits.stored / 1e6:,.0f} MB, which no file of the registry "
                "is. Nothing was kept. Check the address."
            )

    def begin_again(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.bytes, self._version = 0, None


def _unpacked(packed: bytes, unpacker: zlib._Decompress | None) -> Iterator[bytes]:
    """What a block unpacks to, a little at a time: it may be a thousand times as much."""
    if unpacker is None:
        yield packed
        return
    while packed:
        try:
            yield unpacker.decompress(packed, _BLOCK)
        except zlib.error as error:
            raise _Passing(f"what came is packed and damaged ({error})") from error
        packed = unpacker.unconsumed_tail


def _version(headers: Mapping[str, str]) -> str | None:
    """What names this version of the file in If-Range; a weak tag does not."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


@contextmanager
def _opened(address: str, part: _Part, mirror: bool) -> Iterator[BaseHTTPResponse]:
    """The response with the file, redirects followed; urllib3's faults in our words."""
    import urllib3
    from urllib3 import exceptions as faults

    headers = {"Accept-Encoding": "identity", "User-Agent": _user_agent(), **part.request()}
    try:
        here = address
        for _ in range(_MOST_REDIRECTS + 1):
            _refuse_insecure(here, mirror)
            timeout = urllib3.Timeout(
                connect=part.limits.connect, read=min(part.limits.read, part.seconds_left())
            )
            with _pool(here) as pool:
                response = pool.request(
                    "GET",
                    here,
                    headers=headers,
                    timeout=timeout,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                try:
                    onward = response.headers.get("Location") if response.status in _REDIRECTS else None
                    if onward is None:
                        _refuse_status(address, response, part)
                        yield response
                        return
                    here = urljoin(here, onward)
                finally:
                    # What is left of a body is not read: it may have no end.
                    response.close()
        raise FetchError(
            f"{address} leads to more than {_MOST_REDIRECTS} other addresses in turn. Check it in a browser."
        )
    except (
        faults.NameResolutionError,
        faults.SSLError,
        faults.ProxyError,
        faults.LocationValueError,
    ) as error:
        raise FetchError(
            f"{urlsplit(address).hostname} cannot be reached from this computer ({_reason(error)}). Where a "
            "firewall or proxy stands between, set https_proxy, or fetch the file elsewhere and name its "
            "folder with --from."
        ) from error
    except (faults.HTTPError, ConnectionError, TimeoutError) as error:
        raise _Passing(_reason(error)) from error


def _refuse_status(address: str, response: BaseHTTPResponse, part: _Part) -> None:
    status = response.status
    if status in _PASSING:
        raise _Passing(f"the server answers {status}", _asked_to_wait(response.headers.get("Retry-After")))
    if status == _RANGE_IS_WRONG:
        part.begin_again()
        raise _Passing("the server no longer has the part asked for")
    if status in _GONE:
        raise NotTheFileError(f"There is nothing at {address} any more (the server answers {status}).")
    if status in _REFUSED:
        raise FetchError(
            f"{address} may not be read from here (the server or a proxy answers {status}). Open it in a "
            "browser, save the file, and name its folder with --from."
        )
    if status not in (200, _PART):
        raise FetchError(f"{address} answers {status}, which is no file. Check it in a browser.")
    if "html" in response.headers.get("Content-Type", "").lower():
        raise NotTheFileError(f"{address} shows a web page where the file was.")


def _asked_to_wait(said: str | None) -> float:
    return min(float(said), _LONGEST_WAIT) if said and said.isdecimal() else 0.0


def _refuse_insecure(address: str, mirror: bool) -> None:
    """https everywhere; http only on this computer, from an address that the user named."""
    try:
        parts = urlsplit(address)
        if parts.hostname and (parts.scheme == "https" or (mirror and _is_here(parts))):
            return
    except ValueError:  # brackets that do not close, a port that is no number
        pass
    raise FetchError(
        f"{address} is no https address, and what comes over another can be changed on the way. Give one "
        "that begins with https://, or the folder of a file that is already here."
    )


def _is_here(parts: SplitResult) -> bool:
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def _pool(address: str) -> PoolManager:
    """Connections, through the proxy that the environment or the system names, if any."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    parts = urlsplit(address)
    host = parts.hostname or ""
    proxy = None if host in _LOOPBACK or proxy_bypass(host) else getproxies().get(parts.scheme)
    if not proxy:
        return urllib3.PoolManager()
    named = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login = {}
    if named.username:
        user_and_word = unquote(f"{named.username}:{named.password or ''}")
        login = urllib3.make_headers(proxy_basic_auth=user_and_word)
    bare = urlunsplit((named.scheme, named.netloc.rpartition("@")[2], "", "", ""))
    return urllib3.ProxyManager(bare, proxy_headers=login)


def _reason(error: BaseException) -> str:
    """The fault without the object that urllib3 puts before it."""
    return _OBJECT.sub("", str(error)).strip().rstrip(".") or type(error).__name__


def _user_agent() -> str:
    from needsalloc import __version__

    return f"needsalloc/{__version__}"


__all__ = ["Limits", "NotTheFileError", "Progress", "download"]
