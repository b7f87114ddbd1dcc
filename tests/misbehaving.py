"""A server on 127.0.0.1 whose every path behaves in a way of its own, mostly badly."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Way = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers /<way>/<rest> as `way` does, with the body that `rest` has on the server."""

    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        way, _, rest = self.path.lstrip("/").partition("/")
        body = self.server.bodies.get(rest.partition("?")[0], self.server.body)
        self.close_connection = True
        with suppress(ConnectionError):
            WAYS[way](self, body)

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        self.say(403)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer."""
        self.begin(status, **{"Content_Length": str(len(body)), **headers})
        self.wfile.write(body)

    def begin(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "application/octet-stream", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    @property
    def times(self) -> int:
        """How often this path has been asked for."""
        return sum(path == self.path for path, _ in self.server.asked)

    def wanted(self) -> int:
        """The first byte asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def log_message(self, *said: object) -> None:
        pass


def _good(server: Handler, body: bytes) -> None:
    server.say(200, body)


def _rest_of(server: Handler, body: bytes, upto: int | None = None, tag: str = '"one"') -> None:
    """The part asked for, as far as `upto`, if the version is still the same."""
    same = server.headers.get("If-Range", tag) == tag
    start = server.wanted() if same else 0
    status = 206 if start else 200
    headers = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
    server.begin(status, Content_Length=str(len(body) - start), ETag=tag, **headers)
    server.wfile.write(body[start:upto])


