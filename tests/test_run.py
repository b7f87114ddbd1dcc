"""One run of a plan, from inside: nobody is lost, what is lost is refused, what is given is shown."""

import dataclasses

import pandas as pd
import pytest

from needsalloc import checks, errors
from needsalloc.inputs import read_inputs
from needsalloc.plan import check_plan, read_plan
from needsalloc.run import run_plan
from plan_folders import CURRENT, MAP, PLAN, REGISTRATIONS, command, edit, write_files

ONE_ICB = PLAN.replace("[catchment]", '[catchment]\nicb = "QZZ"').replace(f'current = "{CURRENT}"\n', "")


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "mine").parent


def test_an_icbs_plan_keeps_the_practices_that_the_map_lacks(folder):
    """Nobody knows their ICB: they are a row, they are in the sentences, and they are read first."""
    lost = pd.read_csv(folder / MAP, dtype="str")["PRACTICE_CODE"].iloc[0]
    edit(MAP, lambda rows: rows[rows["PRACTICE_CODE"] != lost])(folder)
    read = pd.read_csv(folder / REGISTRATIONS)
    patients = read.loc[read["PRACTICE_CODE"] == lost, "NUMBER_OF_PATIENTS"].sum()
    (folder / "plan.toml").write_text(ONE_ICB)
    bundle = run_plan(read_plan(folder / "plan.toml"), folder).bundle
    row = bundle.allocation.set_index("team").loc["not in map"]
    assert (row["registered"], row["posts"]) == (patients, 0)
    assert any(f"practices of {patients:,.0f} patients are missing" in warning for warning in bundle.warnings)


def test_an_icbs_coverage_is_of_its_own_patients(folder):
    (folder / "plan.toml").write_text(ONE_ICB)
    bundle = run_plan(read_plan(folder / "plan.toml"), folder).bundle
    patients = bundle.coverage.set_index("group")["patients"]
    assert patients["All patients"] == bundle.allocation["registered"].sum()
    assert patients.iloc[: list(patients.index).index("All patients")].sum() == patients["All patients"]
    read = pd.read_csv(folder / REGISTRATIONS)["NUMBER_OF_PATIENTS"].sum()
    assert patients["All patients that were read"] == read > patients["All patients"]


def test_people_and_posts_that_are_lost_are_found(folder):
    plan = read_plan(folder / "plan.toml")
    inputs, result = read_inputs(plan, folder), run_plan(plan, folder)
    teams = result.need.teams
    lost = dataclasses.replace(result.need, teams=teams.drop(teams.index[0]))
    found = {c.name: c.status for c in checks.conservation_checks(inputs, lost, result.allocation)}
    assert found["Patients in the file, and of the teams"] == "fail"
    assert found["Residents to be shared out, and of the teams"] == "fail"
    short = result.allocation.table.assign(posts=lambda table: table["posts"] * 0.999)
    fewer = dataclasses.replace(result.allocation, table=short)
    found = {c.name: c.status for c in checks.conservation_checks(inputs, result.need, fewer)}
    assert found["FTE in the plan, and of the teams"] == "fail"
    assert found["Patients in the file, and of the teams"] == "pass"


