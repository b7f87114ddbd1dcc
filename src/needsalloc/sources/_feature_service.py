"""A whole layer of an ArcGIS feature service, page by page, as one file that is the same every time."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlencode

from needsalloc.errors import FetchError
from needsalloc.sources._download import Limits, NotTheFileError, Progress, download

_OF_THE_SERVICE = ("GlobalID", "Shape__Area", "Shape__Length")
_PASSING = (429, 500, 502, 503, 504)
# A millionth of a degree is a tenth of a metre: finer than any boundary drawn for maps.
_DECIMALS = 6


def read_layer(
    layer: str,
    into: BinaryIO,
    *,
    shapes: bool,
    limits: Limits,
    mirror: bool = False,
    progress: Progress | None = None,
    what: str = "the layer",
) -> None:
    """Write every row of `layer` (…/FeatureServer/0) to `into`: GeoJSON with `shapes`, else CSV.

    Rows are sorted and the service's own numbering is left out, so that the same content makes the same
    bytes however it was paged.

    Raises NotTheFileError where no layer is there, FetchError where pages repeat, end early, or say an error.
    """
    service = _Service(layer, limits, mirror, progress, what)
    about = service.ask(layer, {})
    number = about.get("objectIdField") or about.get("objectIdFieldName")
    fields = [
        field["name"] for field in about.get("fields") or [] if field.get("type") != "esriFieldTypeGeometry"
    ]
    if not isinstance(number, str) or number not in fields:
        raise NotTheFileError(f"{layer} does not describe a layer with numbered rows.")
    kept = [name for name in fields if name != number and name not in _OF_THE_SERVICE]
    # A page is written out before the next is asked for: as objects, all boundaries would take a gigabyte.
    rows = service.rows(number, shapes)
    if shapes:
        _write_geojson(sorted(_feature(row, kept) for row in rows), into)
    else:
        _write_csv(sorted(_values(row, kept) for row in rows), kept, into)


class _Service:
    """Questions to one layer, each within the limits, all within the total time."""

    def __init__(
        self, layer: str, limits: Limits, mirror: bool, progress: Progress | None, what: str
    ) -> None:
        self.layer, self.limits, self.mirror = layer, limits, mirror
        self.progress, self.what = progress, what
        self.until = time.monotonic() + limits.total
        self.bytes = 0

    def rows(self, number: str, shapes: bool) -> Iterator[Mapping[str, Any]]:
        """Every row once: properties, and geometry with `shapes`."""
        every = {"where": "1=1"}
        total = self.ask(f"{self.layer}/query", every | {"returnCountOnly": "true"}).get("count")
        if not isinstance(total, int) or total < 1:
            raise NotTheFileError(f"{self.layer} counts {total!r} rows.")
        wanted = every | {"outFields": "*", "orderByFields": number}
        wanted |= (
            {"outSR": "4326", "geometryPrecision": str(_DECIMALS), "f": "geojson"}
            if shapes
            else {"returnGeometry": "false"}
        )
        seen: set[object] = set()
        while len(seen) < total:
            page = self.ask(f"{self.layer}/query", wanted | {"resultOffset": str(len(seen))})
            rows = [_row(row) for row in page.get("features") or []]
            numbers = [row["properties"].get(number, row.get("id")) for row in rows]
            if not rows or None in numbers or len({*numbers} - seen) < len(rows):
                raise FetchError(
                    f"{self.layer} gave {len(seen):,} of its {total:,} rows, then "
                    f"{'none' if not rows else 'some of them again'}. Try again later, or fetch the layer "
                    "in a browser and name its folder with --from."
                )
            seen.update(numbers)
            yield from rows
            if self.progress:
                self.progress(f"{self.what}: {len(seen):,} of {total:,} rows")
        if len(seen) > total:
            raise FetchError(f"{self.layer} gave {len(seen):,} rows and counts {total:,}. Try again later.")

    def ask(self, address: str, question: Mapping[str, str]) -> dict[str, Any]:
        """The answer to one question as JSON; an error that may pass is asked again."""
        for attempt in range(self.limits.attempts):
            answer = self._answer(f"{address}?{urlencode({'f': 'json', **question})}")
            error = answer.get("error")
            if error is None:
                return answer
            code = error.get("code") if isinstance(error, dict) else None
            message = error.get("message") if isinstance(error, dict) else error
            if code not in _PASSING:
                raise NotTheFileError(f"{self.layer} answers with an error ({code}: {message}).")
            pause = self.limits.pause * 2**attempt
            if time.monotonic() + pause > self.until:
                break
            time.sleep(pause)
        raise FetchError(f"{self.layer} answers with an error ({code}: {message}). Try again later.")

    def _answer(self, address: str) -> dict[str, Any]:
        left = Limits(
            **{name: getattr(self.limits, name) for name in ("connect", "read", "attempts", "pause")},
            total=max(self.until - time.monotonic(), 0.0),
            stored=self.limits.stored - self.bytes,
        )
        text = io.BytesIO()
        download(address, text, limits=left, mirror=self.mirror)
        self.bytes += text.tell()
        try:
            answer = json.loads(text.getvalue())
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise NotTheFileError(f"{self.layer} does not answer as a feature service does.")
        return answer


def _row(row: Any) -> Mapping[str, Any]:
    """A feature of either answer: GeoJSON has properties, Esri's own JSON attributes."""
    properties = row.get("properties", row.get("attributes")) if isinstance(row, dict) else None
    if not isinstance(properties, dict):
        raise FetchError("A row of the feature service has no values. Try again later.")
    return {"id": row.get("id"), "properties": properties, "geometry": row.get("geometry")}


def _values(row: Mapping[str, Any], fields: list[str]) -> list[str]:
    found = (row["properties"].get(field) for field in fields)
    return ["" if value is None else str(value) for value in found]


def _write_csv(rows: list[list[str]], fields: list[str], into: BinaryIO) -> None:
    text = io.TextIOWrapper(into, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(text, lineterminator="\n")
    table.writerow(fields)
    table.writerows(rows)
    text.detach()


def _feature(row: Mapping[str, Any], fields: list[str]) -> str:
    properties = {field: row["properties"].get(field) for field in fields}
    feature = {"type": "Feature", "properties": properties, "geometry": row["geometry"]}
    return json.dumps(feature, ensure_ascii=False, separators=(",", ":"))


def _write_geojson(features: list[str], into: BinaryIO) -> None:
    into.write(b'{"type":"FeatureCollection","features":[\n')
    for at, feature in enumerate(features):
        into.write((",\n" if at else "").encode() + feature.encode())
    into.write(b"\n]}\n")


__all__ = ["read_layer"]
