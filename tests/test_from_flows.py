"""Flows and shares of one's own: any areas, any teams, and what is missing from them by name."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import errors
from plain_catchments import METHODS, crowds, entries, frame, ties
from small_worlds import CODES, law

PLACES = ["E02000001", "E02000002", "E02000003"]
TRUSTS = ["R1H", "RAL", "RQM"]


def long(rows: list[tuple[str, str, float]], value: str = "share") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["msoa", "trust", value])


def from_shares(rows: list[tuple[str, str, float]], **options: str) -> na.Catchment:
    return na.Catchment.from_flows(long(rows), area="msoa", team="trust", share="share", **options)


def from_counts(rows: list[tuple[str, str, float]]) -> na.Catchment:
    return na.Catchment.from_flows(long(rows, "n"), area="msoa", team="trust", patients="n")


WHOLE = [(PLACES[0], "R1H", 0.6), (PLACES[0], "RAL", 0.4), (PLACES[1], "RAL", 1.0)]
SHORT = [(PLACES[0], "R1H", 0.6), (PLACES[0], "RAL", 0.3), (PLACES[1], "RAL", 1.0)]


# Counts


@law(crowds(), st.sampled_from(METHODS), examples=40)
def test_counted_flows_are_the_catchment_of_registrations(crowd, method):
    """A practice is a provider like any other."""
    rows, _ = crowd
    registered = na.Catchment.from_registrations(frame(rows)).with_method(**method)
    of = na.Catchment.from_flows(frame(rows), area="lsoa21", team="practice", patients="patients")
    of = of.with_method(**method)
    assert of.vintage == "lsoa21"
    assert entries(of, of.flows) == entries(registered, registered.flows)
    assert entries(of, of.resident_share) == entries(registered, registered.resident_share)
    assert ties(of) == ties(registered)
    assert of.populations()["registered"].to_dict() == registered.populations()["registered"].to_dict()
    pd.testing.assert_frame_equal(of.outside, registered.outside)


@law(
    st.lists(
        st.tuples(*map(st.sampled_from, (PLACES, TRUSTS)), st.floats(0, 9, allow_subnormal=False)),
        min_size=1,
        max_size=20,
    )
)
def test_any_weights_are_added_up(rows):
    plainly = long(rows, "n").groupby(["msoa", "trust"])["n"].sum()
    plainly = plainly[plainly > 0]
    if plainly.empty:
        with pytest.raises(errors.InvalidValueError):
            from_counts(rows)
        return
    of = from_counts(rows)
    assert entries(of, of.flows) == pytest.approx(plainly.to_dict())
    wanted = plainly / plainly.groupby("msoa").transform("sum")
    assert entries(of, of.resident_share) == pytest.approx(wanted.to_dict())
    assert of.areas.name == "msoa"
    assert of.teams.index.name == "team"
    assert of.patients == pytest.approx(plainly.sum())


def test_a_matrix_becomes_flows_by_melting():
    matrix = pd.DataFrame([[3, 1], [0, 2]], index=pd.Index(PLACES[:2], name="msoa"), columns=TRUSTS[:2])
    flows = matrix.reset_index().melt("msoa", var_name="trust", value_name="n")
    of = na.Catchment.from_flows(flows, area="msoa", team="trust", patients="n")
    np.testing.assert_array_equal(of.flows.toarray(), matrix)


@pytest.mark.parametrize("area", ["practice", "patients", "lsoa", "areas", "share", "team_of_area"])
def test_the_column_of_areas_keeps_its_name_whatever_it_is(area):
    flows = pd.DataFrame({area: ["A", "B", "B"], "trust": ["R1", "R1", "R2"], "n": [1, 2, 3]})
    of = na.Catchment.from_flows(flows, area=area, team="trust", patients="n")
    assert of.areas.tolist() == ["A", "B"]
    assert of.areas.name == area
    assert of.teams.index.tolist() == ["R1", "R2"]
    assert of.to_frame().columns.tolist() == [area, "team", "registered", "resident_share", "patient_share"]
    assert of.to_frame()[area].tolist() == ["A", "B", "B"]


def test_codes_of_whole_numbers_are_codes():
    flows = pd.DataFrame({"ward": [2, 10, 10], "team": [1, 1, 3], "n": [1, 2, 3]})
    of = na.Catchment.from_flows(flows, area="ward", team="team", patients="n")
    assert entries(of, of.flows) == {("2", "1"): 1, ("10", "1"): 2, ("10", "3"): 3}
    with pytest.raises(errors.UnknownCodeError, match="have no row"):
        of.apportion(pd.Series(1.0, index=[2, 10]))


def test_the_day_of_the_flows_is_kept():
    flows = long(WHOLE, "n")
    flows.attrs["on"] = date(2023, 7, 1)
    of = na.Catchment.from_flows(flows, area="msoa", team="trust", patients="n")
    assert of.on == date(2023, 7, 1)
    assert "of 1 Jul 2023" in repr(of)


# Shares


@pytest.mark.parametrize("options", [{}, {"remainder": "unassigned"}, {"remainder": "rescale"}])
def test_whole_shares_stay_as_they_are(options):
    of = from_shares(WHOLE, **options)
    assert entries(of, of.resident_share) == pytest.approx({(a, t): share for a, t, share in WHOLE})
    assert of.teams["is_team"].all()
    assert repr(of) == "<Catchment: 2 areas (msoa) → 2 teams, shares alone; 0.00% without a team>"


def test_shares_with_a_remainder_are_refused_named_or_spread():
    with pytest.raises(errors.InvalidValueError, match=r"1 of 2 areas sum to less than 1: E02000001.*0\.900"):
        from_shares(SHORT)
    kept = from_shares(SHORT, remainder="unassigned")
    wanted = {(a, t): share for a, t, share in SHORT} | {(PLACES[0], "unassigned"): 0.1}
    assert entries(kept, kept.resident_share) == pytest.approx(wanted)
    assert kept.teams["is_team"].to_dict() == {"R1H": True, "RAL": True, "unassigned": False}
    spread = from_shares(SHORT, remainder="rescale")
    assert entries(spread, spread.resident_share) == pytest.approx(
        {(PLACES[0], "R1H"): 2 / 3, (PLACES[0], "RAL"): 1 / 3, (PLACES[1], "RAL"): 1}
    )
    with pytest.raises(errors.InvalidValueError, match=r"Unknown remainder 'drop'.*refuse, unassigned"):
        from_shares(SHORT, remainder="drop")


@pytest.mark.parametrize("remainder", ["refuse", "unassigned", "rescale"])
def test_shares_of_more_than_everybody_are_refused(remainder):
    with pytest.raises(errors.InvalidValueError, match=r"1 of 2 areas sum to more than 1: E02000002.*1\.250"):
        from_shares([*WHOLE, (PLACES[1], "RQM", 0.25)], remainder=remainder)
    # Nor are negative ones let through by others that make up for them.
    with pytest.raises(errors.InvalidValueError, match="negative"):
        from_shares([*WHOLE, (PLACES[2], "RQM", 1.2), (PLACES[2], "RAL", -0.2)], remainder=remainder)


@pytest.mark.parametrize("off", [4e-7, -4e-7])
def test_the_rounding_of_print_is_no_remainder(off):
    of = from_shares([(PLACES[0], "R1H", 0.6 + off), (PLACES[0], "RAL", 0.4)])
    assert of.resident_share.sum() == pytest.approx(1, abs=1e-12)
    with pytest.raises(errors.InvalidValueError):
        from_shares([(PLACES[0], "R1H", 0.6 + 5 * off), (PLACES[0], "RAL", 0.4)])


@pytest.mark.parametrize("dtype", ["category", "object", "str", "string"])
@pytest.mark.parametrize("remainder", ["refuse", "unassigned", "rescale"])
def test_an_area_spelt_in_two_ways_is_one_area(remainder, dtype):
    rows = [(PLACES[0], " r1h", 0.6), ("e02000001 ", "RJ1", 0.3), (PLACES[0].lower(), "rj1", 0.1)]
    flows = long(rows).astype({"msoa": dtype, "trust": dtype})
    of = na.Catchment.from_flows(flows, area="msoa", team="trust", share="share", remainder=remainder)
    assert entries(of, of.resident_share) == pytest.approx({(PLACES[0], "R1H"): 0.6, (PLACES[0], "RJ1"): 0.4})


def test_an_area_without_any_share_is_wholly_unassigned_or_cannot_be_rescaled():
    nothing = [*WHOLE, (PLACES[2], "RQM", 0.0)]
    of = from_shares(nothing, remainder="unassigned")
    assert entries(of, of.resident_share)[PLACES[2], "unassigned"] == 1
    with pytest.raises(errors.InvalidValueError, match=r"1 areas have no share.*E02000003"):
        from_shares(nothing, remainder="rescale")


def test_shares_count_nobody_until_they_have_people():
    of = from_shares(SHORT, remainder="unassigned")
    rates = pd.Series([10.0, 40.0], index=PLACES[:2])
    for verb in (
        lambda: of.average(rates),
        lambda: of.apportion_to_areas(pd.Series(1.0, index=of.teams.index)),
    ):
        with pytest.raises(errors.InvalidValueError, match=r"count nobody.*with_residents"):
            verb()
    assert of.apportion(pd.Series([100.0, 50], index=PLACES[:2])).to_dict() == pytest.approx(
        {"R1H": 60, "RAL": 80, "unassigned": 10}
    )
    there = of.with_residents(pd.Series([100.0, 50], index=PLACES[:2]))
    assert there.average(rates).to_dict() == pytest.approx(
        {"R1H": 10, "RAL": (30 * 10 + 50 * 40) / 80, "unassigned": 10}
    )
    assert there.populations()["resident"].to_dict() == pytest.approx(
        {"R1H": 60, "RAL": 80, "unassigned": 10}
    )
    assert "residents" in repr(there)
    assert "6.67% without a team" in repr(there)


def test_the_remainder_is_given_no_area():
    of = from_shares([(PLACES[0], "R1H", 0.3), (PLACES[0], "RAL", 0.1)], remainder="unassigned")
    assert entries(
        of.with_method("first_past_the_post"), of.with_method("first_past_the_post").resident_share
    ) == {(PLACES[0], "R1H"): 1}
    by_share = of.with_method("threshold", share=0.4)
    assert entries(by_share, by_share.resident_share) == {(PLACES[0], "unassigned"): 1}
    assert by_share.with_method("proportional").teams.equals(of.teams)


# What is refused


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"area": "msoa", "team": "trust"}, "Name one column"),
        ({"area": "msoa", "team": "trust", "patients": "n", "share": "n"}, "Name one column"),
        (
            {"area": "lsoa", "team": "provider", "share": "n"},
            "lack the columns lsoa, provider; they have msoa",
        ),
        ({"area": "msoa", "team": "msoa", "patients": "n"}, "must be three columns"),
        ({"area": "msoa", "team": "trust", "patients": "trust"}, "must be three columns"),
        ({"area": "registered", "team": "trust", "patients": "n"}, "must not be called team, registered"),
        ({"area": "team", "team": "trust", "patients": "n"}, "must not be called team, registered"),
    ],
)
def test_columns_that_cannot_be_flows_are_refused(options, says):
    flows = long(WHOLE, "n").assign(registered="A", team="B")
    with pytest.raises(errors.InvalidValueError, match=says):
        na.Catchment.from_flows(flows, **options)


@pytest.mark.parametrize("value", ["patients", "share"])
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(None, "R1H", 1.0), (PLACES[0], "RAL", 1.0)], "1 of 2 rows have no code of the area"),
        ([(PLACES[0], None, 1.0)], "1 of 1 rows have no code of the practice or team"),
        ([(PLACES[0], np.nan, 1.0)], "have no code"),
        ([(PLACES[0], "R1H", "all")], "some values are no numbers"),
        ([(PLACES[0], "R1H", -1.0)], "negative or missing|less than 1"),
        ([(PLACES[0], "R1H", np.inf)], "negative or missing|more than 1"),
        ([(PLACES[0], "R1H", np.nan)], "negative or missing|less than 1"),
        ([(PLACES[0], "unassigned", 1.0)], "No team may be called 'unassigned'"),
        ([(PLACES[0], " Unassigned", 1.0)], "No team may be called 'unassigned'"),
        ([], "."),
    ],
    ids=[
        "no area",
        "no team",
        "nan team",
        "text",
        "negative",
        "inf",
        "nan",
        "unassigned",
        "Unassigned",
        "empty",
    ],
)
def test_rows_that_cannot_be_flows_are_refused(rows, says, value):
    with pytest.raises(errors.InvalidValueError, match=says):
        na.Catchment.from_flows(long(rows, "n"), area="msoa", team="trust", **{value: "n"})


def test_a_column_that_is_there_twice_is_refused():
    flows = pd.DataFrame([[PLACES[0], "R1H", 1, 2]], columns=["msoa", "trust", "n", "n"])
    with pytest.raises(errors.InvalidValueError, match="each there once"):
        na.Catchment.from_flows(flows, area="msoa", team="trust", patients="n")


# Registrations that cannot be, and areas of other nations


ABROAD = [("A", CODES[0], 5), ("A", "W01000001", 3), ("B", "S01000002", 2), ("B", "95AA01S1", 1)]
NOWHERE = [("A", "NO2021", 7), ("B", "CLOSED", 4), ("B", "M99999999", 6)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: "-".join(map(str, m.values())))
def test_areas_of_other_nations_are_set_aside_or_kept_and_codes_of_no_place_never_kept(method):
    england = na.Catchment.from_registrations(frame(ABROAD + NOWHERE))
    whole = na.Catchment.from_registrations(frame(ABROAD + NOWHERE), areas="all")
    assert england.areas.tolist() == [CODES[0]]
    assert whole.areas.tolist() == sorted(code for _, code, _ in ABROAD)
    assert england.patients == whole.patients == 28
    assert england.outside["patients"].sum() == 23
    assert whole.outside["patients"].sum() == 17
    assert set(whole.outside["group"]) == {
        "no area recorded (NO2021)",
        "closed (CLOSED)",
        "pseudo-code (M99999999)",
    }
    by_method = whole.with_method(**method)
    counts = pd.Series([1.0, 10, 100, 1000], index=whole.areas)
    assert by_method.apportion(counts).sum() == pytest.approx(1111)
    assert not whole.is_national
    with pytest.raises(errors.InvalidValueError, match=r"areas='wales'.*\"england\" or \"all\""):
        na.Catchment.from_registrations(frame(ABROAD), areas="wales")


def test_the_coverage_does_not_call_welsh_areas_english():
    whole = na.Catchment.from_registrations(frame(ABROAD + NOWHERE), areas="all")
    table = whole.coverage().set_index("group")["patients"]
    assert "English" not in table.index[0] or table.iloc[0] == 5


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        (
            [("A", None, 2), ("A", CODES[0], 1)],
            errors.InvalidValueError,
            "1 of 2 rows have no code of the lsoa",
        ),
        ([(None, CODES[0], 2), ("A", CODES[0], 1)], errors.InvalidValueError, "1 of 2 rows have no code"),
        ([("A", CODES[0], np.inf)], errors.InvalidValueError, "1 rows.*negative or missing"),
        ([("A", CODES[0], np.nan)], errors.InvalidValueError, "1 rows.*negative or missing"),
        ([("A", CODES[0], "x")], errors.InvalidValueError, "no numbers"),
        ([], errors.InvalidValueError, "No patient"),
    ],
    ids=["no area", "no practice", "inf", "nan", "text", "empty"],
)
@pytest.mark.parametrize("dtype", ["category", "object"])
def test_registrations_that_cannot_be_are_refused(rows, error, says, dtype):
    if says.endswith("lsoa"):
        says = "1 of 2 rows have no code of the area|lsoa21"
    with pytest.raises(error, match=says):
        na.Catchment.from_registrations(frame(rows).astype({"practice": dtype, "lsoa21": dtype}))


@pytest.mark.parametrize("column", ["practice", "patients"])
def test_registrations_without_a_column_are_refused(column):
    with pytest.raises(errors.MissingColumnError, match=f"lack the columns {column}; they have"):
        na.Catchment.from_registrations(frame(ABROAD).drop(columns=column))


def test_a_map_without_practices_is_refused():
    with pytest.raises(errors.MissingColumnError, match="no column 'practice'"):
        na.Catchment.from_registrations(frame(ABROAD), pd.DataFrame({"pcn": ["P1"]}))


def test_huge_and_fractional_counts_are_carried_as_they_are():
    rows = [("A", CODES[0], 2**52), ("B", CODES[0], 2**52), ("A", CODES[1], 0.25), ("B", CODES[1], 0.75)]
    of = na.Catchment.from_registrations(frame(rows))
    assert entries(of, of.resident_share) == {
        (CODES[0], "A"): 0.5,
        (CODES[0], "B"): 0.5,
        (CODES[1], "A"): 0.25,
        (CODES[1], "B"): 0.75,
    }
    assert of.patients == 2**53 + 1 or of.patients == 2.0**53


def test_names_of_ones_own_stay_as_they_are_written():
    """A planner's own matrix: districts to hospitals, with names in mixed case."""
    rows = pd.DataFrame(
        {"district": ["North", "North", "South"], "hospital": ["Royal Free", "Leeds", "Leeds"]}
    )
    of = na.Catchment.from_flows(
        rows.assign(stays=[6.0, 4.0, 5.0]), area="district", team="hospital", patients="stays"
    )
    people = pd.Series({"North": 100.0, "South": 50.0}, name="residents")
    assert of.apportion(people).to_dict() == {"Leeds": 90.0, "Royal Free": 60.0}
    assert of.populations(people)["resident"].sum() == 150