def test_a_result_that_lost_somebody_is_not_written(folder, monkeypatch, tmp_path):
    failed = checks.Check("Patients", "fail", "1", "2")
    monkeypatch.setattr(checks, "conservation_checks", lambda *_: [failed])
    ended = command("run", folder / "plan.toml", "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (2, "")
    assert "Patients: 1 instead of 2" in ended.err
    assert not (tmp_path / "out").exists()
    with pytest.raises(errors.ConservationError):
        checks.refuse_failed([failed])


def test_vacancies_stand_beside_posts_now(folder):
    edit(CURRENT, lambda rows: rows.assign(vacancies="0.5"))(folder)
    table = run_plan(read_plan(folder / "plan.toml"), folder).bundle.allocation
    assert (table["vacancies"].notna() == table["current"].notna()).all()
    assert (table["vacancies"].dropna() == 0.5).all()


def test_a_plan_dates_the_files_that_do_not_date_themselves(folder):
    text = (folder / "plan.toml").read_text()
    text = text.replace(
        'population = "population.csv"', 'population = {path = "population.csv", on = "mid-2020"}'
    )
    (folder / "plan.toml").write_text(text)
    parameters = run_plan(read_plan(folder / "plan.toml"), folder).bundle.parameters
    assert parameters["Date of population"] == "mid-2020"
    assert parameters["Date of registrations"] == "2026-01-01"
    assert parameters["Date of conditions"] == "not stated in the file or the plan"


def test_more_posts_than_now_are_not_called_moved(folder):
    plan = read_plan(folder / "plan.toml").model_dump(exclude_none=True)
    plan["plan"]["total"] = 60.0
    sentences = " ".join(run_plan(check_plan(plan), folder).bundle.sentences)
    assert "would have to move" not in sentences
    assert "where the plan has 60.0; compared as shares" in sentences


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('edition = "synthetic"', 'edition = "IMD2025"'), "edition 'IMD2025'; known are IMD 2025"),
        (("total = 20.0", "total = 1e300"), "more than 1,000,000,000 steps"),
    ],
)
def test_what_would_end_badly_is_refused(folder, change, says):
    text = (folder / "plan.toml").read_text()
    assert change[0] in text
    (folder / "plan.toml").write_text(text.replace(*change))
    ended = command("run", folder / "plan.toml", "--out", folder / "out")
    assert ended.code == 2
    assert says in ended.err


def test_a_name_is_no_formula_in_any_table(folder, tmp_path):
    name = "=HYPERLINK(1)"
    edit(MAP, lambda rows: rows.assign(PCN_NAME=name))(folder)
    assert command("run", folder / "plan.toml", "--out", tmp_path / "out").code == 0
    written = pd.read_csv(tmp_path / "out" / "tables" / "allocation.csv")["team_name"]
    assert set(written) == {"'" + name, "Practices without a PCN"}
    exact = pd.read_parquet(tmp_path / "out" / "tables" / "allocation.parquet")["team_name"]
    assert name in set(exact)
    command("template", tmp_path / "sheet.csv", "--map", folder / MAP)
    assert f"'{name}" in (tmp_path / "sheet.csv").read_text(encoding="utf-8-sig")
    assert f",{name}" not in (tmp_path / "sheet.csv").read_text(encoding="utf-8-sig")


RESIDENT = PLAN.replace('people = "registered"', "").replace("[need]", '[need]\npeople = "resident"')


@pytest.mark.slow
def test_first_past_the_post_gives_each_area_whole_to_its_largest_team(folder):
    text = RESIDENT.replace("[catchment]", '[catchment]\nmethod = "first_past_the_post"')
    (folder / "plan.toml").write_text(text)
    plan = read_plan(folder / "plan.toml")
    result = run_plan(plan, folder)
    read = read_inputs(plan, folder).frames
    team = read["membership"].set_index("practice")["pcn"]
    flows = read["registrations"].astype({"practice": str, "lsoa21": str})
    flows = flows[flows["lsoa21"].str.startswith("E01")].assign(team=flows["practice"].map(team))
    flows = flows[flows["team"] != "U"].groupby(["lsoa21", "team"])["patients"].sum().reset_index()
    flows = flows.sort_values(["patients", "team"], ascending=[False, True]).drop_duplicates("lsoa21")
    of_area = flows.set_index("lsoa21")["team"]
    areas = result.need.areas
    adults = areas["resident_adults"].groupby(of_area).sum()
    contacts = (areas["resident_adults"] * areas["expected_use"]).groupby(of_area).sum()
    teams = result.need.teams.loc[adults.index]
    pd.testing.assert_series_equal(teams["resident_adults"], adults, check_names=False, rtol=1e-12)
    pd.testing.assert_series_equal(teams["expected_use"], contacts / adults, check_names=False, rtol=1e-12)
    assert result.bundle.flows["resident_share"].eq(1).all()
    assert result.allocation.table.at["unassigned", "posts"] == 0


