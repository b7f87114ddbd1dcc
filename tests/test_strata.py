"""Flows by stratum: estimated ones keep every flow and meet their margins, given ones sum to the flows."""

import contextlib
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

import needsalloc as na
from needsalloc import errors, strata
from needsalloc.kernels import raking
from needsalloc.kernels.raking import Margin
from small_worlds import law

BANDS = [0, 18, 65]
WIDTH = len(BANDS)


def floats(low, high):
    return st.floats(low, high, allow_subnormal=False)


@contextlib.contextmanager
def fine_raking():
    """Raking until nothing is off by a billionth, where a test is of the answer and not of when to stop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strata, "GAP", 1e-9)
        patch.setattr(strata, "ROUNDS", 3_000)
        yield


def codes(flows):
    areas = pd.Index([f"E0100000{k}" for k in range(flows.shape[0])], name="lsoa11")
    return areas, pd.Index([f"A8100{k}" for k in range(flows.shape[1])])


def lists_of(by_practice, practices, women=0.5):
    """The frame of `read_lists`, persons (practices, bands) split by the share of women."""
    frame = pd.concat(
        {
            "female": pd.DataFrame(by_practice * women, practices, BANDS),
            "male": pd.DataFrame(by_practice * (1 - women), practices, BANDS),
        },
        names=["sex", "practice"],
    )
    return frame.swaplevel().sort_index()


def estimated(flows, by_area, by_practice, women=0.5, **options):
    areas, practices = codes(flows)
    return strata.estimate(
        flows,
        areas,
        practices,
        lists=lists_of(by_practice, practices, women),
        population=pd.DataFrame(by_area, areas, BANDS),
        **options,
    )


@st.composite
def worlds(draw):
    """Flows of two to four areas and practices, and ages that contradict them or are not there."""
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    patients = draw(arrays(np.float64, shape, elements=st.sampled_from([0, 0, 1, 7, 250])))
    flows = sparse.csr_array(patients)
    # An area or a practice that nobody is in may be there, but not an England without people.
    assume(flows.nnz > 0)
    ages = st.sampled_from([0, 0, 0.5, 40, 900])
    by_area, by_practice = (draw(arrays(np.float64, (size, WIDTH), elements=ages)) for size in shape)
    for margin, people in ((by_area, patients.sum(axis=1)), (by_practice, patients.sum(axis=0))):
        assume((margin[people > 0] > 0).any())
    return flows, by_area, by_practice


# Estimated


@law(st.data(), st.integers(1, 4), st.integers(1, 4), examples=25)
def test_ages_are_found_where_areas_and_practices_alone_make_them(data, areas, practices):
    """A known table: patients of an age = flow x what is of the area x what is of the practice."""
    of_area, of_practice = (
        data.draw(arrays(np.float64, (size, WIDTH), elements=floats(0.5, 2))) for size in (areas, practices)
    )
    flow = data.draw(arrays(np.float64, (areas, practices), elements=floats(20, 400)))
    truth = np.einsum("ap,as,ps->aps", flow, of_area, of_practice)
    with fine_raking():
        # Lists and residents are on scales of their own; only their ages count.
        found = estimated(sparse.csr_array(truth.sum(axis=2)), 3 * truth.sum(axis=1), truth.sum(axis=0) / 7)
    np.testing.assert_allclose(found.flows.reshape(truth.shape), truth, rtol=1e-5)
    assert (found.gap["largest"] <= 1e-9).all()


@law(worlds(), examples=150)
def test_nobody_is_made_or_lost_whatever_the_ages_say(world):
    flows, _, _ = world
    found = estimated(*world)
    assert np.isfinite(found.flows).all()
    assert (found.flows >= 0).all()
    np.testing.assert_allclose(found.flows.sum(axis=1), flows.data, rtol=1e-9)
    assert found.gap.loc["flows"].max() < 1e-9
    assert found.rounds <= strata.ROUNDS
    assert found.estimated


@law(worlds(), st.sampled_from(["lists", "population"]), floats(0.01, 100))
def test_the_size_of_the_files_changes_nothing(world, which, scale):
    flows, by_area, by_practice = world
    scales = {"lists": (1, scale), "population": (scale, 1)}[which]
    again = estimated(flows, by_area * scales[0], by_practice * scales[1])
    np.testing.assert_allclose(again.flows, estimated(*world).flows, rtol=1e-6, atol=1e-9)


@law(worlds())
def test_twice_the_patients_are_twice_the_flows(world):
    flows, by_area, by_practice = world
    twice = estimated(flows * 2, by_area, by_practice).flows
    np.testing.assert_allclose(twice, 2 * estimated(*world).flows, rtol=1e-6, atol=1e-9)


@law(worlds(), st.randoms())
def test_the_order_of_the_rows_changes_nothing(world, random):
    flows, by_area, by_practice = world
    areas, practices = codes(flows)
    lists, population = lists_of(by_practice, practices), pd.DataFrame(by_area, areas, BANDS)
    shuffled = [frame.iloc[random.sample(range(len(frame)), len(frame))] for frame in (lists, population)]
    again = strata.estimate(flows, areas, practices, lists=shuffled[0], population=shuffled[1])
    np.testing.assert_allclose(again.flows, estimated(*world).flows, rtol=1e-9)


@law(worlds(), arrays(np.float64, 4, elements=floats(0, 99)))
def test_one_stratum_is_proportional_flow(world, people):
    flows, _, _ = world
    found = estimated(*world, bands=[0])
    np.testing.assert_allclose(found.flows[:, 0], flows.data)
    in_area = np.asarray(flows.sum(axis=1)).ravel()
    counts = np.where(in_area > 0, people[: len(in_area)], 0.0)
    each = np.arange(flows.shape[1])
    by_team = strata.carry(found, flows, each, len(each), counts[:, None], np.array([0]))
    shares = flows.toarray() / np.maximum(in_area, 1)[:, None]
    np.testing.assert_allclose(by_team[:, 0], counts @ shares, atol=1e-9)


@law(worlds(), arrays(np.float64, WIDTH, elements=floats(0.1, 1)))
def test_the_same_ages_everywhere_are_proportional_flow(world, mix):
    flows, by_area, by_practice = world
    everywhere = [np.outer(1 + margin.sum(axis=1), mix) for margin in (by_area, by_practice)]
    found = estimated(flows, *everywhere)
    np.testing.assert_allclose(found.flows, np.outer(flows.data, mix / mix.sum()), rtol=1e-9)
    assert found.rounds == 1


def test_the_lists_win_over_the_residents():
    """One practice has all patients of one area: they have its ages, whatever the residents' ages."""
    found = estimated(sparse.csr_array([[100.0]]), np.array([[10.0, 80, 10]]), np.array([[30.0, 50, 20]]))
    np.testing.assert_allclose(found.flows, [[30, 50, 20]])


