"""A made-up linked cohort: its margins, the truth of its contacts, and what of the lists it covers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from needsalloc import reference
from needsalloc import synthetic as made
from needsalloc.collapse import collapse
from needsalloc.errors import InvalidValueError, MissingColumnError, OutputError
from needsalloc.fit import fit
from needsalloc.linkage import linkage_coverage
from needsalloc.linked import LinkedCohort, linked_cohort

SUPPLY = "district_nurses_per_10000"
PEOPLE = 120_000


@pytest.fixture(scope="module")
def cohort() -> LinkedCohort:
    return linked_cohort(PEOPLE)


@pytest.fixture(scope="module")
def rows(cohort: LinkedCohort) -> pd.DataFrame:
    return cohort.rows()


def test_margins_are_the_published_ones(rows: pd.DataFrame) -> None:
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    assert len(rows) == PEOPLE
    assert rows["age"].agg(["mean", "std"]).tolist() == pytest.approx([47.11, 18.61], abs=0.01)
    # The paper's fifths average 42.5 and its mean is 43.0; areas are few, so that their spread is coarse.
    assert rows["imd_score"].agg(["mean", "std"]).tolist() == pytest.approx([42.5, 20.6], abs=0.5)
    shares = printed["number"].dropna() / 359_774
    flags = shares.index.intersection(rows.columns).drop("contacts")
    assert len(flags) == 14
    # Four standard errors of a share of this many people.
    assert (abs(rows[flags].mean() - shares[flags]) < 4 * np.sqrt(shares[flags] / PEOPLE)).all()
    services = ["ae_attendances", "elective_admissions", "emergency_admissions", "gp_consultations"]
    assert rows[services].mean().to_numpy() == pytest.approx(printed["mean"][services].to_numpy(), rel=0.05)
    # Drawn from a truth solved for these; a hundred thousand people leave a few per cent to chance.
    assert rows["contacts"].mean() == pytest.approx(307_567 / 359_774, rel=0.05)
    assert (rows["contacts"] > 0).mean() == pytest.approx(19_648 / 359_774, rel=0.03)


def test_each_place_has_one_team_and_one_score(cohort: LinkedCohort, rows: pd.DataFrame) -> None:
    assert rows.groupby("practice", observed=True)["pcn"].nunique().eq(1).all()
    assert rows.groupby("lsoa21", observed=True)["imd_score"].nunique().eq(1).all()
    assert rows.groupby("pcn", observed=True)[SUPPLY].nunique().eq(1).all()
    england = made.england()
    team = england.membership.set_index("practice")["pcn"]
    assert (rows["practice"].astype("str").map(team) == rows["pcn"].astype("str")).all()
    known = england.deprivation["imd_score"].rank()
    assert cohort.scores.rank().corr(known[cohort.scores.index]) > 0.999  # fifths meet within a rounding
    linked = rows.groupby(["lsoa21", "practice"], observed=True).size()
    given = cohort.flows.set_index(["lsoa21", "practice"])["linked"]
    assert linked.to_dict() == given[given > 0].to_dict()


def test_more_nurses_where_more_deprived_and_more_contacts_where_more_nurses(cohort: LinkedCohort) -> None:
    teams = linked_cohort(1_000, england=made.england(areas=900, pcns=90)).teams
    printed = reference.read("filipe-2024-table1").frame.set_index("variable").loc[SUPPLY]
    # The fewest nurses are held above 0.3, which moves both a little.
    assert teams[SUPPLY].mean() == pytest.approx(printed["mean"], abs=0.05)
    assert teams[SUPPLY].std() == pytest.approx(printed["sd"], abs=0.1)
    assert 0.4 < teams[SUPPLY].corr(teams["imd_score"]) < 0.8
    assert cohort.coefficients.loc[SUPPLY, "count"] == 0.05
    # The paper's odds of never using fall by a factor of 1.05 for each nurse.
    assert cohort.coefficients.loc[SUPPLY, "zero"] == pytest.approx(-np.log(1.053), abs=0.003)


def test_coefficients_are_the_truth_multiplied_out(cohort: LinkedCohort, rows: pd.DataFrame) -> None:
    some = rows.dropna().head(2_000)
    for part, expected in zip(("count", "zero"), cohort.truth.parts(some, "observed"), strict=True):
        design = [
            np.prod([some[column] for column in term.split(":") if term != "Intercept"], axis=0)
            for term in cohort.coefficients.index
        ]
        found = sum(b * column for b, column in zip(cohort.coefficients[part], design, strict=True))
        assert np.asarray(found) == pytest.approx(expected, abs=1e-12)


def test_a_fit_recovers_the_truth(cohort: LinkedCohort, rows: pd.DataFrame) -> None:
    truth = cohort.coefficients
    formula = "contacts ~ " + " + ".join(truth.index.drop("Intercept"))
    with pytest.warns(UserWarning, match="alone in theirs"):
        fitted = fit(formula, rows.dropna(), family="zip")
    error = np.sqrt(np.diag(fitted.covariance))
    found = pd.concat({"count": fitted.count_coefficients, "zero": fitted.zero_coefficients})
    expected = pd.concat({part: truth[part] for part in ("count", "zero")}).reindex(found.index)
    away = (found - expected) / error
    # 50 coefficients, nearly normal: the largest of so many is beyond 4 once in 300, their squares' mean
    # beyond 1.6 once in 250.
    assert len(away) == 50
    assert away.abs().max() < 4
    assert (away**2).mean() < 1.6


@pytest.mark.parametrize(
    ("values", "distinct"),
    [
        ("exact", {"age": 83, "imd_score": 290}),
        ("banded", {"age": 17, "imd_score": 10, "gp_consultations": 7, "log_days_alive": 4}),
        ("flags", {"age": 17, "imd_score": 10, "gp_consultations": 2, "ae_attendances": 2}),
    ],
)
def test_values_are_as_fine_as_asked(values: str, distinct: dict[str, int]) -> None:
    cohort = linked_cohort(60_000, values=values)
    rows = cohort.rows()
    found = rows[list(distinct)].nunique().to_dict()
    assert found.pop("imd_score") >= distinct.pop("imd_score")
    assert found == distinct
    assert ("log_days_alive" in rows) == (values != "flags")
    assert set(cohort.predictors) <= set(rows)
    assert (rows["contacts"] > 0).mean() == pytest.approx(19_648 / 359_774, rel=0.05)


def test_a_folder_of_parquet_holds_the_same_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("needsalloc.linked.CHUNK", 4_000)
    cohort = linked_cohort(10_000, seed=3, values="flags")
    rows = cohort.rows()
    distinct = cohort.write(tmp_path / "persons")
    assert len(list((tmp_path / "persons").iterdir())) == 3
    pd.testing.assert_series_equal(distinct, rows.nunique(), check_names=False)
    placed = rows.groupby(["lsoa21", "practice"], observed=True).size()
    linked = cohort.flows.set_index(["lsoa21", "practice"])["linked"]
    assert placed.to_dict() == linked[linked > 0].to_dict()
    known = rows.dropna(subset="minority_ethnicity")
    assert 0.02 < 1 - len(known) / len(rows) < 0.04
    key = ["female", "imd_score", "pcn", "minority_ethnicity"]
    written = pd.read_parquet(tmp_path / "persons").dropna(subset="minority_ethnicity")
    found, expected = (collapse(frame, key, count="contacts") for frame in (written, known))
    pd.testing.assert_frame_equal(found.keys, expected.keys, check_dtype=False)
    assert found.total_squares.tolist() == expected.total_squares.tolist()
    with pytest.raises(OutputError, match="not empty"):
        cohort.write(tmp_path / "persons")


def test_same_seed_same_persons() -> None:
    pd.testing.assert_frame_equal(linked_cohort(2_000, seed=3).rows(), linked_cohort(2_000, seed=3).rows())
    assert not linked_cohort(2_000, seed=3).rows().equals(linked_cohort(2_000, seed=4).rows())
    for wrong in ({"people": 0}, {"seed": -1}, {"values": "fine"}):
        with pytest.raises(InvalidValueError):
            linked_cohort(**{"people": 10, **wrong})


def test_linkage_is_cohort_over_lists(cohort: LinkedCohort, rows: pd.DataFrame) -> None:
    linkage = linkage_coverage(rows, cohort.lists)
    for table, column in ((linkage.practices, "practice"), (linkage.areas, "lsoa21")):
        by_hand = cohort.flows.groupby(column, observed=True)[["linked", "listed"]].sum()
        by_hand.index = by_hand.index.astype("str")
        pd.testing.assert_frame_equal(table[["linked", "listed"]].sort_index(), by_hand, check_dtype=False)
        assert table["coverage"].is_monotonic_increasing
        assert table["linked"].sum() == PEOPLE
    practices = linkage.practices
    # Of 50 practices two share nothing and four share less, as they were made.
    assert practices["flag"].value_counts().to_dict() == {"": 44, "under 80%": 4, "with nobody linked": 2}
    assert "2 with nobody linked" in repr(linkage)
    assert "<table" in linkage._repr_html_()


def test_who_is_on_no_list_is_named() -> None:
    persons = pd.DataFrame({"practice": ["a81001 ", "A81001", None, "Y00001"], "lsoa11": "E01000001"})
    lists = pd.DataFrame({"practice": ["A81001"], "lsoa11": ["E01000001"], "patients": [1]})
    linkage = linkage_coverage(persons, lists)
    assert linkage.practices["flag"].to_dict() == {
        "A81001": "with more than listed",
        "Y00001": "not on the lists",
        "not recorded": "not on the lists",
    }
    assert linkage.practices["coverage"].tolist() == [2.0, np.inf, np.inf]
    assert linkage.areas.loc["E01000001", ["linked", "listed"]].tolist() == [4.0, 1.0]


def test_linkage_refuses_what_it_cannot_count() -> None:
    persons = pd.DataFrame({"practice": ["A81001"], "lsoa21": "E01000001"})
    lists = persons.assign(patients=[1.0])
    with pytest.raises(MissingColumnError, match="columns are not in the rows: lsoa21"):
        linkage_coverage(persons[["practice"]], lists)
    with pytest.raises(MissingColumnError, match="lists lack patients"):
        linkage_coverage(persons, persons)
    for wrong in ([-1.0], [np.nan], [0.0]):
        with pytest.raises(InvalidValueError, match="negative or missing counts"):
            linkage_coverage(persons, lists.assign(patients=wrong))
    with pytest.raises(InvalidValueError, match="80 per cent"):
        linkage_coverage(persons, lists, little=80)