def of_areas(folder, *, leave_out: int = 0) -> pd.Series:
    """A sheet of neighbourhoods that each have every third area, but for the last few."""
    areas = read_inputs(read_plan(folder / "plan.toml"), folder).frames["population"].index
    areas = areas[: len(areas) - leave_out]
    group = pd.Series([f"hood {i % 3}" for i in range(len(areas))], index=areas)
    sheet = group.reset_index().groupby(group.to_numpy())["lsoa21"].agg(" ".join)
    pd.DataFrame(
        {"team": sheet.index, "team_name": "The " + sheet.index, "areas": sheet.to_numpy(), "current": 6.0}
    ).to_csv(folder / CURRENT, index=False)
    return group


def leaders(folder) -> pd.DataFrame:
    """By plain pandas: each area's largest PCN and its ICB, and the patients of anyone who live there."""
    rows = pd.read_csv(folder / REGISTRATIONS)
    rows = rows[rows["LSOA_CODE"].str.startswith("E01")]
    practice = pd.read_csv(folder / MAP, dtype="str").set_index("PRACTICE_CODE")
    rows["pcn"] = rows["PRACTICE_CODE"].map(practice["PCN_CODE"])
    first = rows[rows["pcn"] != "U"].groupby(["LSOA_CODE", "pcn"])["NUMBER_OF_PATIENTS"].sum().reset_index()
    first = first.sort_values(["NUMBER_OF_PATIENTS", "pcn"], ascending=[False, True])
    team = first.drop_duplicates("LSOA_CODE").set_index("LSOA_CODE")["pcn"]
    icb = practice.drop_duplicates("PCN_CODE").set_index("PCN_CODE")["ICB_CODE"]
    patients = rows.groupby("LSOA_CODE")["NUMBER_OF_PATIENTS"].sum()
    return pd.DataFrame({"team": team, "icb": team.map(icb), "patients": patients}).sort_index()


def outside_of(folder, icb: str) -> int:
    """Patients of an ICB's practices who live in no English area."""
    rows = pd.read_csv(folder / REGISTRATIONS)
    of = rows["PRACTICE_CODE"].map(
        pd.read_csv(folder / MAP, dtype="str").set_index("PRACTICE_CODE")["ICB_CODE"]
    )
    return rows.loc[(of == icb) & ~rows["LSOA_CODE"].str.startswith("E01"), "NUMBER_OF_PATIENTS"].sum()


def name_areas(folder, areas: pd.Index, **columns: object) -> pd.Series:
    """A sheet of two neighbourhoods that share these areas; returns whose each area is."""
    group = pd.Series([f"hood {i % 2}" for i in range(len(areas))], index=areas)
    sheet = pd.Series(areas, index=areas).groupby(group).agg(" ".join)
    pd.DataFrame({"team": sheet.index, "areas": sheet.to_numpy(), "current": 6.0, **columns}).to_csv(
        folder / CURRENT, index=False
    )
    return group


AREAS_OF_ONE_ICB = RESIDENT.replace("[catchment]", '[catchment]\nicb = "QZZ"')


def test_an_icbs_plan_by_areas_is_of_its_own_people(folder):
    of = leaders(folder)
    own = of.index[of["icb"] == "QZZ"]
    assert 6 < len(own) < len(of)
    group = name_areas(folder, own[:-3])
    (folder / "plan.toml").write_text(AREAS_OF_ONE_ICB)
    result = run_plan(read_plan(folder / "plan.toml"), folder)
    table, areas, bundle = result.allocation.table, result.need.areas, result.bundle
    adults = areas["resident_adults"]
    assert set(table.index) == {"hood 0", "hood 1", "not in map"}
    assert table.at["not in map", "resident_adults"] == pytest.approx(adults[own[-3:]].sum())
    outside = outside_of(folder, "QZZ")
    assert 0 < outside < outside_of(folder, "QZY") + outside
    left_out = of.loc[own[-3:], "patients"].sum() + outside
    assert table.loc["not in map", ["registered", "outside"]].tolist() == [left_out, outside]
    assert f"{left_out:,.0f} patients of ICB QZZ who live in no team's areas" in bundle.sentences[4]
    assert (result.need.base.name, result.need.base.adults) == (
        "Synthetic ICB 1",
        pytest.approx(adults[own].sum()),
    )
    assert (areas["need_index_icb"] * adults)[own].sum() == pytest.approx(adults[own].sum())
    fifth = (areas["deprivation_decile"] - 1) // 2 + 1
    expected = adults[group.index].groupby(fifth[group.index]).sum().reindex(range(1, 6), fill_value=0.0)
    assert bundle.equity["people"].tolist() == pytest.approx(expected.tolist())
    assert bundle.equity["posts"].sum() == pytest.approx(20)
    assert any(f"of the {adults[group.index].sum():,.0f} adults who live in" in w for w in bundle.warnings)
    assert set(bundle.flows["lsoa21"]) == set(own)
    assert set(bundle.need["lsoa21"]) == set(group.index)
    read = pd.read_csv(folder / REGISTRATIONS)["NUMBER_OF_PATIENTS"].sum()
    assert result.need.teams["registered"].sum() == read
    assert bundle.parameters["Teams"].startswith("neighbourhoods of ICB QZZ, made of the areas")
    assert bundle.parameters["Catchment method"].startswith("whole areas")