def test_what_cannot_be_met_is_said_by_margin():
    """Each area has one practice, whose list is the other area's ages: 20 young and 80 old for 80 and 20.

    So 60 of 100 are in another band than the area's residents, and the band that wants 20 has 80.
    """
    flows = sparse.csr_array(np.diag([100.0, 100.0]))
    found = estimated(flows, np.array([[80.0, 20, 0], [20, 80, 0]]), np.array([[20.0, 80, 0], [80, 20, 0]]))
    np.testing.assert_allclose(found.flows, [[20, 80, 0], [80, 20, 0]])
    assert found.rounds == strata.ROUNDS
    assert found.gap.loc["areas"].tolist() == pytest.approx([80 / 20 - 1, 0.6])
    assert found.gap.loc["practices"].tolist() == pytest.approx([0, 0], abs=1e-12)
    (note,) = [note for note in found.notes if note.what.startswith("Raking stopped")]
    assert f"after {strata.ROUNDS} rounds" in note.what
    assert f"{found.gap.at['areas', 'misplaced']:.2%} of people" in note.what


def test_a_practice_without_a_list_has_the_ages_of_the_areas_it_serves():
    """By hand: a young and an old area, a list that agrees, and a practice without one in the old area."""
    flows = sparse.csr_array([[100.0, 0.0], [100.0, 50.0]])
    by_area = np.array([[80.0, 20, 0], [20, 80, 0]])
    listed = np.array([[100.0, 100, 0], [0, 0, 0]])
    with fine_raking():
        found = estimated(flows, by_area, listed)
    np.testing.assert_allclose(found.flows, [[80, 20, 0], [20, 80, 0], [10, 40, 0]], rtol=1e-6)
    (note,) = [note for note in found.notes if note.kind == "gap"]
    assert "1 of 2 practices, 50 patients" in note.what
    assert "A81001" in note.why


