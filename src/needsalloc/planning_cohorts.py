"""The people a neighbourhood's planners ask about first, as counts: old, frail, deprived and disabled people.

They stand beside an index and are no weights in it. Everything that is asked for has a column; what no file
at hand gives is empty, and the table of sources says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from needsalloc.alignment import by_team, numbers, refuse_rates
from needsalloc.area_registers import (
    LIVING_OUTSIDE,
    NOT_HERE,
    OVER_ITS_LIST,
    AreaRegisters,
    usable_registers,
)
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.cohort_columns import NOT_GIVEN, Carrier, Column, file_of
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.growth import Growth
from needsalloc.kernels import flow

FROM_AGES = (65, 75, 85)
CORE20 = (1, 2)
ALONE = "resident_85_and_over_alone"
BEDS = ("care_home_beds_residential", "care_home_beds_nursing")
NOT_CARRIED = "not carried"
_ARGUMENTS = ("lists", "population", "conditions", "deprivation", "disability", "own")
_NAMES = ["team_name", "icb", "icb_name"]
_EXCEPTIONS = ["practice", "condition", "register", "list_size", "what", "team"]

# Dementia and palliative care are asked for first; the others follow in the order of their codes.
REGISTERS = {
    "DEM": "dementia",
    "PC": "palliative_care",
    "AF": "atrial_fibrillation",
    "AST": "asthma",
    "CAN": "cancer",
    "CHD": "coronary_heart_disease",
    "CKD": "chronic_kidney_disease",
    "COPD": "copd",
    "DEP": "depression",
    "DM": "diabetes",
    "EP": "epilepsy",
    "HF": "heart_failure",
    "HYP": "hypertension",
    "LD": "learning_disability",
    "MH": "serious_mental_illness",
    "NDH": "non_diabetic_hyperglycaemia",
    "OB": "obesity",
    "OST": "osteoporosis",
    "PAD": "peripheral_arterial_disease",
    "RA": "rheumatoid_arthritis",
    "STIA": "stroke_and_tia",
}


@dataclass(frozen=True, eq=False)
class PlanningCohorts:
    """Counts of people by neighbourhood, with the source and the day of each.

    Attributes
    ----------
    table:
        Index team: `team_name`, `icb`, `icb_name`, `is_team`; `registered` and `resident` people;
        `registered_65_and_over` and `resident_65_and_over`, the same from 75 and from 85, each within the
        one before; `resident_85_and_over_alone`; `dementia_register`, `palliative_care_register` and the
        other registers; `care_home_beds_residential`, `care_home_beds_nursing`; `resident_disabled`;
        `registered_core20` and `resident_core20`, who live in the most deprived national fifth of areas;
        columns of your own; and `registered_without_list`, `registered_without_registers`, patients of
        practices that a file lacks. A column that no file gives is NaN.
        Rows that are no team hold who is with none; "not in the registrations", the practices of a file that
        nobody of England's lists is with; "on other lists", residents whom the lists of a part of England do
        not share out; "not carried", people on registers who are in no area.
    sources:
        Index column: `people` (whom it counts), `source`, `on` (the day or period), `how` it comes to teams,
        and `growth`, empty where there is none. An empty column says why in `how`.
    exceptions:
        Registers larger than their list: `practice, condition, register, list_size, what, team`. Those of
        practices are kept in the counts.
    notes:
        What was assumed.
    """

    table: pd.DataFrame
    sources: pd.DataFrame
    exceptions: pd.DataFrame
    notes: tuple[Assumption, ...]

    @property
    def empty(self) -> pd.Index:
        """The columns that no file gives."""
        return self.sources.index[self.sources["source"] == NOT_GIVEN]

    def __repr__(self) -> str:
        teams = self.table[self.table["is_team"]]
        words = {
            "resident_65_and_over": "residents aged 65 and over",
            "registered_65_and_over": "registered aged 65 and over",
            "dementia_register": "on dementia registers",
            "resident_core20": "residents of the most deprived fifth",
        }
        said = [f"{teams[name].sum():,.0f} {what}" for name, what in words.items() if name not in self.empty]
        grown = self.sources["growth"][self.sources["growth"] != ""].unique()
        growth = f"grown {first_few(grown)}" if len(grown) else "no growth"
        empty = f"; empty: {', '.join(self.empty)}" if len(self.empty) else ""
        return f"<PlanningCohorts: {', '.join([f'{len(teams):,} teams', *said])}; {growth}{empty}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def planning_cohorts(
    catchment: Catchment,
    *,
    lists: pd.DataFrame | None = None,
    population: pd.DataFrame | None = None,
    conditions: pd.DataFrame | AreaRegisters | None = None,
    deprivation: pd.DataFrame | None = None,
    disability: pd.DataFrame | None = None,
    own: pd.DataFrame | None = None,
    growth: Growth | None = None,
    dates: Mapping[str, str] | None = None,
) -> PlanningCohorts:
    """The first table asked for in the room: people by age, registers, deprivation and disability, by team.

    catchment: any teams, by any method. Counts of practices are added up by team; counts of areas are shared
        as the catchment shares residents (ages by age where it is stratified).
    lists: ages of registered patients (`read_lists`), for teams of practices.
    population: residents by age (`read_population`). Census bands that end at 65 leave 75 and 85 empty.
    conditions: QOF registers (`read_conditions`); for teams made of whole areas, `registers_by_area` of them.
    deprivation: national deciles by area (`read_deprivation`): Core20 are deciles 1 and 2.
    disability: `disabled` by area (`read_disability`).
    own: what no open file gives, counts by area or by team: the columns `resident_85_and_over_alone`,
        `care_home_beds_residential`, `care_home_beds_nursing`, and any others of yours.
    growth: to the plan year. By area it multiplies counts of residents, by age those with ages; registers,
        beds and your own columns stay as counted.
    dates: of which day or period a file is, by the name of its argument: {"population": "mid-2020"}.

    Raises VintageError or UnknownCodeError for areas or teams that do not match; InvalidValueError for files
    of practices where teams are whole areas, for counts of residents on the lists of a part of England
    without `population`, and for more than 1 % of practices with a register over its list;
    MissingColumnError.

    >>> from needsalloc import Catchment, synthetic
    >>> england = synthetic.england(areas=60, pcns=3, seed=1)
    >>> catchment = Catchment.from_registrations(england.registrations, england.membership)
    >>> found = planning_cohorts(catchment, lists=england.lists, conditions=england.conditions)
    >>> found.sources.loc["care_home_beds_nursing", "how"]
    'empty: no open file at hand gives it: bring your own (own=)'
    """
    catchment.refuse_shares_alone()
    if unknown := [name for name in dates or {} if name not in _ARGUMENTS]:
        raise InvalidValueError(f"dates= are of {first_few(_ARGUMENTS, 9)}; not of {first_few(unknown)}.")
    carrier = Carrier.of(catchment, population, growth, dates or {})
    yours = _own_columns(carrier, own)
    registers, exceptions = _registers(carrier, conditions)
    columns = [
        *_people(carrier, population),
        *_registered_ages(carrier, lists),
        *_resident_ages(carrier, population),
        yours.pop(ALONE),
        *registers,
        *(yours.pop(name) for name in BEDS),
        _disabled(carrier, disability),
        *_core20(carrier, deprivation, population),
        *yours.values(),
        *_without(carrier, lists, conditions),
    ]
    names = [column.name for column in columns]
    if twice := {name for name in names if names.count(name) > 1} | {*names} & {*_NAMES, "is_team"}:
        raise InvalidValueError(
            f"own= has columns that the table has already: {first_few(sorted(twice))}. Call them otherwise."
        )
    return PlanningCohorts(_table(catchment, columns), _sources(columns), exceptions, _notes(columns, growth))


def _people(carrier: Carrier, population: pd.DataFrame | None) -> list[Column]:
    lists = carrier.catchment.populations()
    if "registered" in lists:
        whole = carrier.catchment.of_whole_areas
        how = "people of the team's areas" if whole else "patients of the team's practices"
        registered = carrier.registered("registered", None, lists["registered"], how)
    else:
        registered = carrier.empty("registered", "registered", "the catchment counts residents")
    if population is None:
        return [registered, carrier.empty("resident", "residents", "no population was given")]
    return [
        registered,
        carrier.by_area("resident", population.sum(axis=1), "population", population),
    ]


def _registered_ages(carrier: Carrier, lists: pd.DataFrame | None) -> list[Column]:
    names = {f"registered_{age}_and_over": age for age in FROM_AGES}
    if lists is None:
        return [carrier.empty(name, "registered", "no lists by age were given") for name in names]
    _refuse_whole_areas(carrier, "lists by age", "Leave lists= out: the population has residents by age.")
    by_age = lists.groupby(level="practice").sum()
    said = ""
    if carrier.growth is not None and carrier.growth.by_age:
        by_age, said = carrier.growth.of_ages(by_age), carrier.growth.said
    years = by_age.columns.to_numpy(np.int64)
    return [
        carrier.by_practice(name, by_age.loc[:, years >= age].sum(axis=1), "lists", lists, said)
        for name, age in names.items()
    ]


def _resident_ages(carrier: Carrier, population: pd.DataFrame | None) -> list[Column]:
    columns = []
    for age in FROM_AGES:
        name = f"resident_{age}_and_over"
        if population is None:
            columns.append(carrier.empty(name, "residents", "no population was given"))
            continue
        first = population.columns.to_numpy(np.int64)
        if age in first:
            columns.append(carrier.by_area(name, population.loc[:, first >= age], "population", population))
        else:
            why = f"the population's bands cannot be cut at {age} (the last begins at {first.max()})"
            columns.append(carrier.empty(name, "residents", why))
    return columns


def _registers(
    carrier: Carrier, conditions: pd.DataFrame | AreaRegisters | None
) -> tuple[list[Column], pd.DataFrame]:
    """Registers by team, and those that are larger than their list."""
    of = carrier.catchment
    if conditions is None:
        why = "no registers were given"
        empty = [carrier.empty(_named(code), "registered", why) for code in ("DEM", "PC")]
        return empty, pd.DataFrame(columns=_EXCEPTIONS)
    if isinstance(conditions, AreaRegisters):
        columns, over = _modelled_registers(carrier, conditions), conditions.exceptions
    else:
        _refuse_whole_areas(carrier, "registers", "Give registers_by_area(people, conditions).")
        over = usable_registers(conditions)[1]
        rows = conditions.groupby("condition")
        by_code = {str(code): rows.get_group(code).set_index("practice")["register"] for code in rows.groups}
        columns = [
            carrier.by_practice(_named(code), by_code[code], "conditions", conditions)
            for code in _in_order(by_code)
        ]
    at = of.practices.get_indexer(pd.Index(over["practice"]))
    team = np.where(at >= 0, of.teams.index.to_numpy(object)[of.team_of_practice[at]], "")
    return columns, over.assign(team=team)[_EXCEPTIONS]


def _modelled_registers(carrier: Carrier, carried: AreaRegisters) -> list[Column]:
    of = carrier.catchment
    if not of.of_whole_areas:
        raise InvalidValueError(
            "Registers by area are modelled, and these teams are made of practices: give the registers "
            "themselves (read_conditions), which lose nothing."
        )
    reasons = [OVER_ITS_LIST, LIVING_OUTSIDE, *([NOT_HERE] if of.is_national else [])]
    rest = carried.not_carried.loc[reasons].sum()
    by_team = of.apportion(carried.cases)
    on, columns = carrier.date("conditions", None), []
    for code in _in_order(carried.cases.columns):
        counts = by_team[code].copy()
        counts.loc[NOT_CARRIED] = rest[code]
        how = "modelled: carried to areas by age, then to teams"
        columns.append(Column(_named(code), counts, "registered", "registers_by_area", on, how))
    return columns


def _disabled(carrier: Carrier, disability: pd.DataFrame | None) -> Column:
    name = "resident_disabled"
    if disability is None:
        return carrier.empty(name, "residents", "no disability by area was given")
    if "disabled" not in disability:
        raise MissingColumnError(
            f"The disability table has no column disabled; it has {first_few(disability, 12)}. Read it with "
            "read_disability."
        )
    return carrier.by_area(name, disability["disabled"], "disability", disability)


def _core20(
    carrier: Carrier, deprivation: pd.DataFrame | None, population: pd.DataFrame | None
) -> list[Column]:
    of, names = carrier.catchment, {"registered_core20": "registered", "resident_core20": "residents"}
    if deprivation is None:
        return [carrier.empty(name, who, "no deprivation was given") for name, who in names.items()]
    if "deprivation_decile" not in deprivation:
        raise MissingColumnError(
            "The deprivation table has no deprivation_decile: Core20 are national deciles 1 and 2. Use the "
            "national file."
        )
    deciles = deprivation["deprivation_decile"]
    core = np.isin(of.aligned(deciles, "the deprivation file", cover=False), CORE20)
    how = f"living in deciles 1 and 2 of {deprivation.attrs.get('edition', file_of(deprivation))}"
    if of.unit == "patients":
        registered = carrier.registered("registered_core20", of.size_of_area * core, None, how)
    else:
        registered = carrier.empty("registered_core20", "registered", "the catchment counts residents")
    if population is None:
        return [registered, carrier.empty("resident_core20", "residents", "no population was given")]
    in_core = pd.Series(core, of.areas).reindex(population.index, fill_value=False)
    by_age = population.mul(in_core.astype(np.float64), axis=0)
    resident = carrier.by_area("resident_core20", by_age, "population", population)
    return [registered, resident._replace(how=f"{how}; {resident.how}")]


def _own_columns(carrier: Carrier, own: pd.DataFrame | None) -> dict[str, Column]:
    """The columns that nobody else gives, empty or the user's, and whatever else the user has."""
    why = "no open file at hand gives it: bring your own (own=)"
    empty = {
        name: carrier.empty(name, "residents" if name == ALONE else "beds", why) for name in (ALONE, *BEDS)
    }
    if own is None:
        return empty
    if not isinstance(own, pd.DataFrame) or own.index.nlevels > 1:
        raise InvalidValueError(
            "Give own= as a pandas DataFrame: index areas or teams, a column for each count."
        )
    refuse_rates(own, "adding them up", "the people behind them")
    of, values = carrier.catchment, numbers(own, "own=")
    wrong = own.index[np.asarray((values < 0).any(axis=1))]
    if len(wrong):
        raise InvalidValueError(f"{len(wrong):,} rows of own= are negative: {first_few(wrong)}. Mend them.")
    given: dict[str, Column] = {}
    if own.index.isin(of.areas).any():
        for name in map(str, own.columns):
            who = empty[name].people if name in empty else "yours"
            given[name] = carrier.by_area(name, own[name], "own", own, people=who, grows=name == ALONE)
    elif own.index.isin(of.teams.index).any():
        found = by_team(own, of.teams.index, "own=", of.teams["is_team"].to_numpy(np.bool_))
        for at, name in enumerate(map(str, own.columns)):
            who = empty[name].people if name in empty else "yours"
            counts = pd.Series(found[:, at], of.teams.index)
            on = carrier.date("own", own)
            given[name] = Column(name, counts, who, file_of(own), on, "by team, as given")
    else:
        raise UnknownCodeError(
            f"The rows of own= are neither areas nor teams of this catchment: {first_few(own.index)}. Use "
            f"areas such as {of.areas[0]}, or teams such as {of.teams.index[0]}."
        )
    return empty | given


