"""Need measures side by side on the synthetic England, against their own rooms or plain sums of inputs."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import errors, formulas
from needsalloc import synthetic as made
from needsalloc.need_measures import MeasureComparison, column_of, compare_measures
from needsalloc.sources.weighted_populations import COMPONENTS
from test_formulas import user_counts

OURS = "district-nursing/liverpool-2024-realigned"
PRINTED = "district-nursing/liverpool-2024-as-printed"
BY_AGE = "district-nursing/liverpool-2024-age-calibrated"
WORKLOAD = "general-practice/england-2007"
CARE_NEED = "care-need-index/sweden"
STEEL = "health-visiting/norfolk-2001"
COMMUNITY = "community/nhs-england-2031-32"


def weighted_populations(england: made.SyntheticEngland, edition: str | None = "2031/32") -> pd.DataFrame:
    """Made-up weighted populations of the synthetic practices, and of one that has closed since."""
    rng = np.random.default_rng(5)
    members = england.membership[["practice", "icb", "icb_name"]]
    closed = members.iloc[[0]].assign(practice="Y99999")
    frame = pd.concat([members, closed], ignore_index=True)
    frame["population"] = rng.integers(2_000, 15_000, len(frame)).astype(float)
    for component in COMPONENTS:
        weighted = frame["population"] * rng.uniform(0.7, 1.4, len(frame))
        frame[component] = weighted * frame["population"].sum() / weighted.sum()
    frame.attrs = {"edition": edition} if edition else {}
    return frame


@pytest.fixture(scope="module")
def england() -> made.SyntheticEngland:
    return made.england(areas=60, pcns=6, icbs=2, seed=11)


@pytest.fixture(scope="module")
def catchment(england) -> na.Catchment:
    return na.Catchment.from_registrations(england.registrations, england.membership)


@pytest.fixture(scope="module")
def inputs(england, catchment) -> dict[str, object]:
    files = {name: getattr(england, name) for name in ("population", "deprivation", "lists", "conditions")}
    people = na.build_people(catchment, **files)
    uses = [na.NeedFormula.published(name).expected_use(people) for name in (OURS, PRINTED, BY_AGE)]
    return {
        "uses": uses,
        "weighted_populations": [weighted_populations(england)],
        "inputs": user_counts(england),
    }


@pytest.fixture(scope="module")
def by_team(catchment, inputs) -> MeasureComparison:
    return compare_measures(catchment, **inputs)


def test_everything_is_there(by_team):
    assert by_team.measures["computed"].all()
    assert len(by_team.measures) == 3 + len(COMPONENTS) + 3
    assert by_team.measures.at[COMMUNITY, "bases"] == "england, icb"
    # The lists are not those of England, so that only the file of all practices has it as a base.
    assert set(by_team.england) == {f"{c.replace('_', '-')}/nhs-england-2031-32" for c in COMPONENTS}
    assert by_team.measures.at[OURS, "bases"] == "icb"
    assert list(by_team.scores) == [STEEL]
    assert by_team.measures.at[OURS, "people"] == "registered adults"
    assert f"{column_of(OURS)}_index_icb" in by_team.table
    assert "district_nursing_liverpool_2024_realigned_index_icb" in by_team.table
    assert by_team.table.index.equals(by_team.rows.index)
    assert "15 measures" in repr(by_team)
    assert "registered adults" in by_team._repr_html_()
    assert any("Y99999" in note.what or "1 practices" in note.what for note in by_team.notes)


def test_district_nursing_is_its_own_room_s_index_over_each_icb(by_team, inputs):
    icbs = by_team.rows.loc[by_team.rows["is_team"], "icb"].unique()
    assert len(icbs) == 2
    for use in inputs["uses"]:
        for icb in icbs:
            need = na.need_index(use, base="icb", icb=icb).teams
            own = need.index[need["icb"] == icb]
            found = by_team.icb.loc[own, use.formula.name]
            np.testing.assert_allclose(found, need.loc[own, "need_index_icb"], rtol=1e-12)
            mean = np.average(found, weights=by_team.people.loc[own, use.formula.name])
            assert mean == pytest.approx(1, rel=1e-12)


def test_the_place_tool_by_plain_sums(by_team, england, inputs):
    (frame,) = inputs["weighted_populations"]
    pcn = frame["practice"].map(england.membership.set_index("practice")["pcn"])
    sums = frame.groupby(pcn)[["population", "community"]].sum()
    expected = sums["community"] / sums["population"]  # over England's sum, which is the people
    teams = by_team.rows.index[by_team.rows["is_team"]]
    np.testing.assert_allclose(by_team.england.loc[teams, COMMUNITY], expected[teams], rtol=1e-12)
    np.testing.assert_allclose(by_team.people.loc[teams, COMMUNITY], sums.loc[teams, "population"])


def test_measures_of_areas_by_plain_sums(by_team, england, inputs):
    """Patients' mean of their area's weight per head, relative to the ICB's patients."""
    counts = inputs["inputs"]["care_need_counts"]
    per_head = counts[list(formulas.care_need_weights().index)] @ formulas.care_need_weights()
    per_head /= counts["population"]
    rows = england.registrations.merge(england.membership, on="practice")
    rows = rows[rows["lsoa21"].isin(per_head.index)]
    rows["care_need"] = rows["patients"] * rows["lsoa21"].astype(str).map(per_head)
    sums = rows.groupby(["icb", "pcn"])[["patients", "care_need"]].sum()
    sums = sums[sums.index.get_level_values("pcn") != "U"]
    of_icb = sums.groupby("icb").sum()
    expected = (sums["care_need"] / sums["patients"]) / (of_icb["care_need"] / of_icb["patients"])
    expected = expected.droplevel("icb")
    np.testing.assert_allclose(by_team.icb.loc[expected.index, CARE_NEED], expected, rtol=1e-12)
    assert by_team.measures.at[CARE_NEED, "people"] == "registered patients"


