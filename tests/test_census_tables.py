"""Census tables as they are published: a zip of one table for every geography, a column for each category."""

import io
import zipfile

import pandas as pd
import pytest

from needsalloc.errors import InvalidValueError
from needsalloc.sources import fetch, read_disability, read_population

BANDS = [
    "4 years and under",
    *(f"{first} to {first + 4} years" for first in range(5, 85, 5)),
    "85 years and over",
]
AGES = ["date", "geography", "geography code", "Age: Total", *(f"Age: Aged {band}" for band in BANDS)]
YES, NO = (f"Disability: {word} under the Equality Act" for word in ("Disabled", "Not disabled"))
DISABILITY = [
    "date",
    "geography",
    "geography code",
    "Disability: Total: All usual residents",
    YES,
    f"{YES}: Day-to-day activities limited a lot",
    f"{YES}: Day-to-day activities limited a little",
    NO,
    f"{NO}: Has long term physical or mental health condition but day-to-day activities are not limited",
    f"{NO}: No long term physical or mental health conditions",
]
# A new area of 2021 tells the vintage; the Welsh one is not England's.
AREAS = [
    ("City of London 001F", "E01032739"),
    ("Tower Hamlets 015E", "E01035716"),
    ("Cardiff 032H", "W01001939"),
]


def ages():
    rows = [[2021, name, code, 18 * (i + 1), *[i + 1] * 18] for i, (name, code) in enumerate(AREAS)]
    return pd.DataFrame(rows, columns=AGES)


def disability():
    rows = [
        [2021, name, code, 100, 10 + i, 4, 6 + i, 90 - i, 5, 85 - i] for i, (name, code) in enumerate(AREAS)
    ]
    return pd.DataFrame(rows, columns=DISABILITY)


def published(folder, table, frame):
    """The zip with the same header for several geographies, of which one is read."""
    path = folder / f"census2021-{table}.zip"
    whole = frame.assign(**{"geography code": [f"K0{i}" for i in range(len(frame))]})
    with zipfile.ZipFile(path, "w") as archive:
        for geography, rows in {"ctry": whole, "lsoa": frame, "msoa": whole}.items():
            text = io.StringIO()
            rows.to_csv(text, index=False)
            archive.writestr(f"census2021-{table}-{geography}.csv", text.getvalue())
        archive.writestr("metadata/census2021.txt", "Contents")
    return path


def test_residents_by_five_year_band(tmp_path):
    published(tmp_path, "ts007a", ages())
    found = read_population(*fetch("population", to=tmp_path / "to", from_=tmp_path).paths)
    assert found.index.tolist() == ["E01032739", "E01035716"]
    assert found.index.name == "lsoa21"
    assert found.columns.tolist() == list(range(0, 90, 5))
    assert found.loc["E01035716"].tolist() == [2.0] * 18
    assert sum(found.attrs["left_out"].values()) == 18 * 3


def test_residents_by_disability(tmp_path):
    published(tmp_path, "ts038", disability())
    found = read_disability(*fetch("disability", to=tmp_path / "to", from_=tmp_path).paths)
    assert found.to_dict("list") == {"disabled": [10.0, 11.0], "residents": [100.0, 100.0]}
    assert sum(found.attrs["left_out"].values()) == 100


def test_an_area_that_stands_twice(tmp_path):
    path = published(tmp_path, "ts038", pd.concat([disability(), disability()]))
    with pytest.raises(InvalidValueError, match="on more than one row"):
        read_disability(path)