def _without(
    carrier: Carrier, lists: pd.DataFrame | None, conditions: pd.DataFrame | AreaRegisters | None
) -> list[Column]:
    """Patients of practices that a file lacks."""
    of = carrier.catchment
    patients = flow.total_by_column(of.registered) + of.outside_by_practice
    files = {}
    if lists is not None:
        files["registered_without_list"] = lists.index.unique("practice")
    if isinstance(conditions, pd.DataFrame):
        files["registered_without_registers"] = pd.Index(conditions["practice"].unique())
    columns = []
    for name, practices in files.items():
        lacks = ~of.practices.isin(practices) & (patients > 0)
        counts = np.bincount(of.team_of_practice, patients * lacks, len(of.teams))
        how = f"patients of {int(lacks.sum()):,} practices that the file lacks"
        columns.append(carrier.registered(name, None, pd.Series(counts, of.teams.index), how))
    return columns


def _refuse_whole_areas(carrier: Carrier, what: str, instead: str) -> None:
    if carrier.catchment.of_whole_areas:
        raise InvalidValueError(
            f"These teams are made of whole areas, and {what} belong to practices. {instead}"
        )


def _in_order(codes: Mapping[str, object] | pd.Index) -> list[str]:
    found = sorted(map(str, codes))
    return [*(code for code in ("DEM", "PC") if code in found), *(c for c in found if c not in ("DEM", "PC"))]


