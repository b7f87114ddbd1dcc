"""Laws of the catchment: nobody is lost, nothing depends on the order or size of the file."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import needsalloc as na
from needsalloc import errors
from small_worlds import AREAS, CODES, ENGLAND, by_area, catchment, law, membership, registrations, worlds

HOME = [("A", CODES[0], 5), ("A", CODES[1], 5)]
IN_MAP = membership({"A": "P1"})
people_by_area = arrays(np.float64, AREAS, elements=st.floats(0, 5_000, allow_subnormal=False))


def living_there(of: na.Catchment, values: np.ndarray) -> pd.Series:
    return by_area(values)[of.areas]


@law(worlds())
def test_resident_shares_sum_to_1_in_every_area(world):
    frame = catchment(world).to_frame()
    shares = frame.groupby("lsoa21", observed=False)["resident_share"].sum()
    np.testing.assert_allclose(shares, 1, rtol=0, atol=1e-12)


@law(worlds())
def test_patient_shares_sum_to_1_in_every_team_with_patients(world):
    of = catchment(world)
    shares = of.to_frame().groupby("team", observed=False)["patient_share"].sum()
    np.testing.assert_allclose(shares, of.registered_by_team["inside"] > 0, rtol=0, atol=1e-12)


@law(worlds(), people_by_area)
def test_apportioning_keeps_the_total(world, values):
    of = catchment(world)
    counts = living_there(of, values)
    assert of.apportion(counts).sum() == pytest.approx(counts.sum(), rel=1e-12)


@law(worlds(), people_by_area)
def test_averages_stay_between_least_and_most(world, values):
    of = catchment(world)
    rates = living_there(of, values)
    means = of.average(rates)
    assert means.notna().equals(of.registered_by_team["inside"] > 0)
    assert (means.dropna() >= rates.min() * (1 - 1e-12)).all()
    assert (means.dropna() <= rates.max() * (1 + 1e-12)).all()


@law(worlds())
def test_every_patient_is_in_the_coverage_table_once(world):
    read, _ = world
    of = catchment(world)
    table = of.coverage().set_index("group")
    parts = table.loc[:"All patients"].iloc[:-1]
    assert parts["patients"].sum() == read["patients"].sum() == table.at["All patients", "patients"]
    assert parts["share"].sum() == pytest.approx(1)
    elsewhere = read[~read["lsoa21"].astype(str).str.startswith("E01")]
    assert parts["patients"].iloc[1:].sum() == elsewhere["patients"].sum()
    assert of.registered_by_team["registered"].sum() == read["patients"].sum()


def test_people_who_live_elsewhere_are_named_by_where():
    elsewhere = {
        "W01000001": "Wales",
        "S01000001": "Scotland",
        "N21000001": "Northern Ireland",
        "NO2021": "no area recorded (NO2021)",
        "CLOSED": "closed (CLOSED)",
        "EMPTY": "empty (EMPTY)",
        "L99999999": "pseudo-code (L99999999)",
        "ABC": "unknown",
    }
    rows = [("A", code, 2**k) for k, code in enumerate(elsewhere)]
    of = na.Catchment.from_registrations(registrations([("A", CODES[0], 1000), *rows]), IN_MAP)
    found = of.coverage().set_index("group")["patients"]
    assert found[list(elsewhere.values())].tolist() == [2**k for k in range(len(elsewhere))]
    assert len(found) == len(elsewhere) + 2


@law(worlds())
def test_practices_without_a_pcn_or_a_row_in_the_map_are_named(world):
    read, members = world
    table = catchment(world).coverage()
    everyone = read[read["patients"] > 0].groupby("practice", observed=True)["patients"].sum()
    team = everyone.index.map(members.set_index("practice")["pcn"])
    for code, wanted in (("U", team == "U"), ("not in map", team.isna())):
        row = table[table["group"].str.endswith(f"({code})")]
        assert row["patients"].sum() == everyone[wanted].sum()
        assert row["practices"].sum() == wanted.sum()


@law(worlds(), st.randoms())
def test_the_order_of_rows_does_not_matter(world, random):
    read, members = world
    order = list(range(len(read)))
    random.shuffle(order)
    again = na.Catchment.from_registrations(read.iloc[order], members.iloc[::-1])
    pd.testing.assert_frame_equal(again.to_frame(), catchment(world).to_frame())
    pd.testing.assert_frame_equal(again.coverage(), catchment(world).coverage())


@law(worlds())
def test_rows_that_are_repeated_count_as_one_sum(world):
    read, members = world
    split = pd.concat(
        [
            read.assign(patients=read["patients"] // 3),
            read.assign(patients=read["patients"] - read["patients"] // 3),
        ]
    )
    pd.testing.assert_frame_equal(
        na.Catchment.from_registrations(split, members).to_frame(), catchment(world).to_frame()
    )


@law(worlds())
def test_doubling_every_list_changes_no_share(world):
    read, members = world
    twice = na.Catchment.from_registrations(read.assign(patients=2 * read["patients"]), members).to_frame()
    once = catchment(world).to_frame()
    for column in ("resident_share", "patient_share"):
        np.testing.assert_allclose(twice[column], once[column], rtol=1e-14)


@law(worlds())
def test_the_map_drawn_gives_each_area_to_a_team_with_its_largest_share(world):
    of = catchment(world)
    flows = of.to_frame().astype({"lsoa21": str, "team": str})
    flows = flows[flows["team"].map(of.teams["is_team"])]
    drawn = of.team_of_area()
    assert set(drawn.index) == set(flows["lsoa21"])
    largest = flows.groupby("lsoa21")["registered"].max()
    for area, team in drawn.items():
        best = flows[(flows["lsoa21"] == area) & (flows["registered"] == largest[area])]
        assert team == best["team"].min()


def test_without_a_map_each_practice_is_a_team():
    of = na.Catchment.from_registrations(registrations([("B", CODES[0], 3), ("A", CODES[0], 1)]))
    assert list(of.teams.index) == ["A", "B"]
    assert list(of.apportion(by_area(np.ones(AREAS))[[CODES[0]]])) == [0.25, 0.75]


def test_a_pcn_belongs_to_the_icb_of_most_of_its_patients():
    rows = registrations([("A", CODES[0], 10), ("B", CODES[0], 6), ("C", CODES[1], 5)])
    icbs = membership(dict.fromkeys("ABC", "P1"), icb={"A": "QAA", "B": "QBB", "C": "QBB"})
    assert na.Catchment.from_registrations(rows, icbs).teams.at["P1", "icb"] == "QBB"


@pytest.mark.parametrize(
    ("rows", "members", "error", "says"),
    [
        ([("A", CODES[0], -5)], IN_MAP, errors.InvalidValueError, "1 rows.*negative.*practices A"),
        ([("A", "W01000001", 5)], IN_MAP, errors.InvalidValueError, "No patient.*English.*W01000001"),
        ([("A", CODES[0], 0)], IN_MAP, errors.InvalidValueError, "No patient.*nobody"),
        (HOME, pd.concat([IN_MAP, IN_MAP]), errors.InvalidValueError, "1 practices stand twice.*A"),
        (HOME, membership({"B": "P1"}), errors.UnknownCodeError, "None of the 1 practices.*A.*same quarter"),
    ],
    ids=["negative count", "Wales alone", "nobody", "practice twice in the map", "no practice in the map"],
)
def test_a_file_that_cannot_be_used_is_refused(rows, members, error, says):
    with pytest.raises(error, match=says):
        na.Catchment.from_registrations(registrations(rows), members)


@pytest.mark.parametrize(
    ("counts", "error", "says"),
    [
        (by_area(np.ones(AREAS))[[CODES[0]]], errors.UnknownCodeError, f"1 of 2 areas.*{CODES[1]}"),
        (
            by_area(np.ones(AREAS)),
            errors.UnknownCodeError,
            f"{AREAS - 2} areas.*no registered patient.*{CODES[2]}",
        ),
        (
            by_area(np.array([1, np.nan] + [0] * (AREAS - 2))),
            errors.InvalidValueError,
            f"1 areas.*{CODES[1]}",
        ),
    ],
    ids=["area missing", "people where nobody is registered", "no number"],
)
def test_counts_that_would_be_lost_are_refused(counts, error, says):
    with pytest.raises(error, match=says):
        na.Catchment.from_registrations(registrations(HOME), IN_MAP).apportion(counts)


def test_areas_of_two_vintages_are_refused():
    only_2011 = pd.Series([1.0, 1.0], index=pd.Index(["E01000001", "E01000002"], name="lsoa11"))
    with pytest.raises(errors.VintageError, match=r"2021.*2011.*2 of 2 codes do not match"):
        na.Catchment.from_registrations(registrations(HOME), IN_MAP).apportion(only_2011)


@law(worlds())
def test_its_sentence_counts_areas_and_teams(world):
    of = catchment(world)
    assert f"{len(of.areas):,} LSOAs (2021) → {of.teams['is_team'].sum():,} teams" in repr(of)


def test_in_a_notebook_it_is_a_sentence_and_its_teams():
    of = na.Catchment.from_registrations(registrations(HOME), IN_MAP)
    shown = of._repr_html_()
    assert "2 LSOAs (2021) → 1 teams, 10 patients" in shown
    assert "&lt;Catchment" not in shown
    assert "<td>10</td>" in shown


def test_what_is_no_number_for_each_area_is_refused():
    of = na.Catchment.from_registrations(registrations(HOME), IN_MAP)
    table = by_area(np.ones(AREAS)).to_frame().loc[of.areas].assign(more=1.0)
    for wrong in (lambda: of.with_residents(table), lambda: na.coverage_by_area(of, table)):
        with pytest.raises(errors.InvalidValueError, match="The residents are a table of 2 columns"):
            wrong()
    with pytest.raises(errors.InvalidValueError, match="must be a pandas Series by code, not a method"):
        na.people_served(of, of.team_of_area, "both")


def test_coverage_by_whole_areas_names_who_is_in_none():
    """Two practices share an area evenly: under a threshold of 60 % it is in no catchment."""
    rows = [("A", CODES[0], 5), ("B", CODES[0], 5), ("A", CODES[1], 7), ("A", "W01000001", 2)]
    of = na.Catchment.from_registrations(registrations(rows), membership({"A": "P1", "B": "P2"}))
    table = of.with_method("threshold", share=0.6).coverage().set_index("group")
    row = table.loc["of whom: In no team's catchment (unassigned)"]
    assert (row["areas"], row["patients"]) == (1, 12)
    assert table.at["All patients", "patients"] == 19


def test_ages_are_counts_and_cannot_be_averaged():
    of = na.Catchment.from_registrations(registrations(HOME), IN_MAP)
    with pytest.raises(errors.InvalidValueError, match="a column for each of 91 ages is a count"):
        of.average(ENGLAND.population.loc[of.areas])


def test_a_stratified_catchment_has_no_residents_of_one_age():
    made = ENGLAND
    of = na.Catchment.from_registrations(made.registrations, made.membership)
    drawn = of.with_method("stratified", lists=made.lists, population=made.population)
    with pytest.raises(errors.InvalidValueError, match="shares residents by age"):
        drawn.with_residents(made.population.sum(axis=1))
    resident = drawn.populations(made.population)["resident"]
    assert resident.sum() == pytest.approx(made.population.to_numpy().sum())
