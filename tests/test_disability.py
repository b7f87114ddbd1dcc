"""The reader of residents by disability: both layouts of categories, other nations, and faults."""

import pytest

from needsalloc import errors
from needsalloc.sources.disability import read_disability

ROWS = """lsoa21_code,disability,n,total_residents,prop
E01000001,Disabled under the Equality Act,152,1475,0.1
E01000001,Not disabled under the Equality Act,1323,1475,0.9
E01033769,Disabled under the Equality Act,10,100,0.1
E01033769,Not disabled under the Equality Act,90,100,0.9
W01000003,Disabled under the Equality Act,3,10,0.3
W01000003,Not disabled under the Equality Act,7,10,0.7
"""


def written(tmp_path, text: str):
    path = tmp_path / "disability.csv"
    path.write_text(text)
    return path


def test_disabled_people_and_residents_by_area(tmp_path):
    found = read_disability(written(tmp_path, ROWS))
    assert found.index.name == "lsoa21"
    assert found.loc["E01000001"].to_dict() == {"disabled": 152, "residents": 1475}
    assert found["disabled"].sum() == 162
    assert found.attrs["left_out"] == {"Wales": 10}
    assert found.attrs["source"]["rows"] == 6


def test_finer_categories_are_added_up(tmp_path):
    text = ROWS.replace(
        "E01000001,Disabled under the Equality Act,152",
        "E01000001,Disabled under the Equality Act: limited a lot,52,1475,0\n"
        "E01000001,Disabled under the Equality Act: limited a little,100",
    )
    assert read_disability(written(tmp_path, text)).at["E01000001", "disabled"] == 152


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("W01000003,Not disabled", "W01000003,Total: disabled", errors.InvalidValueError, "TOTAL: DISABLED"),
        (ROWS.splitlines()[4] + "\n", "", errors.InvalidValueError, "one category only: E01033769"),
        ("disability,n", "disability,persons", errors.MissingColumnError, "number"),
        ("E01033769,Not", "E01033769,Disabled under the Equality Act,1,1,1\nE01033769,Not",
         errors.InvalidValueError, "more than one row"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path, old, new, error, words):
    with pytest.raises(error, match=words):
        read_disability(written(tmp_path, ROWS.replace(old, new)))