def test_a_remnant_of_a_list_tells_no_ages():
    """Two people on the list of a practice that had 1,000 patients: the practice has closed since."""
    flows = sparse.csr_array([[900.0, 500.0], [100.0, 500.0]])
    by_area, by_practice = np.full((2, WIDTH), 50.0), np.array([[500.0, 250, 250], [0, 1, 1]])
    found, without = estimated(flows, by_area, by_practice), by_practice.copy()
    without[1] = 0
    np.testing.assert_allclose(found.flows, estimated(flows, by_area, without).flows)
    assert any("0 are not in the lists, 1 have there less than 20%" in note.why for note in found.notes)


def test_an_area_without_residents_has_the_ages_of_its_practices():
    flows = sparse.csr_array([[60.0, 0.0], [40.0, 100.0]])
    found = estimated(flows, np.array([[0.0, 0, 0], [50, 50, 50]]), np.array([[50.0, 30, 20], [20, 30, 50]]))
    np.testing.assert_allclose(found.flows[0] + found.flows[1], [50, 30, 20], rtol=1e-2)
    assert any("1 of 2 areas, 60 patients" in note.what for note in found.notes)


@law(st.data(), st.integers(1, 3), st.integers(1, 3), examples=25)
def test_sexes_within_an_age_are_those_that_raking_by_sex_would_find(data, areas, practices):
    """Residents are not told by sex, so a margin of lists by sex leaves each list's sexes within each age."""
    flow = data.draw(arrays(np.float64, (areas, practices), elements=floats(50, 400)))
    women, ages = (
        data.draw(arrays(np.float64, (practices, WIDTH), elements=floats(low, high)))
        for low, high in ((0.1, 0.9), (1, 2))
    )
    truth = np.einsum("ap,ps->aps", flow, ages)
    patients = truth.sum(axis=2)
    with fine_raking():
        found = estimated(
            sparse.csr_array(patients), truth.sum(axis=1), truth.sum(axis=0), women, by="age and sex"
        )
    assert found.labels.tolist() == [(sex, age) for sex in ("female", "male") for age in BANDS]
    area, practice = (position.ravel() for position in np.indices((areas, practices)))
    margins = (
        Margin(truth.sum(axis=1), rows=area, columns=np.tile(np.arange(WIDTH), 2)),
        Margin(np.hstack([truth.sum(axis=0) * women, truth.sum(axis=0) * (1 - women)]), rows=practice),
        Margin(patients.reshape(-1, 1), columns=np.zeros(2 * WIDTH, dtype=int)),
    )
    by_sex = raking.rake(np.repeat(patients.reshape(-1, 1), 2 * WIDTH, axis=1), margins, 1e-9, 3_000)
    np.testing.assert_allclose(found.flows, by_sex.cells, rtol=1e-6)


def test_bands_are_the_finest_of_both_files_and_not_below_five_years():
    england = na.synthetic.england(areas=8, pcns=2, seed=7)
    of = na.Catchment.from_registrations(england.registrations, england.membership)

    def bands(population, asked=None):
        found = strata.estimate(
            of.registered, of.areas, of.practices, lists=england.lists, population=population, bands=asked
        )
        return found.labels.tolist()

    years = england.population
    assert bands(years) == [*range(0, 91, 5)]
    assert bands(years, [65, 0, 18]) == [0, 18, 65]
    census = pd.DataFrame({0: 10.0, 16: 20.0, 25: 30.0, 65: 5.0}, index=years.index)
    assert bands(census) == [0, 16, 25, 65]
    for asked in ([0, 18], [16, 25], []):
        with pytest.raises(errors.InvalidValueError, match=r"cannot be made: they begin at 0.*16, 25, 65"):
            bands(census, asked)
    with pytest.raises(errors.InvalidValueError, match="begin at 16, the lists' at 0"):
        bands(census.drop(columns=0))