def test_the_census_is_told_by_the_codes_and_not_by_the_name():
    rows = pd.DataFrame({"LSOA21CD": ["E01033769", "W01000001"], "team": ["T", "T"], "people": [5, 2]})
    of = na.Catchment.from_flows(rows, area="LSOA21CD", team="team", patients="people")
    assert (of.vintage, len(of.areas), of.outside["patients"].sum()) == ("lsoa21", 1, 2)
    wrong = pd.DataFrame({"practice": ["A"], "lsoa11": ["E01033769"], "patients": [5]})
    with pytest.raises(
        errors.VintageError, match=r"1 codes in the column lsoa11 are areas of 2021: E01033769"
    ):
        na.Catchment.from_registrations(wrong)


def test_counts_have_no_remainder():
    rows = pd.DataFrame({"a": ["X"], "t": ["T"], "n": [1.0]})
    with pytest.raises(errors.InvalidValueError, match="Counts have no remainder"):
        na.Catchment.from_flows(rows, area="a", team="t", patients="n", remainder="rescale")


def test_flows_cannot_be_changed_under_their_shares():
    rows = pd.DataFrame({"a": ["X"], "t": ["T"], "n": [1.0]})
    of = na.Catchment.from_flows(rows, area="a", team="t", patients="n")
    with pytest.raises(ValueError, match="read-only"):
        of.registered.data[0] = 99