def _drops(server: Handler, body: bytes) -> None:
    _rest_of(server, body, len(body) // 2 if server.times == 1 else None)


def _drops_without_range(server: Handler, body: bytes) -> None:
    server.begin(200, Content_Length=str(len(body)))
    server.wfile.write(body[: len(body) // 2 if server.times == 1 else None])


def _always_drops(server: Handler, body: bytes) -> None:
    server.begin(200, Content_Length=str(len(body)))
    server.wfile.write(body[:-1])


def _changes_between(server: Handler, body: bytes) -> None:
    """Half of a longer version, then the server has another."""
    if server.times == 1:
        _rest_of(server, b"x" * 3 * len(body), 2 * len(body), tag='"zero"')
    else:
        _rest_of(server, body)


def _sends_another_part(server: Handler, body: bytes) -> None:
    if server.times == 1:
        _rest_of(server, body, len(body) // 2)
    elif server.wanted():
        server.say(206, body[3:], Content_Range=f"bytes 3-{len(body) - 1}/{len(body)}")
    else:
        _good(server, body)


def _sends_a_shorter_part(server: Handler, body: bytes) -> None:
    """Says so truly: from where it broke, but not to the end."""
    start, upto = server.wanted(), len(body) - 100
    if server.times == 1:
        _rest_of(server, body, len(body) // 2)
    elif start:
        server.say(206, body[start:upto], Content_Range=f"bytes {start}-{upto - 1}/{len(body)}")
    else:
        _good(server, body)


def _part_of_its_own(server: Handler, body: bytes) -> None:
    server.say(206, body[:100], Content_Range=f"bytes 0-99/{len(body)}")


def _refuses_the_part(server: Handler, body: bytes) -> None:
    if server.times == 1:
        _rest_of(server, body, len(body) // 2)
    elif server.wanted():
        server.say(416)
    else:
        _good(server, body)


def _says_too_little(server: Handler, body: bytes) -> None:
    server.begin(200, Content_Length=str(len(body) - 30))
    server.wfile.write(body)


def _no_length(server: Handler, body: bytes) -> None:
    server.begin(200)
    server.wfile.write(body)


def _chunks(server: Handler, body: bytes) -> None:
    server.begin(200, Transfer_Encoding="chunked")
    for start in range(0, len(body), 1000):
        part = body[start : start + 1000]
        server.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    server.wfile.write(b"0\r\n\r\n")


def _broken_chunks(server: Handler, body: bytes) -> None:
    server.begin(200, Transfer_Encoding="chunked")
    server.wfile.write(b"64\r\n" + body[:100] + b"\r\nno number\r\n")


def _endless(server: Handler, body: bytes) -> None:
    server.begin(200, Transfer_Encoding="chunked")
    block = b"8000\r\n" + bytes(0x8000) + b"\r\n"
    with suppress(OSError):
        for _ in range(10_000):
            server.wfile.write(block)


def _drip(server: Handler, body: bytes) -> None:
    server.begin(200, Content_Length=str(len(body)))
    with suppress(OSError):
        for byte in body[:200]:
            server.wfile.write(bytes([byte]))
            time.sleep(0.05)


def _hangs(server: Handler, body: bytes) -> None:
    time.sleep(1.0)


BOMB = gzip.compress(bytes(50_000_000))


def _bomb(server: Handler, body: bytes) -> None:
    server.say(200, BOMB, Content_Encoding="gzip")


def _packed(server: Handler, body: bytes) -> None:
    server.say(200, gzip.compress(body), Content_Encoding="gzip")


def _packed_and_cut(server: Handler, body: bytes) -> None:
    packed = gzip.compress(body)
    server.say(200, packed[: len(packed) // 2], Content_Encoding="gzip")


def _packed_and_damaged(server: Handler, body: bytes) -> None:
    packed = bytearray(gzip.compress(body))
    packed[20:40] = bytes(20)
    server.say(200, bytes(packed), Content_Encoding="gzip")


def _unknown_packing(server: Handler, body: bytes) -> None:
    server.say(200, body, Content_Encoding="secret")


def _page(server: Handler, body: bytes) -> None:
    server.say(200, b"<!DOCTYPE html><title>Moved</title>", Content_Type="text/html; charset=utf-8")


def _disguised_page(server: Handler, body: bytes) -> None:
    server.say(200, b"\n<!-- new site --><html><body>Log in</body></html>")


def _redirects(server: Handler, body: bytes) -> None:
    server.say(302, Location="/" + server.path.lstrip("/").replace("redirects", "good", 1))


def _loops(server: Handler, body: bytes) -> None:
    server.say(301, Location=server.path)


def _leads_away(server: Handler, body: bytes) -> None:
    server.say(302, Location="http://www.example.org/file.zip")


def _leads_to_a_file(server: Handler, body: bytes) -> None:
    server.say(302, Location="file:///etc/passwd")


def _first(status: int, **headers: str) -> Way:
    """This status once, then the file."""

    def way(server: Handler, body: bytes) -> None:
        if server.times == 1:
            server.say(status, **headers)
        else:
            _good(server, body)

    return way


def _always(status: int) -> Way:
    return lambda server, body: server.say(status)


WAYS: dict[str, Way] = {
    "good": _good,
    "drops": _drops,
    "drops-without-range": _drops_without_range,
    "always-drops": _always_drops,
    "changes-between": _changes_between,
    "sends-another-part": _sends_another_part,
    "sends-a-shorter-part": _sends_a_shorter_part,
    "part-of-its-own": _part_of_its_own,
    "refuses-the-part": _refuses_the_part,
    "says-too-little": _says_too_little,
    "no-length": _no_length,
    "chunks": _chunks,
    "broken-chunks": _broken_chunks,
    "endless": _endless,
    "huge": lambda server, body: server.begin(200, Content_Length="99999999999"),
    "drip": _drip,
    "hangs": _hangs,
    "hangs-up": lambda server, body: None,
    "no-http": lambda server, body: server.wfile.write(b"good morning\r\n\r\n"),
    "empty": lambda server, body: server.say(200),
    "bomb": _bomb,
    "packed": _packed,
    "packed-and-cut": _packed_and_cut,
    "packed-and-damaged": _packed_and_damaged,
    "unknown-packing": _unknown_packing,
    "page": _page,
    "disguised-page": _disguised_page,
    "redirects": _redirects,
    "loops": _loops,
    "leads-away": _leads_away,
    "leads-to-a-file": _leads_to_a_file,
    "500-once": _first(500),
    "503-once": _first(503, Retry_After="0"),
    "always-500": _always(500),
    "404": _always(404),
    "410": _always(410),
    "403": _always(403),
    "418": _always(418),
}


class Server(ThreadingHTTPServer):
    """`asked`: every path asked for, with its Range; `body`: what a path has unless `bodies` says else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.body = b""
        self.bodies: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *about: object) -> None:
        pass  # a client that hangs up is what some tests want


@contextmanager
def serving() -> Iterator[Server]:
    """The server, for as long as the block runs."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