def test_the_notes_say_which_files_of_which_days():
    areas, practices = codes(np.zeros((1, 1)))
    lists, population = lists_of(np.ones((1, WIDTH)), practices), pd.DataFrame(1.0, areas, BANDS)
    lists.attrs = {"on": date(2026, 4, 1), "source": {"file": "lists.csv"}}
    found = strata.estimate(
        sparse.csr_array([[5.0]]), areas, practices, lists=lists, population=population, on=date(2023, 7, 1)
    )
    assert "The lists win" in found.notes[0].why
    assert "01 Jul 2023" in found.notes[0].why
    assert found.notes[0].source.startswith("lists.csv (01 Apr 2026); residents by age")
    assert not any("sex" in note.what for note in found.notes)
    assert repr(found) == "<Strata: 3 (0, 18, 65) on 1 flows, 5 patients; estimated in 1 rounds>"


AREAS, SURGERIES = codes(np.zeros((2, 2)))
LISTED = lists_of(np.ones((2, WIDTH)), SURGERIES)
LIVING = pd.DataFrame(1.0, AREAS, BANDS)


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"by": "sex"}, errors.InvalidValueError, 'choose "age" or "age and sex"'),
        ({"population": pd.concat([LIVING] * 2)}, errors.InvalidValueError, "2 rows stand twice"),
        ({"population": LIVING - 2}, errors.InvalidValueError, "2 rows of the population file have negative"),
        ({"population": LIVING * 0}, errors.UnknownCodeError, "None of the 2 codes"),
        ({"population": LIVING.set_axis(["E01033769", "E01033770"])}, errors.VintageError, "2021"),
        ({"lists": LISTED.rename({"A81000": "B1", "A81001": "B2"})}, errors.UnknownCodeError, "the lists"),
    ],
)
def test_files_that_do_not_fit_are_refused(changed, error, says):
    files = {"lists": LISTED, "population": LIVING}
    with pytest.raises(error, match=says):
        strata.estimate(sparse.csr_array(np.ones((2, 2))), AREAS, SURGERIES, **(files | changed))


# Given

ROWS = pd.DataFrame(
    [
        ("A81000", "E01000000", "female 65+", 4),
        ("A81000", "E01000000", "male 65+", 3),
        ("A81001", "E01000000", "male 65+", 2),
        ("A81001", "E01000001", "female 65+", 1),
        ("A81001", "E01000001", "female 65+", 5),
        ("A81001", "W01000001", "female 65+", 9),
    ],
    columns=["practice", "lsoa11", "stratum", "patients"],
)
FLOWS = sparse.csr_array([[7.0, 2.0], [0.0, 6.0]])


def test_given_flows_are_kept_and_rows_that_are_there_twice_added():
    found = strata.given(ROWS, AREAS, SURGERIES, FLOWS)
    assert found.labels.tolist() == ["female 65+", "male 65+"]
    np.testing.assert_array_equal(found.flows, [[4, 3], [0, 2], [6, 0]])
    assert "9 patients outside" in found.notes[0].why
    assert not found.estimated
    again = strata.given(ROWS.iloc[::-1].rename(columns={"lsoa11": "area"}), AREAS, SURGERIES, FLOWS)
    np.testing.assert_array_equal(again.flows, found.flows)
    careless = ROWS.assign(
        practice=" " + ROWS["practice"].str.lower(), lsoa11=ROWS["lsoa11"].str.lower() + " "
    )
    np.testing.assert_array_equal(strata.given(careless, AREAS, SURGERIES, FLOWS).flows, found.flows)
    order = pd.CategoricalDtype(["male 65+", "nobody", "female 65+"], ordered=True)
    by_category = strata.given(ROWS.astype({"stratum": order}), AREAS, SURGERIES, FLOWS)
    assert by_category.labels.tolist() == ["male 65+", "female 65+"]
    np.testing.assert_array_equal(by_category.flows, found.flows[:, ::-1])


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        (ROWS.assign(patients=ROWS["patients"] * 1.2), errors.InvalidValueError, r"2 of 3 flows.*\+3"),
        (ROWS.drop(columns="stratum"), errors.MissingColumnError, "stratum"),
        (ROWS.assign(patients=-1), errors.InvalidValueError, "6 rows"),
        (ROWS.assign(stratum=None), errors.InvalidValueError, "no stratum"),
        (ROWS.replace("A81001", "B1"), errors.UnknownCodeError, "1 codes in the column practice.*B1"),
        (ROWS.replace("E01000001", "E01000009"), errors.UnknownCodeError, "6 patients.*E01000009"),
        (ROWS.replace("A81001", None), errors.UnknownCodeError, "17 patients"),
        (
            ROWS.assign(practice="A81000"),
            errors.InvalidValueError,
            "flows that the registrations do not have",
        ),
    ],
    ids=["sums", "column", "negative", "no stratum", "practice", "area", "no practice", "flow"],
)
def test_given_flows_that_do_not_fit_are_refused(rows, error, says):
    with pytest.raises(error, match=says):
        strata.given(rows, AREAS, SURGERIES, FLOWS)