def test_a_score_is_made_anew_of_the_teams(by_team, catchment, inputs):
    counts = inputs["inputs"]["health_visiting_counts"]
    rates = counts.drop(columns="population").div(counts["population"], axis=0)
    flows = catchment.to_frame()
    teams = by_team.rows.index[by_team.rows["is_team"]]
    mean = {
        column: (flows["patient_share"] * flows["lsoa21"].astype(str).map(rates[column]))
        .groupby(flows["team"].astype(str)).sum()[teams]
        for column in rates
    }  # fmt: skip
    z = pd.DataFrame({name: (of - of.mean()) / of.std(ddof=0) for name, of in mean.items()})
    np.testing.assert_allclose(by_team.scores.loc[teams, STEEL], z.sum(axis=1), rtol=1e-9)


def test_areas(catchment, inputs):
    found = compare_measures(catchment, unit="area", **inputs)
    assert found.rows.index.equals(catchment.areas)
    need = na.need_index(inputs["uses"][0], base="icb")
    ratio = found.icb[OURS] / need.areas["need_index_icb"]
    # Relative to an ICB's areas, the order within it is that of the index.
    np.testing.assert_allclose(ratio.groupby(found.rows["icb"]).std(), 0, atol=1e-12)
    by_area = na.relative_need_by_area(inputs["weighted_populations"][0], catchment)
    np.testing.assert_array_equal(found.england[COMMUNITY], by_area.table["community_index_england"])
    workload = formulas.PRESETS[WORKLOAD].compute(inputs["inputs"], "all").by_place
    ratio = found.icb[WORKLOAD] / workload
    np.testing.assert_allclose(ratio.groupby(found.rows["icb"]).std(), 0, atol=1e-12)
    assert found.measures.at[OURS, "people"] == "resident adults"
    steel = formulas.steel_score(inputs["inputs"]["health_visiting_counts"])
    np.testing.assert_allclose(found.scores[STEEL], steel, rtol=1e-12)
    fifth = pd.Series(np.arange(len(found.rows)) % 5 + 1, found.rows.index)
    gradient = found.by_fifth(fifth)
    assert set(gradient.index.get_level_values("ages")) == {"crude"}
    people, index = found.people[COMMUNITY], found.england[COMMUNITY]
    first = fifth == 1
    assert gradient.at[(COMMUNITY, "crude"), "fifth_1"] == pytest.approx(
        np.average(index[first], weights=people[first])
    )


