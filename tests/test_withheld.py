"""A report for the public: no file of it depends on what it withholds, and solving for it finds nothing."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

import attack
from needsalloc import synthetic
from needsalloc.audit import audit_equity
from needsalloc.disclosure import Rule
from needsalloc.errors import DisclosureError
from needsalloc.inputs import read_inputs
from needsalloc.plan import read_plan
from needsalloc.report import write
from needsalloc.run import Result, run_plan
from needsalloc.withheld import disclose, withheld_inputs, without_small_teams
from plan_folders import contents
from report_samples import sample

pytestmark = pytest.mark.slow

THRESHOLD = 8
PLAN = """\
[plan]
title = "District nursing in a made-up ICB"
total = 90.0
step = 0.5

[inputs]
registrations = "gp-reg-pat-prac-lsoa-all.csv"
membership = "gp-reg-pat-prac-map.csv"
population = "population.csv"
deprivation = { path = "imd-file-7.csv", edition = "synthetic" }
lists = "gp-reg-pat-prac-sing-age.csv"
conditions = "PREVALENCE.csv"
current = "current.csv"
contacts = "contacts.csv"
counts = "counts.csv"

[need]
base = "icb"

[allocate]
minimum = 1.0

[pace]
years = 2
ceiling = 0.2
floor = -0.1
source = "workforce plan"

[skills]
shares = { band_3 = 0.2, band_5 = 0.5, band_6 = 0.3 }

[cost]
pay = { band_3 = 31000, band_5 = 42000, band_6 = 51000 }
source = "finance"

[report]
out = "report"
audience = "public"
"""
# A team of one, the next larger team that goes with it, and another small one.
POSTS = {
    "U90001": 1.0,
    "U90002": 9.0,
    "U90003": 14.0,
    "U90004": 5.0,
    "U90005": 21.0,
    "U90006": 30.0,
}
WITHHELD = ("U90001", "U90002", "U90004")
# The same teams are withheld, and they have another sum.
OTHERS = POSTS | {"U90001": 3.5, "U90002": 12.25, "U90004": 1.25}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file but posts now."""
    place = tmp_path_factory.mktemp("data")
    synthetic.england(areas=24, pcns=6, icbs=1).write(place, boundaries=True)
    teams = pd.DataFrame({"team": list(POSTS)})
    contacts = [4, 30_000, 21_013, 17_000, 25_000, 9_001]
    teams.assign(contacts=contacts).to_csv(place / "contacts.csv", index=False)
    own = {"known_to_us": [2, 60, 0, 44, 51, 70], "care_home_beds_nursing": [3, 0, 9, 40, 0, 5]}
    teams.assign(**own).to_csv(place / "counts.csv", index=False)
    return place


def write_folder(data: Path, name: str, posts: dict[str, float], plan: str = PLAN) -> Path:
    """A folder with these posts now and this plan; returns the plan's path."""
    folder = data.parent / name
    shutil.copytree(data, folder)
    current = pd.DataFrame({"team": list(posts), "current": list(posts.values())})
    bands = {"fte_band_3": 0.2, "fte_band_5": 0.5, "fte_band_6": 0.3}
    current = current.assign(**{band: current["current"] * share for band, share in bands.items()})
    current.assign(vacancies=0.0, basis="in post", on="2026-01-01").to_csv(
        folder / "current.csv", index=False
    )
    (folder / "plan.toml").write_text(plan, encoding="utf-8")
    return folder / "plan.toml"


def report(plan: Path) -> dict[str, bytes]:
    """The report of a plan: its path there -> its bytes."""
    run_plan(read_plan(plan), plan.parent).write(plan.parent / "report")
    return contents(plan.parent / "report")


@pytest.fixture(scope="module")
def public_plan(data: Path) -> Path:
    return write_folder(data, "public", POSTS)


@pytest.fixture(scope="module")
def public(public_plan: Path) -> dict[str, bytes]:
    return report(public_plan)


@pytest.fixture(scope="module")
def inside(data: Path) -> Result:
    """The run of the same for the inside."""
    plan = write_folder(data, "inside", POSTS, PLAN.replace('"public"', '"internal"'))
    return run_plan(read_plan(plan), plan.parent)


