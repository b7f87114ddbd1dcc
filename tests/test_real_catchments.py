"""The catchments of real files against plain pandas on the rows as they are published."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import needsalloc as na

METHODS = [
    {"name": "proportional"},
    {"name": "first_past_the_post"},
    {"name": "threshold"},
    {"name": "threshold", "share": 0.05, "residual": "largest"},
    {"name": "cumulative"},
    {"name": "cumulative", "share": 0.98},
]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: "-".join(map(str, m.values())))


def published(path: Path, mapped: Path) -> pd.DataFrame:
    """The rows of a registration file with the columns of its map, read by nothing of ours."""
    rows = pd.read_csv(path, dtype={"LSOA_CODE": str, "PRACTICE_CODE": str})
    columns = ["PRACTICE_CODE", "PCN_CODE", "SUB_ICB_LOCATION_CODE", "ICB_CODE"]
    practices = pd.read_csv(mapped, dtype=str, usecols=columns)
    rows = rows.merge(practices, on="PRACTICE_CODE", how="left", validate="many_to_one")
    return rows.rename(columns={"LSOA_CODE": "area", "NUMBER_OF_PATIENTS": "patients", "PCN_CODE": "pcn"})


def table_of(matrix: sparse.csr_array, of: na.Catchment) -> pd.Series:
    """A sparse array (areas, teams) as a series by area and team, sorted, without zeros."""
    cells = matrix.tocoo()
    index = pd.MultiIndex.from_arrays(
        [of.areas[cells.row], of.teams.index[cells.col]], names=["area", "team"]
    )
    found = pd.Series(cells.data, index=index.set_levels(index.levels[1].astype(str), level=1))
    return found[found != 0].sort_index()


def whole_areas(flows: pd.Series, method: dict[str, object], proper: pd.Index) -> pd.MultiIndex:
    """Areas and teams that a rule joins, one row for each; `flows` by area and team."""
    table = flows.rename("n").reset_index()
    table["of_area"] = table.groupby("area")["n"].transform("sum")
    table["of_team"] = table.groupby("team")["n"].transform("sum")
    claims = table[table["team"].isin(proper)]
    first = claims.sort_values(["area", "n", "team"], ascending=[True, False, True]).drop_duplicates("area")
    # Whole numbers: a share of so many in a hundred is met by n * 100 >= share * total.
    percent = round(100 * method.get("share", {"threshold": 0.3, "cumulative": 0.8}.get(method["name"], 0)))
    if method["name"] == "first_past_the_post":
        chosen = first
    elif method["name"] == "threshold":
        chosen = claims[claims["n"] * 100 >= percent * claims["of_area"]]
        if method.get("residual") == "largest":
            chosen = pd.concat([chosen, first[~first["area"].isin(chosen["area"])]])
    else:
        order = claims.sort_values(["team", "n", "area"], ascending=[True, False, True])
        before = order.groupby("team")["n"].cumsum() - order["n"]
        chosen = order[before * 100 < percent * order["of_team"]]
    bare = (
        table.loc[~table["area"].isin(chosen["area"]), ["area"]].drop_duplicates().assign(team="unassigned")
    )
    return pd.MultiIndex.from_frame(pd.concat([chosen, bare])[["area", "team"]]).sortlevel()[0]


# Staffordshire, October 2025


@pytest.fixture(scope="module")
def here(real_data) -> Path:
    return real_data / "staffordshire-2025"


@pytest.fixture(scope="module")
def rows(here) -> pd.DataFrame:
    return published(
        here / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz", here / "gp-reg-pat-prac-map_2025-10.csv.gz"
    )


@pytest.fixture(scope="module")
def read(here) -> tuple[pd.DataFrame, pd.DataFrame]:
    return (
        na.read_registrations(here / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz"),
        na.read_membership(here / "gp-reg-pat-prac-map_2025-10.csv.gz"),
    )


@pytest.fixture(scope="module")
def staffordshire(read) -> na.Catchment:
    return na.Catchment.from_registrations(*read)


@pytest.fixture(scope="module")
def plainly(rows) -> pd.Series:
    """Patients by area and PCN of people who live in England."""
    inside = rows[rows["area"].str.match(r"E01\d{6}$")]
    return inside.groupby(["area", "pcn"])["patients"].sum().rename_axis(["area", "team"])


def test_pcn_by_area_counts_and_shares_are_those_of_plain_pandas(staffordshire, plainly):
    of = staffordshire
    assert table_of(of.flows, of).astype(int).equals(plainly)
    by_area, by_team = plainly.groupby("area").sum(), plainly.groupby("team").sum()
    assert of.registered_by_area.to_dict() == by_area.to_dict()
    # Exact: the same two numbers divided, to the last digit.
    assert table_of(of.resident_share, of).equals(plainly / by_area)
    assert table_of(of.patient_share, of).equals(plainly / by_team)
    pd.testing.assert_series_equal(
        of.to_frame()
        .astype({"lsoa21": str, "team": str})
        .set_index(["lsoa21", "team"])["registered"]
        .sort_index(),
        plainly.rename_axis(["lsoa21", "team"]).rename("registered").astype(float),
        check_index_type=False,
    )


def test_codes_of_no_area_are_counted_by_their_names(staffordshire, rows):
    outside = rows[~rows["area"].str.match(r"E01\d{6}$")]
    first = {"W": "Wales", "S": "Scotland"}
    name = outside["area"].map(
        lambda code: (
            {
                "CLOSED": "closed (CLOSED)",
                "EMPTY": "empty (EMPTY)",
                "L99999999": "pseudo-code (L99999999)",
                "M99999999": "pseudo-code (M99999999)",
            }.get(code)
            or first.get(code[0], "Northern Ireland")
        )
    )
    wanted = outside.groupby([outside["PRACTICE_CODE"], name])["patients"].sum()
    found = staffordshire.outside.set_index(["practice", "group"])["patients"]
    assert found.to_dict() == wanted.to_dict()
    by_team = outside.groupby("pcn")["patients"].sum()
    of_team = staffordshire.registered_by_team["outside"]
    assert of_team[of_team > 0].to_dict() == by_team.to_dict()
    assert by_team.sum() == 1_433


def test_with_all_nations_their_areas_are_areas_and_codes_of_no_place_are_not(read, rows, staffordshire):
    of = na.Catchment.from_registrations(*read, areas="all")
    codes = rows["area"].unique()
    places = [c for c in codes if c[:3] in ("E01", "W01", "S01") or c[:2] in ("95", "N2")]
    assert sorted(of.areas) == sorted(places)
    assert len(of.areas) > len(staffordshire.areas)
    assert of.flows.sum() == 1_208_850 + 24 + 16 + 7
    assert set(of.outside["group"].str.split("(").str[-1]) == {
        "CLOSED)",
        "EMPTY)",
        "L99999999)",
        "M99999999)",
    }
    assert of.patients == staffordshire.patients == 1_210_283


def test_pcns_of_two_sub_icb_locations_are_one_team_with_all_their_patients(staffordshire, rows):
    locations = rows.groupby("pcn")["SUB_ICB_LOCATION_CODE"].nunique()
    straddling = locations.index[locations > 1].difference(["U"])
    assert list(straddling) == ["U16318", "U93998"]
    everyone = rows.groupby("pcn")["patients"].sum()
    registered = staffordshire.registered_by_team["registered"]
    assert registered.to_dict() == everyone.to_dict()
    assert registered[straddling].tolist() == [33_926 + 7_908, 23_562 + 26_521]
    assert registered.index.is_unique
    for team in straddling:
        practices = rows.loc[rows["pcn"] == team, "PRACTICE_CODE"].nunique()
        position = staffordshire.teams.index.get_loc(team)
        assert (staffordshire.team_of_practice == position).sum() == practices


@every_method
def test_staffordshire_by_each_method_is_that_of_plain_pandas(staffordshire, plainly, method):
    of = staffordshire.with_method(**method)
    if method["name"] == "proportional":
        assert of.resident_share.sum() == pytest.approx(len(of.areas), rel=1e-12)
        return
    proper = of.teams.index[of.teams["is_team"]]
    assert table_of(of.resident_share, of).index.equals(whole_areas(plainly, method, proper))
    given = of.ties[of.ties["given"]]
    assert set(zip(given["lsoa21"], given["team"], strict=True)) <= set(table_of(of.resident_share, of).index)


@pytest.mark.parametrize(
    ("teams", "column"),
    [
        ("practice", "PRACTICE_CODE"),
        ("sub_icb", "SUB_ICB_LOCATION_CODE"),
        ("icb", "ICB_CODE"),
        ("pcn", "pcn"),
    ],
)
def test_staffordshire_by_any_team(read, rows, teams, column):
    of = na.Catchment.from_registrations(*read, teams=teams)
    inside = rows[rows["area"].str.match(r"E01\d{6}$")]
    wanted = inside.groupby(["area", column])["patients"].sum().rename_axis(["area", "team"])
    assert table_of(of.flows, of).astype(int).equals(wanted)
    assert of.registered_by_team["registered"].to_dict() == rows.groupby(column)["patients"].sum().to_dict()


def test_the_order_and_the_cutting_of_the_file_do_not_matter(read, staffordshire):
    registrations, members = read
    part = registrations["patients"] // 2
    halves = [registrations.assign(patients=n) for n in (part, registrations["patients"] - part)]
    shuffled = pd.concat(halves).sample(frac=1, random_state=1).astype({"practice": str, "lsoa21": str})
    again = na.Catchment.from_registrations(shuffled, members.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(again.to_frame(), staffordshire.to_frame())
    pd.testing.assert_frame_equal(again.coverage(), staffordshire.coverage())


# England, July 2023


@pytest.fixture(scope="module")
def all_rows(real_data) -> pd.DataFrame:
    folder = real_data / "england-2023"
    return published(
        folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz", folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz"
    )


@pytest.fixture(scope="module")
def england(real_data) -> na.Catchment:
    folder = real_data / "england-2023"
    return na.Catchment.from_registrations(
        na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"),
        na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz"),
    )


@pytest.fixture(scope="module")
def all_flows(all_rows) -> pd.Series:
    inside = all_rows[all_rows["area"].str.startswith("E01")]
    return inside.groupby(["area", "pcn"])["patients"].sum().rename_axis(["area", "team"])


@pytest.fixture(scope="module")
def residents(real_data) -> pd.Series:
    return na.read_population(real_data / "england-2023/population20_lsoa11.csv.gz").sum(axis=1)


@every_method
def test_england_by_each_method_is_that_of_plain_pandas(england, all_flows, method, residents):
    of = england.with_method(**method)
    by_area = all_flows.groupby("area").sum()
    both = of.populations(residents)
    assert both["inside"].sum() >= 62_544_470
    if method["name"] == "proportional":
        assert table_of(of.resident_share, of).equals(all_flows / by_area)
        assert both["registered"].sum() == 62_581_556
        assert both["resident"].sum() == pytest.approx(56_550_138, rel=1e-12)
        return
    wanted = whole_areas(all_flows, method, of.teams.index[of.teams["is_team"]])
    assert table_of(of.resident_share, of).index.equals(wanted)
    held = wanted.to_frame(index=False).groupby("area").size()
    for column, people in (("inside", by_area), ("resident", residents)):
        assert both[column].sum() == pytest.approx((held * people).sum(), rel=1e-12)
    areas = wanted.to_frame(index=False)
    registered = by_area[areas["area"]].groupby(areas["team"].to_numpy()).sum()
    assert both.loc[registered.index, "inside"].to_dict() == pytest.approx(registered.to_dict())
    assert both["inside"].sum() - registered.sum() == pytest.approx(0, abs=1e-3)
    assert both.loc["U", "inside"] == 0


def test_staff_of_england_go_to_areas_and_back_with_their_total(england):
    practices = england.regroup(pd.Series(england.practices, index=england.practices))
    posts = pd.Series(np.arange(1.0, len(practices.teams) + 1), index=practices.teams.index)
    posts = posts.where(practices.populations()["inside"] > 0, 0.0)
    there = practices.apportion_to_areas(posts)
    assert there.sum() == pytest.approx(posts.sum(), rel=1e-12)
    back = practices.apportion(there)
    assert back.sum() == pytest.approx(posts.sum(), rel=1e-12)
    assert not np.allclose(back, posts)


def test_pcns_of_england_cross_to_icbs_by_their_practices(england, all_rows):
    members = all_rows.drop_duplicates("PRACTICE_CODE").set_index("PRACTICE_CODE")
    icbs = england.regroup(members["ICB_CODE"])
    across = england.crosswalk(icbs)
    wanted = all_rows.groupby(["pcn", "ICB_CODE"])["patients"].sum().rename_axis(["area", "team"])
    assert table_of(across.flows, across).astype(int).equals(wanted)
    people = england.registered_by_team["registered"]
    carried = across.apportion(people)
    np.testing.assert_allclose(carried, icbs.registered_by_team["registered"], rtol=1e-12)
    assert carried.sum() == 62_581_556
    # One PCN is in two ICBs, and so are those practices that have none.
    assert wanted.groupby("area").size().loc[lambda n: n > 1].index.tolist() == ["U", "U41591"]


# Trusts, 2019


@pytest.fixture(scope="module")
def proportions(real_data) -> pd.DataFrame:
    return pd.read_csv(real_data / "trusts/trust_msoa_proportions.csv.gz")


def trusts(proportions: pd.DataFrame, remainder: str) -> na.Catchment:
    return na.Catchment.from_flows(
        proportions, area="msoa_code", team="trust_code", share="proportion", remainder=remainder
    )


def test_published_trust_shares_are_refused_until_their_remainder_has_a_place(proportions):
    total = proportions.groupby("msoa_code")["proportion"].sum()
    assert (len(total), total.max() < 1) == (6_791, True)
    with pytest.raises(na.NeedsallocError, match=r"6,791 of 6,791 areas sum to less than 1.*down to 0\.767"):
        trusts(proportions, "refuse")
    kept, spread = trusts(proportions, "unassigned"), trusts(proportions, "rescale")
    for of in (kept, spread):
        assert len(of.areas) == len(total)
        np.testing.assert_allclose(of.resident_share.sum(axis=1), 1, rtol=0, atol=1e-12)
    rest = table_of(kept.resident_share, kept).xs("unassigned", level="team")
    np.testing.assert_allclose(rest, (1 - total)[rest.index], rtol=0, atol=1e-12)
    assert rest.mean() == pytest.approx(1 - 0.97747, abs=1e-5)
    wanted = proportions.set_index(["msoa_code", "trust_code"])["proportion"].rename_axis(["area", "team"])
    wanted = wanted[wanted > 0].sort_index()
    found = table_of(kept.resident_share, kept).drop("unassigned", level="team")
    assert found.index.equals(wanted.index)
    np.testing.assert_allclose(found, wanted, rtol=2e-6)
    rescaled = table_of(spread.resident_share, spread)
    np.testing.assert_allclose(
        rescaled, wanted / total[wanted.index.get_level_values("area")].to_numpy(), rtol=1e-12
    )


def test_a_rate_over_trusts_needs_people(proportions):
    of = trusts(proportions, "unassigned")
    rng = np.random.default_rng(7)
    people = pd.Series(rng.integers(5_000, 15_000, len(of.areas)).astype(float), index=of.areas)
    rates = pd.Series(rng.uniform(5, 80, len(of.areas)), index=of.areas, name="imd_score")
    with pytest.raises(na.NeedsallocError, match="count nobody"):
        of.average(rates)
    shares = table_of(of.resident_share, of)
    weight = shares * people.reindex(shares.index.get_level_values("area")).to_numpy()
    score = weight * rates.reindex(shares.index.get_level_values("area")).to_numpy()
    wanted = score.groupby("team").sum() / weight.groupby("team").sum()
    found = of.with_residents(people).average(rates)
    np.testing.assert_allclose(found, wanted[found.index], rtol=1e-12)
    assert of.apportion(people).sum() == pytest.approx(people.sum(), rel=1e-12)