def test_shares_go_by_ones_own_names_too():
    rows = pd.DataFrame(
        {"district": ["North", "North"], "hospital": ["Royal Free", "Leeds"], "part": [0.6, 0.4]}
    )
    of = na.Catchment.from_flows(rows, area="district", team="hospital", share="part")
    people = pd.Series({"North": 10.0}, name="residents")
    assert of.apportion(people).to_dict() == {"Leeds": 4.0, "Royal Free": 6.0}
    with pytest.raises(errors.InvalidValueError, match="more than 1: North"):
        na.Catchment.from_flows(rows.assign(part=0.9), area="district", team="hospital", share="part")


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([-1.0], "1 rows of the flows have negative or missing numbers, first at teams T"),
        ([0.0], "no row with anybody"),
    ],
)
def test_a_fault_of_flows_is_not_laid_to_the_registrations(numbers, says):
    rows = pd.DataFrame({"a": ["X"], "t": ["T"], "n": numbers})
    with pytest.raises(errors.InvalidValueError, match=says):
        na.Catchment.from_flows(rows, area="a", team="t", patients="n")


def test_what_is_no_table_is_called_what_it_is():
    rows = pd.DataFrame({"a": ["X"], "t": ["T"], "n": [1.0]})
    of = na.Catchment.from_flows(rows, area="a", team="t", patients="n")
    with pytest.raises(errors.InvalidValueError, match="This is a list"):
        of.apportion([1.0])