@pytest.fixture(scope="module")
def internal(data: Path, inside: Result) -> dict[str, bytes]:
    inside.write(data.parent / "inside" / "report")
    return contents(data.parent / "inside" / "report")


@pytest.fixture(scope="module")
def parts(inside: Result) -> pd.DataFrame:
    """(teams, fifths) what part of a team's posts the audit puts into each fifth of deprivation."""
    alone = {f"option: {team}": pd.Series({other: float(other == team) for other in POSTS}) for team in POSTS}
    groups = audit_equity(inside.allocation, inside.need, others=alone).by_group
    fifths = groups.query("level == 'areas' and grouping == 'deprivation_fifth' and against == 'need'")
    parts = fifths[fifths["resource"].isin(alone)].pivot_table("amount", "resource", "group")
    return parts.rename(index=lambda name: name.removeprefix("option: ")).loc[list(POSTS)]


def test_no_byte_of_the_report_depends_on_what_it_withholds(data, public):
    """Not a figure, a sentence, a map or a checksum: with other posts in the same teams, other small numbers
    of contacts and of people, and other ones of those that go with them, it is the same."""
    plan = write_folder(data, "others", OTHERS)
    contacts = pd.read_csv(plan.parent / "contacts.csv").replace({4: 6, 9_001: 8_500})
    contacts.to_csv(plan.parent / "contacts.csv", index=False)
    own = pd.read_csv(plan.parent / "counts.csv").replace({"known_to_us": {2: 7, 44: 12}})
    own.to_csv(plan.parent / "counts.csv", index=False)
    assert report(plan) == public