@pytest.mark.slow
def test_an_icbs_plan_by_first_past_the_post_is_of_its_own_people(folder):
    (folder / "plan.toml").write_text(
        AREAS_OF_ONE_ICB.replace("[catchment]", '[catchment]\nmethod = "first_past_the_post"').replace(
            f'current = "{CURRENT}"\n', ""
        )
    )
    result = run_plan(read_plan(folder / "plan.toml"), folder)
    of = leaders(folder)
    own, adults = of.index[of["icb"] == "QZZ"], result.need.areas["resident_adults"]
    outside, table = outside_of(folder, "QZZ"), result.allocation.table
    assert table.loc["unassigned", ["registered", "outside", "resident"]].tolist() == [outside, outside, 0]
    assert table["registered"].sum() == of.loc[own, "patients"].sum() + outside
    assert result.need.base.adults == pytest.approx(adults[own].sum())
    assert result.bundle.equity["people"].sum() == pytest.approx(adults[own].sum())
    assert f"{outside:,} patients of ICB QZZ who live in no team's areas" in result.bundle.sentences[4]


def test_areas_of_a_part_of_one_icb_are_not_called_after_it(folder):
    of = leaders(folder)
    group = name_areas(folder, of.index[of["icb"] == "QZZ"][:8])
    (folder / "plan.toml").write_text(RESIDENT)
    result = run_plan(read_plan(folder / "plan.toml"), folder)
    adults = result.need.areas["resident_adults"][group.index].sum()
    assert (result.need.base.name, result.need.base.adults) == ("All teams", pytest.approx(adults))
    assert result.bundle.equity["people"].sum() == pytest.approx(adults)
    assert "ICB" not in result.bundle.parameters["Teams"]


@pytest.mark.parametrize("by", ["areas", "first past the post"])
def test_groups_of_nobody_are_given_no_minimum(folder, by):
    text = AREAS_OF_ONE_ICB.replace("minimum = 1.0", "minimum = 1.0\nposts_without_pcn = true")
    if by == "areas":
        of = leaders(folder)
        name_areas(folder, of.index[of["icb"] == "QZZ"][:-3])
    else:
        text = text.replace("[catchment]", '[catchment]\nmethod = "first_past_the_post"')
        text = text.replace(f'current = "{CURRENT}"\n', "")
    (folder / "plan.toml").write_text(text)
    table = run_plan(read_plan(folder / "plan.toml"), folder).allocation.table
    assert table.loc[~table["is_team"], "posts"].eq(0).all()
    assert table.loc[table["is_team"], "posts"].sum() == 20


def test_practices_without_a_pcn_are_given_posts_where_the_plan_says_so(folder):
    (folder / "plan.toml").write_text(
        ONE_ICB.replace("minimum = 1.0", "minimum = 1.0\nposts_without_pcn = true")
    )
    result = run_plan(read_plan(folder / "plan.toml"), folder)
    assert result.allocation.table.at["U", "posts"] >= 1
    assert result.bundle.parameters["Practices without a PCN"] == "given posts"