def test_any_grouping(catchment, england, inputs):
    """ICBs as groups of practices; and neighbourhoods made of areas, who answer for residents."""
    icb_of = england.membership.set_index("practice")["icb"]
    icbs = compare_measures(catchment, groups=icb_of, **inputs)
    teams = icbs.rows.index[icbs.rows["is_team"]]
    assert sorted(teams) == sorted(icb_of.unique())
    np.testing.assert_allclose(icbs.icb.loc[teams, [OURS, WORKLOAD]], 1, rtol=1e-12)
    halves = pd.Series(np.where(np.arange(len(catchment.areas)) % 2, "odd", "even"), catchment.areas)
    found = compare_measures(catchment, groups=halves, people="resident", **inputs)
    residents = england.population.sum(axis=1).groupby(halves).sum()
    here = np.minimum(england.population.sum(axis=1), catchment.registered_by_area).groupby(halves).sum()
    assert (found.people.loc[["odd", "even"], CARE_NEED] <= residents[["odd", "even"]] + 1e-9).all()
    np.testing.assert_allclose(found.people.loc[["even", "odd"], CARE_NEED], here, rtol=1e-12)
    by_area = na.relative_need_by_area(inputs["weighted_populations"][0], catchment).regroup(halves)
    np.testing.assert_allclose(
        found.england.loc[["odd", "even"], COMMUNITY],
        by_area.table.loc[["odd", "even"], "community_index_england"],
        rtol=1e-12,
    )
    with pytest.raises(errors.FormulaError, match="answer for those who live there"):
        compare_measures(catchment, groups=halves, **inputs)


def test_what_is_not_there_has_a_row_that_says_so(catchment, england, inputs):
    nothing = compare_measures(catchment)
    assert not nothing.measures["computed"].any()
    assert list(nothing.table) == list(nothing.rows)
    lacks = nothing.measures["lacks"]
    assert "build_people" in lacks[OURS]
    assert "build_people" in lacks[PRINTED]
    assert "build_people" in lacks[BY_AGE]
    assert "read_weighted_populations" in lacks["place-tool/nhs-england"]
    assert "lacks population" in lacks[WORKLOAD]
    assert "lacks care_need_counts" in lacks[CARE_NEED]
    part = dict(inputs["inputs"])
    part["care_need_counts"] = part["care_need_counts"].iloc[1:]
    part["health_visiting_counts"] = part["health_visiting_counts"].drop(columns="deaths_under_65")
    found = compare_measures(catchment, uses=inputs["uses"][:1], inputs=part)
    assert "1 of 60 areas" in found.measures.at[CARE_NEED, "lacks"]
    assert "lacking: deaths_under_65" in found.measures.at[STEEL, "lacks"]
    assert found.measures.at[WORKLOAD, "computed"]
    assert f"{column_of(CARE_NEED)}_index_icb" not in found.table
    assert "5 could not be computed" in repr(found)


def test_what_makes_no_sense_is_refused(catchment, england, inputs):
    with pytest.raises(errors.FormulaError, match="choose registered or resident, team or area"):
        compare_measures(catchment, unit="pcn")
    with pytest.raises(errors.FormulaError, match="choose registered or resident"):
        compare_measures(catchment, people="everybody")
    with pytest.raises(errors.InvalidValueError, match="first past the post"):
        compare_measures(catchment.with_method("first_past_the_post"))
    icb_of = england.membership.set_index("practice")["icb"]
    with pytest.raises(errors.InvalidValueError, match="groups with teams alone"):
        compare_measures(catchment, unit="area", groups=icb_of)
    with pytest.raises(errors.InvalidValueError, match="3 measures are given twice"):
        compare_measures(catchment, uses=[*inputs["uses"], *inputs["uses"]])
    unnamed = [weighted_populations(england, None), weighted_populations(england, None)]
    with pytest.raises(errors.InvalidValueError, match="Name editions"):
        compare_measures(catchment, weighted_populations=unnamed)