def table(files: dict[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(BytesIO(files[f"tables/{name}.csv"]), dtype={"team": "str", "group": "str"})


def test_planned_posts_and_targets_are_those_of_the_internal_report(public, internal):
    planned = ["team", "target", "posts", "target_share"]
    pd.testing.assert_frame_equal(
        table(public, "allocation")[planned], table(internal, "allocation")[planned]
    )


def test_every_form_says_that_the_same_cells_are_withheld(public, tmp_path):
    rows = table(public, "allocation").set_index("team")
    gone = rows.index[rows["suppressed"].notna()]
    assert tuple(gone) == WITHHELD
    assert set(rows.loc["U90001", "suppressed"].split()) == {
        "current", "vacancies", "distance_from_target", "change",
    }  # fmt: skip
    assert rows.loc[list(WITHHELD), ["current", "change", "distance_from_target"]].isna().all(axis=None)
    assert rows.loc["U90005", "current"] == POSTS["U90005"]
    (tmp_path / "plan.xlsx").write_bytes(public["plan.xlsx"])
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx")["Allocation"]
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    of_team = {row[0]: row for row in cells if row[0] in POSTS}
    assert {team for team, row in of_team.items() if "[c]" in row} == set(WITHHELD)
    page = public["index.html"].decode()
    assert page.count("[c]") >= len(WITHHELD) * 3


class Told:
    """Linear statements about posts now that a reader finds in a report: low <= row @ posts <= high."""

    def __init__(self, files: dict[str, bytes], parts: pd.DataFrame) -> None:
        self.teams = list(POSTS)
        self.files, self.parts = files, parts
        self.rows: list[dict[int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def say(self, weights: dict[str, float], value: float, slack: float = 0.0) -> None:
        known = {team: weight for team, weight in weights.items() if team in self.teams}
        if np.isfinite(value) and known:
            self.rows.append({self.teams.index(team): weight for team, weight in known.items()})
            self.low.append(value - slack - 1e-9)
            self.high.append(value + slack + 1e-9)

    def shown(self) -> None:
        for row in table(self.files, "allocation").itertuples():
            self.say({row.team: 1.0}, row.current)

    def change(self) -> None:
        for row in table(self.files, "allocation").itertuples():
            self.say({row.team: 1.0}, row.posts - row.change)

    def distance(self) -> None:
        for row in table(self.files, "allocation").itertuples():
            self.say({row.team: 1.0}, row.target * (1 + row.distance_from_target))

    def options(self) -> None:
        for row in table(self.files, "options_by_team").itertuples():
            self.say({row.team: 1.0}, row.posts if row.option == "Status quo" else row.posts - row.change)

    def pace(self) -> None:
        if "tables/pace.csv" in self.files:
            for row in table(self.files, "pace").query("year == 1").itertuples():
                self.say({row.team: 1.0}, row.opening)

    def fifths(self) -> None:
        equity = table(self.files, "equity").set_index("deprivation_fifth")
        for fifth, row in equity.iterrows():
            weights = self.parts.get(str(fifth), pd.Series(0.0, self.parts.index))
            self.say(weights.to_dict(), row.get("current", np.nan))
            self.say(weights.to_dict(), row["posts"] - row["change"])
            self.say(weights.to_dict(), row["current_per_10000_adults"] * row["people"] / 10_000)
            share = row["share_of_current"]
            self.say((weights - share).to_dict(), 0.0 if np.isfinite(share) else np.nan)

    def groups(self) -> None:
        groups = table(self.files, "inequality_by_group")
        now = groups[(groups["resource"] == "current") & (groups["grouping"] == "deprivation_fifth")]
        for row in now[now["level"] == "areas"].itertuples():
            self.say(self.parts.get(row.group, pd.Series(0.0, self.parts.index)).to_dict(), row.amount)

    def words(self) -> None:
        text = " ".join(
            data.decode() for name, data in self.files.items() if name.endswith((".html", ".md", ".json"))
        )
        for total in re.findall(r"They have ([\d,.]*\d) FTE", text):
            self.say(dict.fromkeys(self.teams, 1.0), float(total.replace(",", "")), 0.05)

    def widths(self) -> dict[str, float]:
        found = attack.intervals(len(self.teams), self.rows, self.low, self.high)
        return {team: found[self.teams.index(team)].width for team in WITHHELD}


WAYS = ("shown", "change", "distance", "options", "pace", "fifths", "groups", "words")


def test_solving_for_it_with_the_whole_report_finds_nothing(public, parts):
    told = Told(public, parts)
    for way in WAYS:
        getattr(told, way)()
    assert len(told.rows) > len(POSTS)
    # And if whoever solves for it knows from elsewhere how many posts there are in all.
    told.say(dict.fromkeys(POSTS, 1.0), sum(POSTS.values()))
    assert min(told.widths().values()) >= THRESHOLD


@pytest.mark.parametrize("way", ["change", "distance", "options", "pace", "fifths", "groups"])
def test_each_way_alone_would_tell(public, internal, parts, way):
    """The attacker above has teeth: beside the figures that the public sees, any one of the other tables of
    the internal report gives a withheld figure away."""
    told = Told(public, parts)
    told.shown()
    told.files = internal
    getattr(told, way)()
    assert min(told.widths().values()) < 0.01


def test_the_files_of_small_teams_have_no_checksum(public_plan, public):
    """A checksum lets whoever guesses three figures see that the guess is right."""
    inputs = read_inputs(read_plan(public_plan), public_plan.parent)
    text = b"\n".join(public.values()).decode("utf-8", "replace")
    for role in ("current", "contacts", "counts"):
        checksum = inputs.frames[role].attrs["source"]["sha256"]
        assert checksum not in text
    assert inputs.frames["registrations"].attrs["source"]["sha256"] in text


def test_the_planners_own_counts_of_people_follow_the_rule_and_beds_do_not(public, internal):
    cohorts = table(public, "planning_cohorts").set_index("team")
    assert cohorts.loc[list(POSTS), "known_to_us"].isna().tolist() == [True, False, False, True, False, False]
    assert cohorts.loc[["U90002", "U90003", "U90005"], "known_to_us"].tolist() == [60, 0, 50]
    assert cohorts.loc["U90001", "care_home_beds_nursing"] == 3
    assert table(internal, "planning_cohorts").set_index("team").loc["U90001", "known_to_us"] == 2


def test_small_contacts_stay_out_and_others_are_rounded(public_plan):
    """The smallest other team goes with the one that is small."""
    inputs = withheld_inputs(read_inputs(read_plan(public_plan), public_plan.parent))
    contacts = inputs.frames["contacts"]["contacts"]
    assert contacts.to_dict() == {"U90002": 30_000, "U90003": 21_015, "U90004": 17_000, "U90005": 25_000}


def test_internal_reports_say_that_they_may_name_people(internal):
    assert b"it may name people. 2 teams have posts now under 8" in internal["index.html"]
    assert set(table(internal, "allocation")["current"].dropna()) == set(POSTS.values())


def test_a_limit_by_posts_now_is_refused_where_they_are_withheld(data):
    """Nine tenths of one post, planned, is one post now."""
    limit = (
        '[[allocate.limits]]\nname = "ninety"\nkind = "minimum"\nvalue = 0.9\n'
        'basis = "share of current"\nreason = "staff"\nowner = "board"\n\n[pace]'
    )
    plan = write_folder(data, "limit", POSTS, PLAN.replace("[pace]", limit))
    with pytest.raises(DisclosureError, match="limits are a share of posts now"):
        withheld_inputs(read_inputs(read_plan(plan), plan.parent))


def test_a_reason_shows_everything(data):
    off = '\n[disclosure]\nthreshold = 0\nreason = "funded posts, in the board paper of May"\n'
    plan = write_folder(data, "off", POSTS, PLAN + off)
    bundle = disclose(run_plan(read_plan(plan), plan.parent).bundle)
    assert set(bundle.allocation["current"].dropna()) == set(POSTS.values())
    assert bundle.disclosed == "Public: small numbers are shown: funded posts, in the board paper of May."


def current(**columns: list[float]) -> pd.DataFrame:
    teams = [f"T{n}" for n in range(len(next(iter(columns.values()))))]
    return pd.DataFrame({"team": teams, **columns})


@pytest.mark.parametrize(
    ("posts", "vacancies", "withheld"),
    [
        ([1.0, 9.0, 20.0], None, ["T0", "T1"]),
        ([1.0, 2.0, 9.0, 20.0], None, ["T0", "T1", "T2"]),
        ([9.0, 20.0, 0.0], None, []),
        # Ten posts of which eight are vacant are two people.
        ([10.0, 12.0, 20.0], [8.0, 1.0, 0.0], ["T0", "T1"]),
        ([3.0, 0.0], None, ["T0"]),
    ],
)
def test_small_teams_and_those_that_go_with_them(posts, vacancies, withheld):
    """By hand."""
    frame = current(current=posts) if vacancies is None else current(current=posts, vacancies=vacancies)
    found = without_small_teams(frame, Rule())
    assert list(found.attrs["withheld"]) == withheld
    assert found["current"].isna().tolist() == [team in withheld for team in found["team"]]


def test_vacancies_may_be_in_another_sheet():
    """By hand: ten posts of which eight are vacant are two people, whoever says so."""
    vacant = pd.Series({"T0": 8.0, "T1": 1.0, "T2": np.nan})
    found = without_small_teams(current(current=[10.0, 12.0, 20.0]), Rule(), vacant)
    assert found.attrs["withheld"] == ("T0", "T1")


def test_bands_of_few_are_not_told_apart():
    frame = current(current=[20.0, 30.0], fte_band_5=[19.0, 20.0], fte_band_6=[1.0, 10.0])
    found = without_small_teams(frame, Rule())
    assert list(found.columns) == ["team", "current"]
    assert found["current"].tolist() == [20.0, 30.0]


def test_a_public_bundle_with_small_teams_is_not_written(tmp_path):
    """Blanking them now would leave the sentences and sums that have been made of them."""
    for said in ("", "Somebody has looked."):
        with pytest.raises(DisclosureError, match="teams have posts now under 8"):
            write(sample(audience="public", disclosed=said), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_what_was_disclosed_once_stays():
    bundle = sample(audience="public", rule=Rule(threshold=0, reason="made up"))
    once = disclose(bundle)
    assert once.disclosed == "Public: small numbers are shown: made up."
    assert disclose(once) is once
    assert disclose(sample(current=False)).disclosed == "Internal: not for the public."


def test_tables_by_practice_are_for_the_inside():
    practices = pd.DataFrame({"practice": ["A81001"], "patients": [9_000]})
    bundle = sample(current=False)
    bundle = replace(bundle, beside={**bundle.beside, "observed_by_practice": practices})
    assert "observed_by_practice" in disclose(bundle).beside
    assert "observed_by_practice" not in disclose(replace(bundle, audience="public")).beside
