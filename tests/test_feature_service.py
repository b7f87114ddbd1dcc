"""A layer of a feature service, read page by page from one that misbehaves: the same bytes, or an error."""

import io
import json
import random
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from misbehaving import WAYS, Handler, serving
from needsalloc.errors import FetchError
from needsalloc.sources import read_area_lookup, read_boundaries
from needsalloc.sources._download import Limits, NotTheFileError
from needsalloc.sources._feature_service import read_layer

HURRY = Limits(connect=1.0, read=0.4, total=2.0, attempts=3, pause=0.01, stored=1_000_000)
FIELDS = ["ObjectId", "LSOA11CD", "CHGIND", "LSOA21CD", "LAD22NM", "Shape__Area"]
ROWS = [
    {
        "ObjectId": i + 1,
        "LSOA11CD": f"E01{i:06}",
        "CHGIND": "U",
        "LSOA21CD": f"E01{i:06}",
        "LAD22NM": None if i == 3 else 'St Ives, "Kernow"' if i == 4 else "Môn",
        "Shape__Area": i / 3,
    }
    for i in range(25)
]


def _layer(server: Handler, body: bytes) -> None:
    """What a feature service answers; `/layer/<flavour>/…/0` names what is wrong with it."""
    flavour = server.path.split("/")[2]
    asked = {key: values[0] for key, values in parse_qs(urlsplit(server.path).query).items()}
    rows, size = list(ROWS), 10
    if flavour == "another-order":
        random.Random(1).shuffle(rows)
        rows, size = [row | {"ObjectId": 900 - i} for i, row in enumerate(rows)], 7
    answer: object
    start = int(asked.get("resultOffset", 0))
    page = rows[start : start + size]
    if "/query" not in urlsplit(server.path).path:
        kinds = {"ObjectId": "esriFieldTypeOID", "Shape__Area": "esriFieldTypeDouble"}
        fields = [{"name": name, "type": kinds.get(name, "esriFieldTypeString")} for name in FIELDS]
        answer = {"objectIdField": "ObjectId", "fields": fields}
    elif asked.get("returnCountOnly"):
        answer = {"count": 0 if flavour == "empty" else len(rows)}
    elif asked["f"] == "geojson":
        square = {"type": "Polygon", "coordinates": [[[0, 50], [0, 50.01], [0.01, 50.01], [0, 50]]]}
        features = [
            {"type": "Feature", "id": row["ObjectId"], "properties": row, "geometry": square} for row in page
        ]
        answer = {"type": "FeatureCollection", "features": features}
    else:
        answer = {
            "features": [{"attributes": row} for row in page],
            "exceededTransferLimit": start + size < len(rows),
        }
    later = start > 0
    if flavour == "no-pages" and later:
        answer = {"features": [{"attributes": row} for row in rows[:size]]}
    if flavour == "ends-early" and later:
        answer = {"features": []}
    if flavour == "no-values" and later:
        answer = {"features": [{"attributes": None}]}
    if flavour == "error-once" and later and server.times == 1:
        answer = {"error": {"code": 503, "message": "busy"}}
    if flavour == "error-503" and later:
        answer = {"error": {"code": 503, "message": "busy"}}
    if flavour == "error-400" and later:
        answer = {"error": {"code": 400, "message": "Invalid URL", "details": []}}
    if flavour == "token":
        answer = {"error": {"code": 499, "message": "Token Required"}}
    if flavour == "a-list":
        answer = []
    if flavour == "no-layer":
        answer = {"currentVersion": 11.1}
    text = json.dumps(answer).encode()
    if flavour == "no-json" and later:
        text = b"<html><body>Sorry, try again</body></html>"
    if flavour == "deep":
        text = b"[" * 500_000
    if flavour == "page" and later:
        server.say(200, b"<!doctype html>", Content_Type="text/html")
    elif flavour == "500-once" and later and server.times == 1:
        server.say(500)
    else:
        server.say(200, text, Content_Type="application/json")


@pytest.fixture(scope="module")
def address():
    WAYS["layer"] = _layer
    with serving() as running:
        yield running.address
    del WAYS["layer"]


def read(address, flavour, *, shapes=False, limits=HURRY):
    into = io.BytesIO()
    read_layer(f"{address}/layer/{flavour}/FeatureServer/0", into, shapes=shapes, limits=limits, mirror=True)
    return into.getvalue()


def test_every_row_once_and_nothing_of_the_service(address):
    text = read(address, "good").decode()
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    expected = pd.DataFrame(ROWS)[["LSOA11CD", "CHGIND", "LSOA21CD", "LAD22NM"]].fillna("")
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


@pytest.mark.parametrize("shapes", [False, True])
@pytest.mark.parametrize("flavour", ["good", "another-order", "error-once", "500-once"])
def test_the_same_bytes_however_it_was_paged(address, flavour, shapes):
    assert read(address, flavour, shapes=shapes) == read(address, "good", shapes=shapes)


@pytest.mark.parametrize(
    ("flavour", "said"),
    [
        ("no-pages", "gave 10 of its 25 rows, then some of them again"),
        ("ends-early", "gave 10 of its 25 rows, then none"),
        ("no-values", "has no values"),
        ("error-503", "503: busy.*Try again later"),
    ],
)
def test_a_layer_that_is_not_whole(address, flavour, said):
    with pytest.raises(FetchError, match=said):
        read(address, flavour)


@pytest.mark.parametrize(
    "flavour", ["error-400", "token", "a-list", "no-layer", "no-json", "deep", "page", "empty"]
)
def test_what_is_no_layer_is_said_to_have_moved(address, flavour):
    with pytest.raises(NotTheFileError):
        read(address, flavour)


def test_all_pages_together_are_within_the_limit(address):
    # A page of ten rows is 1,300 bytes, all answers together are 4,000.
    with pytest.raises(FetchError, match="larger than"):
        read(address, "good", limits=replace(HURRY, stored=3_000))
    assert read(address, "good", limits=replace(HURRY, stored=5_000))


def test_what_is_written_can_be_read(address, tmp_path):
    (tmp_path / "lookup.csv").write_bytes(read(address, "good"))
    lookup = read_area_lookup(tmp_path / "lookup.csv")
    assert lookup["lsoa11"].tolist() == [row["LSOA11CD"] for row in ROWS]
    assert set(lookup["change"]) == {"U"}
    (tmp_path / "map.geojson").write_bytes(read(address, "good", shapes=True))
    drawn = read_boundaries(tmp_path / "map.geojson", area="LSOA21CD", vintage="lsoa21")
    assert sorted(drawn.index) == [row["LSOA21CD"] for row in ROWS]
    # A right triangle of 0.01 degrees at 50° north: 1,112 m by 717 m by half, on the British grid.
    assert drawn.area.iloc[0] == pytest.approx(1112 * 717 / 2, rel=0.01)
