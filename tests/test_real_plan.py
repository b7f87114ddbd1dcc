"""Example plans run: every key on made-up data, and one ICB's real workforce moved by vacancies only."""

import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from needsalloc import synthetic as made
from needsalloc.plan import Plan, check_plan, read_plan
from needsalloc.run import run_plan
from needsalloc.sources.workforce import read_workforce, workforce_by_team

EXAMPLES = Path(__file__).parents[1] / "examples"
YEARS, TURNOVER = 4, 0.11
# The tables of a plan that a run has for an ICB that names what is in place.
TABLES = {
    "options",
    "options_by_team",
    "choices",
    "pace",
    "sensitivity",
    "equality",
    "inequality",
    "checklist",
}


@pytest.mark.slow
def test_the_example_with_every_key_runs_as_its_first_lines_say(tmp_path):
    folder = EXAMPLES / "every-key"
    made.england().write(tmp_path, boundaries=True)
    for sheet in folder.glob("*.csv"):
        shutil.copy(sheet, tmp_path)
    plan = read_plan(folder / "plan.toml")
    earlier = plan.model_dump(exclude_none=True) | {"options": []}
    del earlier["inputs"]["previous"]
    earlier["need"]["formula"] = "district-nursing/liverpool-2024-as-printed"
    run_plan(check_plan(earlier), tmp_path).bundle.allocation.to_csv(tmp_path / "previous.csv", index=False)
    bundle = run_plan(plan, tmp_path).bundle
    assert bundle.status == "agreed by the made-up board, 1 May 2026"
    assert TABLES | {"skills", "skill_cost", "moved_by_data", "observed"} <= set(bundle.beside)
    assert all(check.status != "fail" for check in bundle.checks)


def test_the_example_with_every_key_has_every_key():
    given = tomllib.loads((EXAMPLES / "every-key" / "plan.toml").read_text(encoding="utf-8"))
    sections = set(Plan.model_fields) - {"checksums"}
    assert set(given) == sections
    assert set(given["allocate"]) == set(Plan.model_fields["allocate"].annotation.model_fields) - {"price"}
    assert {limit["kind"] for limit in given["allocate"]["limits"]} == {"minimum", "cap"}


@pytest.fixture(scope="module")
def staffordshire(real_data, tmp_path_factory):
    """The example of Staffordshire with all staff of its PCNs in June 2026 as posts now: an exercise."""
    folder = tmp_path_factory.mktemp("staffordshire")
    text = (EXAMPLES / "staffordshire-2025.toml").read_text(encoding="utf-8")
    given = tomllib.loads(text)
    for role in ("deprivation_before", "lookup", "population_before"):
        del given["inputs"][role]
    for file in given["inputs"].values():
        path = file["path"] if isinstance(file, dict) else file
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(real_data / path, folder / path)
    staff = read_workforce(real_data / "workforce" / "PCNWFIndividualCSV_2026-06.zip")
    sheet = workforce_by_team(staff, sorted(set(staff["staff_group"])))
    area = pd.read_csv(folder / "staffordshire-2025/gp-reg-pat-prac-map_2025-10.csv.gz", dtype="str")
    own = set(area.loc[area["ICB_CODE"] == "QNC", "PCN_CODE"])
    sheet = sheet[sheet["team"].isin(own)].assign(basis=staff.attrs["basis"], on=str(staff.attrs["on"]))
    sheet.to_csv(folder / "sheet.csv", index=False)
    given["plan"]["total"] = round(2 * sheet["current"].sum()) / 2
    given["inputs"]["current"] = "sheet.csv"
    given["pace"] = {"years": YEARS, "moves": "vacancies", "turnover": TURNOVER, "source": "an exercise"}
    return sheet.set_index("team")["current"], run_plan(check_plan(given), folder)


@pytest.mark.slow
def test_an_icbs_real_workforce_is_moved_by_vacancies_only(staffordshire):
    now, result = staffordshire
    beside, step = result.bundle.beside, result.plan.plan.step
    assert set(beside) >= TABLES
    pace = beside["pace"].pivot_table(index="team", columns="year", values="posts")
    assert (len(now), set(pace.index)) == (25, set(now.index))
    total = round(now.sum() / step) * step
    assert pace.sum().tolist() == pytest.approx([total] * YEARS)
    # Nobody loses more than leave in a year; rounding adds up to a step.
    before = now
    for year in range(1, YEARS + 1):
        assert (pace[year] >= before * (1 - TURNOVER) - step - 1e-9).all()
        before = pace[year]
    distance = beside["pace"].set_index(["year", "team"])["closing_distance"].abs()
    assert distance.xs(YEARS).max() < distance.xs(1).max()
    options = beside["options"].set_index("option")
    assert options["posts"].drop("Status quo").tolist() == [result.plan.plan.total] * 5
    assert options.at["This plan", "hoover"] < options.at["Status quo", "hoover"]
    assert options.at["Status quo", "posts_moved"] == 0
    assert "staff in post on 2026-06-30" in result.bundle.sentences[2]