def test_half_a_person_on_a_flow_is_let_pass_and_said():
    rows = ROWS.assign(patients=ROWS["patients"] + [0.4, 0, 0, 0, 0, 0])
    found = strata.given(rows, AREAS, SURGERIES, FLOWS)
    assert "within 0.4 persons on each, +0.4 in all" in found.notes[0].why


# Shared out


@law(worlds(), st.data(), st.integers(1, 3), examples=100)
def test_each_stratum_goes_by_its_own_shares_and_everybody_arrives(world, data, teams):
    flows, _, _ = world
    areas, practices = flows.shape
    cells = data.draw(arrays(np.float64, (flows.nnz, WIDTH), elements=st.sampled_from([0, 0, 0.25, 3, 80])))
    of = strata.Strata(pd.Index(BANDS), cells, pd.DataFrame(), 0, False)
    team = np.array(data.draw(st.lists(st.integers(0, teams - 1), min_size=practices, max_size=practices)))
    counts = data.draw(arrays(np.float64, (areas, WIDTH), elements=st.sampled_from([0, 1, 33.3, 1e5])))
    patients = flows.toarray()
    counts[patients.sum(axis=1) == 0] = 0

    found = strata.carry(of, flows, team, teams, counts, np.arange(WIDTH))
    assert found.sum(axis=0) == pytest.approx(counts.sum(axis=0), rel=1e-9, abs=1e-9)
    row, column = flows.nonzero()
    expected = np.zeros((teams, WIDTH))
    for k in range(WIDTH):
        table = np.zeros_like(patients)
        table[row, column] = cells[:, k]
        for a in range(areas):
            nobody = table[a].sum() == 0
            weights = patients[a] if nobody else table[a]
            if counts[a, k]:
                np.add.at(expected[:, k], team, counts[a, k] * weights / weights.sum())
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_single_years_go_by_the_band_they_are_in():
    of, population, lists = small_england()
    drawn = of.with_method("stratified", lists=lists, population=population)
    years = drawn.apportion(population)
    bands = drawn.apportion(strata.by_band(population, drawn.strata.labels))
    assert list(years.columns) == list(population.columns)
    assert list(bands.columns) == list(drawn.strata.labels)
    np.testing.assert_allclose(strata.by_band(years, drawn.strata.labels), bands, rtol=1e-9)
    np.testing.assert_allclose(years.sum(), population.sum(), rtol=1e-9)
    np.testing.assert_allclose(drawn.populations()["registered"], of.populations()["registered"], rtol=1e-12)
    assert "by stratified" in repr(drawn)


def small_england():
    made = na.synthetic.england(areas=30, pcns=3, seed=5)
    of = na.Catchment.from_registrations(made.registrations, made.membership)
    return of, made.population.loc[of.areas], made.lists


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs flows= by stratum; or lists= and population="),
        ({"lists": True}, "needs flows= by stratum; or lists= and population="),
        ({"flows": True, "lists": True, "population": True}, "needs flows= by stratum; or"),
    ],
)
def test_strata_need_one_source_and_all_of_it(options, says):
    of, population, lists = small_england()
    given = {"flows": lists, "lists": lists, "population": population}
    with pytest.raises(errors.InvalidValueError, match=says):
        of.with_method("stratified", **{name: given[name] for name in options})
    with pytest.raises(errors.InvalidValueError, match="'threshold' takes no flows, lists or population"):
        of.with_method("threshold", lists=lists)