@pytest.mark.slow
def test_parameters_say_what_the_teams_are(folder):
    practices = pd.read_csv(folder / MAP, dtype="str").query("ICB_CODE == 'QZZ'")["PRACTICE_CODE"].iloc[:3]
    sheet = pd.DataFrame({"team": ["mine"], "practices": [" ".join(practices)], "current": [5.0]})
    sheet.to_csv(folder / CURRENT, index=False)
    parameters = run_plan(read_plan(folder / "plan.toml"), folder).bundle.parameters
    assert parameters["Teams"] == (
        "neighbourhoods, made of the practices that the sheet of posts now names, and PCNs"
    )
    assert parameters["Catchment method"] == "proportional"
    (folder / "plan.toml").write_text(ONE_ICB)
    assert run_plan(read_plan(folder / "plan.toml"), folder).bundle.parameters["Teams"] == "PCNs of ICB QZZ"


def test_neighbourhoods_of_the_sheet_can_be_made_of_areas(folder):
    group = of_areas(folder, leave_out=4)
    (folder / "plan.toml").write_text(RESIDENT)
    result = run_plan(read_plan(folder / "plan.toml"), folder)
    areas, table = result.need.areas, result.allocation.table
    adults = areas["resident_adults"].groupby(group.reindex(areas.index).fillna("not in map")).sum()
    pd.testing.assert_series_equal(table["resident_adults"].loc[adults.index], adults, check_names=False)
    assert table.at["hood 0", "team_name"] == "The hood 0"
    assert table["posts"].sum() == 20
    assert table.at["not in map", "posts"] == 0
    read = read_inputs(read_plan(folder / "plan.toml"), folder).frames["registrations"]["patients"].sum()
    assert table["registered"].sum() == read
    assert any("in no team's areas" in sentence for sentence in result.bundle.sentences)


@pytest.mark.parametrize(
    ("plan", "change", "says"),
    [
        (PLAN, lambda rows: rows, 'write people = "resident"'),
        (
            RESIDENT,
            lambda rows: rows.assign(areas=rows["areas"].where(rows["team"] != "hood 1", "")),
            "2 teams of the sheet are made of areas and 1 are not: hood 1",
        ),
        (
            RESIDENT,
            lambda rows: rows.assign(areas=rows["areas"] + " " + rows["areas"].iloc[0].split()[0]),
            "have two groups or none",
        ),
        (
            RESIDENT,
            lambda rows: rows.assign(areas=rows["areas"] + " E01999999"),
            "1 of .* areas of the groups are not in this catchment: E01999999",
        ),
        (
            PLAN.replace("[catchment]", '[catchment]\nmethod = "first_past_the_post"'),
            lambda rows: rows,
            'so they answer for those who live there: write people = "resident" under',
        ),
        (
            RESIDENT.replace("[catchment]", '[catchment]\nmethod = "threshold"'),
            lambda rows: rows,
            "'proportional' or 'first_past_the_post'",
        ),
        (
            RESIDENT.replace("[catchment]", '[catchment]\nmethod = "first_past_the_post"'),
            lambda rows: rows,
            "3 teams of the sheet are made of whole areas, so the method first_past_the_post has nothing",
        ),
        (
            RESIDENT,
            lambda rows: rows.assign(team=rows["team"].replace("hood 1", "unassigned")),
            "1 teams of the sheet are named like a group that is no team: unassigned",
        ),
        (
            AREAS_OF_ONE_ICB,
            lambda rows: rows.assign(
                team=["here", "there", "far"],
                areas=["E01900001 E01900002", "E01900003", "E01900039 E01900040"],
            ),
            "1 of 3 teams of the sheet are made of areas in which most people use another ICB than QZZ: far",
        ),
    ],
    ids=[
        "registered",
        "some of practices",
        "an area twice",
        "an unknown area",
        "whole areas",
        "threshold",
        "a method beside areas",
        "a group's name",
        "areas of another ICB",
    ],
)
def test_teams_of_areas_that_would_miscount_are_refused(folder, plan, change, says):
    of_areas(folder)
    edit(CURRENT, change)(folder)
    (folder / "plan.toml").write_text(plan)
    with pytest.raises(errors.NeedsallocError, match=says):
        run_plan(read_plan(folder / "plan.toml"), folder)
