"""Area codes: their groups, their vintage, and the joins that must not be made."""

import pandas as pd
import pytest

from needsalloc import geography
from needsalloc.errors import UnknownCodeError, VintageError
from needsalloc.sources import read_area_lookup

UNCHANGED = [f"E01{i:06}" for i in range(1, 6)]


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("E01000001", "England"),
        ("W01000044", "Wales"),
        ("S01014142", "Scotland"),
        ("N21000624", "Northern Ireland"),
        ("95AA01S1", "Northern Ireland"),
        ("NO2011", "no area recorded (NO2011)"),
        ("NO2021", "no area recorded (NO2021)"),
        ("CLOSED", "closed (CLOSED)"),
        ("EMPTY", "empty (EMPTY)"),
        ("L99999999", "pseudo-code (L99999999)"),
        ("M99999999", "pseudo-code (M99999999)"),
        ("E02000001", "unknown"),
        ("E0100001", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_each_code_has_a_group_fit_for_a_coverage_table(code, group):
    assert geography.classify([code]).tolist() == [group]


def test_groups_come_in_the_order_of_the_codes_and_one_for_each():
    codes = pd.Series(pd.Categorical(["EMPTY", "E01000001", "EMPTY", "W01000001"]))
    assert geography.classify(codes).tolist() == ["empty (EMPTY)", "England", "empty (EMPTY)", "Wales"]
    assert geography.classify([]).tolist() == []


@pytest.mark.parametrize(
    ("codes", "vintage"),
    [
        (["E01033768"], "lsoa11"),
        (["E01033769"], "lsoa21"),
        ([*UNCHANGED, "E01033769"], "lsoa21"),
        # Only English codes tell: those of Wales and the pseudo-codes do not.
        (["E01000001", "W01002040", "NO2011", "CLOSED"], "lsoa11"),
    ],
)
def test_the_vintage_comes_from_the_codes(codes, vintage):
    assert geography.vintage_of(codes) == vintage


def test_no_english_area_is_an_error_that_shows_what_was_found():
    with pytest.raises(UnknownCodeError, match=r"E02000001.*Check that the column holds LSOA codes"):
        geography.vintage_of(["E02000001"])


def test_a_frame_names_its_vintage():
    assert geography.vintage_in(pd.DataFrame({"lsoa11": [], "patients": []})) == "lsoa11"
    assert geography.vintage_in(pd.DataFrame(index=pd.Index([], name="lsoa21"))) == "lsoa21"
    for frame in (pd.DataFrame({"lsoa": []}), pd.DataFrame({"lsoa11": [], "lsoa21": []})):
        with pytest.raises(VintageError, match="must name one area vintage"):
            geography.vintage_in(frame)


def test_areas_of_two_vintages_do_not_meet():
    with pytest.raises(VintageError) as refused:
        geography.check_same_vintage(
            [*UNCHANGED, "E01033769", "E01033770"],
            [*UNCHANGED, "E01033768"],
            left_name="registrations",
            right_name="deprivation",
        )
    message = str(refused.value)
    assert "registrations and deprivation are of two censuses, 2021 (lsoa21) and 2011 (lsoa11)" in message
    assert "2 of 7 codes do not match (E01033769, E01033770)" in message


def test_areas_that_never_changed_meet_either_vintage():
    assert geography.check_same_vintage(UNCHANGED, [*UNCHANGED, "E01033768"]) == "lsoa11"
    assert geography.check_same_vintage(UNCHANGED, [*UNCHANGED, "E01033769"]) == "lsoa21"


def national_lookup(areas_2021: int) -> pd.DataFrame:
    old = [f"E01{i:06}" for i in range(32_844)]
    new = [f"E01{i:06}" for i in range(areas_2021)]
    rows = max(len(old), len(new))
    return pd.DataFrame(
        {"lsoa11": old + [old[-1]] * (rows - len(old)), "lsoa21": new + [new[-1]] * (rows - len(new))}
    )


def test_an_exact_fit_lookup_passes_and_a_best_fit_one_is_refused_by_count():
    geography.check_exact_fit(national_lookup(33_755))
    with pytest.raises(VintageError, match=r"32,711 of England's 33,755 areas in lsoa21: 1,044 are missing"):
        geography.check_exact_fit(national_lookup(33_755 - 1_044))


def test_a_lookup_of_one_county_cannot_be_judged_by_count():
    geography.check_exact_fit(pd.DataFrame({"lsoa11": UNCHANGED, "lsoa21": UNCHANGED}))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        # A best-fit lookup of one county: one row for a split area, one area of two that were merged.
        (
            [("E01000001", "E01000001", "U"), ("E01000002", "E01033769", "S")],
            "1 areas .* E01000002 to E01033769",
        ),
        ([("E01000002", "E01033769", "M")], "E01000002 to E01033769. The other parts are missing"),
        ([("E01000001", "E01000001", "S")], "1 rows of the lookup have a change code .* E01000001"),
        ([("E01000001", "E01033770", "X"), ("E01000001", "E01033771", "X")], "2 rows .* do not bear out"),
    ],
)
def test_a_best_fit_lookup_of_one_county_is_told_by_its_pairs(pairs, message):
    with pytest.raises(VintageError, match=message):
        geography.check_exact_fit(pd.DataFrame(pairs, columns=["lsoa11", "lsoa21", "change"]))


def test_a_lookup_without_change_codes_is_told_what_it_is(tmp_path):
    path = tmp_path / "lookup.csv"
    path.write_text("ObjectId,LSOA11CD,LSOA21CD\n1,E01000001,E01000001\n2,E01000002,E01033769\n")
    with pytest.raises(VintageError, match="as in a best-fit lookup"):
        read_area_lookup(path)
    path.write_text("LSOA11CD,LSOA21CD\nE01000002,E01033769\nE01000002,E01033770\nE01000002,E01033770\n")
    assert read_area_lookup(path)["change"].to_list() == ["S", "S"]