def test_lists_and_population_in_each_others_place_are_told_apart():
    of, population, lists = small_england()
    for wrong in ({"lists": lists, "population": lists}, {"lists": population, "population": population}):
        with pytest.raises(errors.MissingColumnError, match=r"lists= as read_lists and population="):
            of.with_method("stratified", **wrong)


def test_what_has_no_stratum_is_not_carried():
    of, population, lists = small_england()
    drawn = of.with_method("stratified", lists=lists, population=population)
    with pytest.raises(errors.InvalidValueError, match="one column for each"):
        drawn.apportion(population.sum(axis=1).rename("residents"))
    with pytest.raises(errors.InvalidValueError, match="1 columns are of no stratum: contacts"):
        drawn.apportion(population.sum(axis=1).to_frame("contacts"))


def test_by_age_and_sex_counts_are_carried_by_both():
    of, population, lists = small_england()
    drawn = of.with_method("stratified", lists=lists, population=population, by="age and sex")
    women = population.mul(0.6).set_axis(pd.MultiIndex.from_product([["female"], population.columns]), axis=1)
    men = population.mul(0.4).set_axis(pd.MultiIndex.from_product([["male"], population.columns]), axis=1)
    both = pd.concat([women, men], axis=1)
    carried = drawn.apportion(both)
    np.testing.assert_allclose(carried.sum(), both.sum(), rtol=1e-9)
    alone = of.with_method("stratified", lists=lists, population=population).apportion(population)
    found = carried["female"][70] / 0.6 - alone[70]
    assert found.abs().max() > 0  # women are not spread over practices as men are
    with pytest.raises(errors.InvalidValueError, match="91 columns are of no stratum"):
        drawn.apportion(population)


def test_given_flows_by_stratum_are_carried_by_their_labels():
    rows = pd.DataFrame(
        [("A", "men", 3), ("B", "men", 1), ("A", "women", 1), ("B", "women", 3)],
        columns=["practice", "stratum", "patients"],
    ).assign(lsoa21="E01000001")
    of = na.Catchment.from_registrations(rows)
    drawn = of.with_method("stratified", flows=rows)
    counts = pd.DataFrame({"men": [8.0], "women": [80.0]}, index=pd.Index(["E01000001"], name="lsoa21"))
    assert drawn.apportion(counts).to_dict("index") == {
        "A": {"men": 6.0, "women": 20.0},
        "B": {"men": 2.0, "women": 60.0},
    }


# Real files


@pytest.mark.slow
def test_all_of_england(real_data):
    """Ages of April 2026 and residents of mid-2020 on the flows of July 2023."""
    folder = real_data / "england-2023"
    of = na.Catchment.from_registrations(
        na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"),
        na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz"),
    )
    population = na.read_population(folder / "population20_lsoa11.csv.gz")
    lists = na.read_lists(real_data / "lists-2026/single_age_sex_practice_2026-04.csv.gz")
    found = strata.estimate(
        of.registered, of.areas, of.practices, lists=lists, population=population, on=of.on
    )
    assert found.flows.shape == (864_024, 19)
    np.testing.assert_allclose(found.flows.sum(axis=1), of.registered.data, rtol=1e-12)
    assert found.rounds == strata.ROUNDS
    assert found.gap.at["areas", "misplaced"] < 0.02
    assert found.gap.at["practices", "misplaced"] < 0.001
    # README of the data: 216 practices of July 2023 are not in the lists.
    assert any("216 are not in the lists" in note.why for note in found.notes)
    counts = strata.by_band(population, found.labels).loc[of.areas].to_numpy()
    teams = len(of.teams)
    by_team = strata.carry(
        found, of.registered, of.team_of_practice, teams, counts, np.arange(counts.shape[1])
    )
    assert by_team.sum(axis=0) == pytest.approx(counts.sum(axis=0), rel=1e-9)
    assert by_team.sum() == pytest.approx(56_550_138, rel=1e-9)
