"""People, need and posts before and after by characteristic: what an equality impact assessment asks first.

What no open file says stands in the table by name, and so do people whom lists and censuses do not see.
Mitigation and its owner are for the planner to fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.ages import ADULT, BANDS
from needsalloc.allocate import Allocation
from needsalloc.assumptions import Assumption
from needsalloc.audit_areas import DECILE, FIFTH, NEED, PEOPLE, RURAL, SPREAD, Ground, audited
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, first_few
from needsalloc.index import NeedIndex
from needsalloc.kernels import flow
from needsalloc.use import SEXES, Cells

Floats = NDArray[np.float64]

NO_DATA = "no open data"
UNSEEN = "not seen by the data"
BEFORE, AFTER = "posts_before", "posts_after"
COLUMNS = [
    "characteristic", "group", "people", "share_of_people", "share_of_need", BEFORE, AFTER, "note",
    "mitigation", "owner",
]  # fmt: skip
_AGES = {"18 to 44": 18, "45 to 64": 45, "65 to 74": 65, "75 to 84": 75, "85 and over": 85}
_SEX = ("women", "men")
_FIFTHS = {1: "1 (most deprived)", 2: "2", 3: "3", 4: "4", 5: "5 (least deprived)"}
_PRACTICES_AT_ONCE = 512
_PEOPLE_ONLY = "Residents of all ages; need and posts are not known by this"
# Those of the Equality Act 2010 that no file of a plan is about, and what planners ask beside them.
_WITHOUT_FILE = {
    "ethnicity": "Give counts of residents by area",
    "disability": "Census 2021 has it by area: give its counts of residents",
    "rurality": "The rural-urban classification has it by area: give it",
    "gender reassignment": "",
    "marriage and civil partnership": "",
    "pregnancy and maternity": "",
    "religion or belief": "",
    "sexual orientation": "",
}
_NOT_SEEN = {
    "People not registered with a practice": "Counted nowhere where people are those on lists",
    "Homeless people": "Seen only if registered, and then where their practice says they live",
    "Gypsy, Roma and Traveller communities": "No file names them; many are not registered",
    "Migrants and people seeking asylum": "New arrivals are on no list and in no census",
    "People in prisons": "Their care is commissioned apart; a census may count them where the prison is",
}


@dataclass(frozen=True, eq=False)
class EqualityEvidence:
    """Who is served, by characteristic.

    Attributes
    ----------
    table:
        A row for each group of a `characteristic`: `people` (adults, but where the note says otherwise),
        `share_of_people`, `share_of_need`, `posts_before` and `posts_after`, spread in each team by expected
        use; `note`, which is "no open data" where there is none; `mitigation` and `owner`, blank.
    notes:
        What was assumed.
    """

    table: pd.DataFrame
    notes: tuple[Assumption, ...]

    def __repr__(self) -> str:
        by = self.table.groupby("characteristic", sort=False)
        whole = by["share_of_need"].count() > 0
        people = (by["people"].count() > 0) & ~whole & (whole.index != UNSEEN)
        named = self.table[self.table["characteristic"] != UNSEEN]
        lacking = named.loc[named["note"].str.startswith(NO_DATA), "characteristic"].unique()
        said = [f"people, need and posts by {first_few(whole.index[whole], 20)}"]
        if people.any():
            said.append(f"people by {first_few(people.index[people], 20)}")
        if len(lacking):
            said.append(f"{NO_DATA} on {first_few(lacking, 20)}")
        return f"<EqualityEvidence: {'; '.join(said)}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def equality_evidence(
    plan: Allocation,
    need: NeedIndex,
    *,
    counts: Mapping[str, pd.DataFrame] | None = None,
    rural_urban: pd.Series | None = None,
) -> EqualityEvidence:
    """People, need, and posts before and after by age, sex, deprivation and rurality; people by `counts`.

    plan: from `allocate`, its teams among those of `need`.
    counts: residents by area in the groups of a characteristic, {"disability": read_disability(path),
        "ethnicity": ...}: a column for each group. A column `residents` is everybody: who is in no other
        column is "others". Need and posts are not known by these groups.
    rural_urban: the classification of each area (`read_rurality`).

    Posts before are blank unless every team that is given posts said what it has.

    Raises InvalidValueError without deciles of deprivation, or for groups that are more than everybody;
    UnknownCodeError for areas that are missing.
    """
    if DECILE not in need.areas:
        raise InvalidValueError("The deprivation file has no deciles, so there are no fifths. Use another.")
    rows = audited(plan, need)
    given = plan.table["target"] > 0
    before = "current" if plan.table.loc[given, "current"].notna().all() else None
    posts = pd.DataFrame({BEFORE: rows["current"] if before else np.nan, AFTER: rows["posts"]}).fillna(0.0)
    ground = Ground.of(rows, given, need)
    people, contacts = _by_team_age_and_sex(rows.index, need)
    areas = ground.areas(posts, (), rural_urban).frame
    parts = [
        _of_persons("age", _by_age(people.sum(axis=2)), _by_age(contacts.sum(axis=2)), [*_AGES], posts),
        _of_persons("sex", people.sum(axis=1), contacts.sum(axis=1), list(_SEX), posts),
        _of_areas("deprivation", areas, areas[FIFTH].map(_FIFTHS)),
    ]
    if rural_urban is not None:
        parts.append(_of_areas("rurality", areas, areas[RURAL]))
    parts += [_of_counts(name, frame, rows.index, need) for name, frame in (counts or {}).items()]
    table = pd.concat([*parts, *_gaps({part["characteristic"].iloc[0] for part in parts}, rows, need)])
    if before is None:
        table[BEFORE] = np.nan
    table = table.assign(note=table["note"].fillna(""), mitigation="", owner="").reset_index(drop=True)
    table = table[COLUMNS]
    return EqualityEvidence(table, (SPREAD, *need.use.people.notes))


def _by_team_age_and_sex(teams: pd.Index, need: NeedIndex) -> tuple[Floats, Floats]:
    """Adults and their expected contacts (teams, years from 18, women and men)."""
    who, catchment = need.use.people, need.catchment
    ages, counted = who.ages, who.ages.people[need.people]
    cells = Cells(need.use.formula, who, observed=False)
    column = catchment.teams.index.get_indexer(teams)
    if catchment.of_whole_areas:
        shares = catchment.resident_share[:, column].T
        practices = np.arange(len(cells.sex_share))
        use = cells.use_by_sex(practices)
        people, contacts = (np.empty((len(teams), len(cells.age_years), SEXES)) for _ in range(2))
        for sex in range(SEXES):
            part = cells.sex_share[:, :, sex]
            people[:, :, sex] = shares @ ages.by_area(counted, part)
            by_area = sum(
                at[:, None] * ages.by_area(counted, part * use[:, :, sex, node])
                for node, at in enumerate(cells.score_weights.T)
            )
            contacts[:, :, sex] = shares @ by_area
        return people, contacts
    place = np.full(len(catchment.teams), -1)
    place[column] = np.arange(len(column))
    of_practice = place[catchment.team_of_practice]
    own = np.flatnonzero(of_practice >= 0)
    by_node = np.stack([ages.by_practice(counted, at)[own] for at in cells.score_weights.T], axis=-1)
    each = by_node.sum(axis=-1)[:, :, None] * cells.sex_share[own]
    expected = np.empty_like(each)
    for first in range(0, len(own), _PRACTICES_AT_ONCE):
        here = slice(first, first + _PRACTICES_AT_ONCE)
        expected[here] = np.einsum(
            "pan,pas,pasn->pas", by_node[here], cells.sex_share[own[here]], cells.use_by_sex(own[here])
        )
    people, contacts = np.zeros((2, len(teams), *each.shape[1:]))
    np.add.at(people, of_practice[own], each)
    np.add.at(contacts, of_practice[own], expected)
    return people, contacts


def _by_age(by_year: Floats) -> Floats:
    """(teams, bands) of (teams, years from 18)."""
    return np.asarray(np.add.reduceat(by_year, np.array([*_AGES.values()]) - ADULT, axis=1))


def _of_persons(
    name: str, people: Floats, contacts: Floats, groups: list[str], posts: pd.DataFrame
) -> pd.DataFrame:
    """Rows of a characteristic that need depends on: people and contacts (teams, groups)."""
    total = contacts.sum(axis=1, keepdims=True)
    share = np.divide(contacts, total, out=np.zeros_like(contacts), where=total > 0)
    amounts = {column: posts[column].to_numpy(np.float64) @ share for column in (BEFORE, AFTER)}
    return _rows(name, groups, people.sum(axis=0), contacts.sum(axis=0), amounts)


def _of_areas(name: str, areas: pd.DataFrame, label: pd.Series) -> pd.DataFrame:
    sums = areas[[PEOPLE, NEED, BEFORE, AFTER]].groupby(label.to_numpy()).sum()
    amounts = {column: sums[column].to_numpy() for column in (BEFORE, AFTER)}
    return _rows(name, list(sums.index), sums[PEOPLE].to_numpy(), sums[NEED].to_numpy(), amounts)


def _rows(
    name: str, groups: list[str], people: Floats, need: Floats, amounts: Mapping[str, Floats]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "characteristic": name,
            "group": groups,
            "people": people,
            "share_of_people": people / people.sum(),
            "share_of_need": need / need.sum(),
            **amounts,
        }
    )


def _of_counts(name: str, counts: pd.DataFrame, teams: pd.Index, need: NeedIndex) -> pd.DataFrame:
    """People alone, of counts of residents by area, shared to teams as residents are."""
    who, what = need.use.people, f"the counts of {name}"
    by_area = need.catchment.aligned(counts, what, cover=False)
    columns = list(map(str, counts.columns))
    if "residents" in columns:
        everybody = columns.index("residents")
        rest = 2 * by_area[:, everybody] - by_area.sum(axis=1)
        over = need.catchment.areas[rest < -_whole(by_area[:, everybody])]
        if len(over):
            raise InvalidValueError(
                f"In {len(over):,} areas the groups of {what} are more than the residents: "
                f"{first_few(over)}. Give groups that nobody is in twice."
            )
        by_area[:, everybody], columns[everybody] = np.maximum(rest, 0.0), "others"
    resident = flow.total_by_row(who.ages.on_flows(who.ages.people["resident"].sum(axis=1)))
    here = np.divide(resident, who.residents, out=np.zeros_like(resident), where=who.residents > 0)
    column = need.catchment.teams.index.get_indexer(teams)
    by_team = need.catchment.resident_share[:, column].T @ (by_area * here[:, None])
    people = by_team.sum(axis=0)
    return pd.DataFrame(
        {
            "characteristic": name,
            "group": columns,
            "people": people,
            "share_of_people": people / people.sum(),
            "note": _PEOPLE_ONLY,
        }
    )


def _gaps(known: set[str], rows: pd.DataFrame, need: NeedIndex) -> Iterator[pd.DataFrame]:
    """Rows of what nobody says: characteristics without a file, and people whom the data do not see."""
    lacking = {name: why for name, why in _WITHOUT_FILE.items() if name not in known}
    yield pd.DataFrame(
        {
            "characteristic": list(lacking),
            "group": "all",
            "note": [f"{NO_DATA}. {why}" if why else NO_DATA for why in lacking.values()],
        }
    )
    ages, catchment = need.use.people.ages, need.catchment
    young = ages.on_flows(ages.people[need.people][:, BANDS < ADULT].sum(axis=1))
    seen = {
        f"Children (under {ADULT})": (
            float(catchment.sum_by_team(young)[rows.index].sum()),
            "The formula is for adults: no posts are shared by their need",
        ),
        "Patients who live in no English area, or in none that is recorded": (
            float(rows["outside"].sum()),
            "All ages; they carry their team's mean need and have no characteristics here",
        ),
        "Patients of practices without a team": (
            float(rows.loc[~rows["is_team"], "registered"].sum()),
            "All ages; they count in need and have no posts of their own",
        ),
    }
    every = seen | {group: (np.nan, f"{NO_DATA}. {why}") for group, why in _NOT_SEEN.items()}
    yield pd.DataFrame(
        {
            "characteristic": UNSEEN,
            "group": list(every),
            "people": [people for people, _ in every.values()],
            "note": [note for _, note in every.values()],
        }
    )


def _whole(people: Floats) -> Floats:
    """What counts that are disclosed with noise may differ by."""
    return np.maximum(10.0, 0.05 * people)


__all__ = ["EqualityEvidence", "equality_evidence"]