def _named(code: str) -> str:
    return f"{REGISTERS.get(code, code.lower())}_register"


def _table(catchment: Catchment, columns: list[Column]) -> pd.DataFrame:
    teams = catchment.teams
    counts = pd.DataFrame({column.name: column.counts for column in columns})
    others = [row for row in counts.index if row not in teams.index]
    counts = counts.reindex([*teams.index, *others])
    # A row of who is with no team has nobody but those for whom it was made.
    given = [column.name for column in columns if column.source != NOT_GIVEN]
    counts[given] = counts[given].fillna(0.0)
    names = teams[[*_NAMES, "is_team"]].reindex(counts.index)
    names[_NAMES] = names[_NAMES].fillna("")
    names["is_team"] = counts.index.isin(teams.index[teams["is_team"]])
    for row in others:
        names.loc[row, "team_name"] = row.capitalize()
    return names.join(counts).rename_axis("team")


def _sources(columns: list[Column]) -> pd.DataFrame:
    said = ["people", "source", "on", "how", "growth"]
    rows = {column.name: [getattr(column, name) for name in said] for column in columns}
    return pd.DataFrame.from_dict(rows, orient="index", columns=said).rename_axis("column")


def _notes(columns: list[Column], growth: Growth | None) -> tuple[Assumption, ...]:
    beside = "Counts stand beside the index and are no weights in it"
    notes = [Assumption(beside, "One person may be in several of them", "choice", "")]
    if growth is None:
        notes.append(
            Assumption("No growth to the plan year", "Counts are of the days of their files", "choice", "")
        )
    else:
        still = [column.name for column in columns if column.source != NOT_GIVEN and not column.growth]
        why = f"As counted stay {first_few(still, 40)}"
        notes.append(Assumption(f"Counts are grown {growth.said}", why, "choice", growth.source))
    empty = [column.name for column in columns if column.source == NOT_GIVEN]
    if empty:
        notes.append(Assumption(f"Empty columns: {first_few(empty, 40)}", "No file gives them", "gap", ""))
    return tuple(notes)


__all__ = ["PlanningCohorts", "planning_cohorts"]
