"""The files of a plan: read by their readers from one folder, and where each came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from needsalloc import gradients, predictors, published, reference, sources
from needsalloc.ages import ADULT, AGES
from needsalloc.errors import FormulaError, InputFileError, PlanError, first_few
from needsalloc.formulas.tables import open_toml
from needsalloc.formulas.weights import Weights
from needsalloc.growth import Growth
from needsalloc.matching import day_of
from needsalloc.need import NeedFormula
from needsalloc.plan import InputFile, Plan
from needsalloc.report import Source
from needsalloc.sources._opening import checksum, read_bytes
from needsalloc.sources.by_team import (
    read_by_team,
    read_contacts,
    read_inequality_weights,
    read_previous,
)
from needsalloc.sources.growth import read_growth
from needsalloc.sources.own import read_counts, read_shares

Progress = Callable[[str], None]

OGL = "Open Government Licence v3.0"
THEIRS = "the planner's own"


@dataclass(frozen=True, slots=True)
class _Role:
    """What a file of a plan is: its reader, and who publishes it under what title."""

    reader: Callable[..., pd.DataFrame]
    publisher: str
    title: str


_LISTS = "Patients registered at a GP practice"
_ROLES: Mapping[str, _Role] = {
    "registrations": _Role(sources.read_registrations, "NHS England", f"{_LISTS}: by practice and LSOA"),
    "membership": _Role(sources.read_membership, "NHS England", f"{_LISTS}: practice to PCN and ICB"),
    "population": _Role(sources.read_population, "Office for National Statistics", "People by LSOA and age"),
    "deprivation": _Role(sources.read_deprivation, "MHCLG", "English Indices of Deprivation"),
    "lists": _Role(sources.read_lists, "NHS England", f"{_LISTS}: by single year of age and sex"),
    "conditions": _Role(sources.read_conditions, "NHS England", "Quality and Outcomes Framework: registers"),
    "current": _Role(sources.read_current, "the planner", "Posts in place now"),
    "by_team": _Role(read_by_team, "the planner", "Figures by team"),
    "inequalities": _Role(read_inequality_weights, "the planner", "Weights for the inequalities share"),
    "contacts": _Role(read_contacts, "the planner", "Contacts by team"),
    "previous": _Role(read_previous, "the planner", "An earlier plan"),
    "boundaries": _Role(sources.read_boundaries, "Office for National Statistics", "LSOA boundaries"),
    "shares": _Role(read_shares, "the planner", "Shares of adults with a condition"),
    "counts": _Role(read_counts, "the planner", "Counts for the planning cohorts"),
    "growth": _Role(read_growth, "the planner", "Growth to the plan year"),
    "disability": _Role(
        sources.read_disability, "Office for National Statistics", "Census 2021: disability by LSOA"
    ),
    "deprivation_before": _Role(
        sources.read_deprivation, "MHCLG", "English Indices of Deprivation: the edition before"
    ),
    "rurality": _Role(
        sources.read_rurality, "Office for National Statistics", "Rural Urban Classification by LSOA"
    ),
    "lookup": _Role(
        sources.read_area_lookup, "Office for National Statistics", "LSOA 2011 to LSOA 2021, exact fit"
    ),
    "population_before": _Role(
        sources.read_population, "Office for National Statistics", "People by LSOA of the edition before"
    ),
}
_OWN = ("current", "by_team", "inequalities", "contacts", "previous", "shares", "counts", "growth")
_IN_PARTS = "lists"  # women's and men's lists are published in two files
_TABLES_USED = (
    "open-data-concordance",
    "age-gradients",
)


@dataclass(frozen=True, eq=False)
class Inputs:
    """The files of a plan as the readers return them, by role, and the need formula that it names.

    own_formula: `file`, `sha256` and `rows` of a formula that is the planner's own, None for a published one.
    checksums: path in the plan -> sha256, of every file that it names.
    option_formulas: of each option that has need of its own, by its name, its formula and own formula.
    """

    plan: Plan
    frames: Mapping[str, pd.DataFrame]
    formula: NeedFormula
    own_formula: Mapping[str, Any] | None
    checksums: Mapping[str, str]
    option_formulas: Mapping[str, tuple[NeedFormula, Mapping[str, Any] | None]]

    @property
    def growth(self) -> Growth | None:
        """Growth to the plan year, where the plan names a file of it."""
        about = self.plan.inputs.growth
        if about is None:
            return None
        return Growth(self.frames["growth"]["factor"], to=about.to, source=about.source)

    @property
    def pinned_plan(self) -> Plan:
        """The plan with the checksums of its files: it runs again on those files alone.

        Of an output folder anywhere on this machine it keeps the name.
        """
        out = Path(self.plan.report.out)
        report = self.plan.report.model_copy(
            update={"out": out.name if out.is_absolute() else out.as_posix()}
        )
        return self.plan.model_copy(update={"checksums": dict(self.checksums), "report": report})

    @property
    def days(self) -> dict[str, date | None]:
        """The day of each file, as it says itself, else as the plan says; None where that is no day."""
        return days_of(self.plan, self.frames)

    def dated(self, role: str) -> str:
        """The day or edition of a file, as it says itself, else as the plan says."""
        attrs = self.frames[role].attrs
        said = attrs.get("on") or attrs.get("edition") or self.plan.inputs.files()[role].on
        return str(said or "not stated in the file or the plan")


def days_of(plan: Plan, frames: Mapping[str, pd.DataFrame]) -> dict[str, date | None]:
    """The day of each frame by role, None where neither the file nor the plan says one."""
    files = plan.inputs.files()
    return {role: frame.attrs.get("on") or day_of(files[role].on) for role, frame in frames.items()}


def read_inputs(
    plan: Plan,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    frames: Mapping[str, pd.DataFrame] | None = None,
) -> Inputs:
    """Read every file of the plan from `folder`; `frames` are those that were read already, by role.

    Raises InputFileError if there is no such folder or a file is not the one that [checksums] name, PlanError
    for a path that leads out of it or a column that no reader knows, FormulaError for a formula that is none,
    and whatever the readers refuse.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputFileError(
            f"The data folder {folder} does not exist. Name the folder of the files with --data."
        )
    checksums = checksums_of(plan, folder)
    formula, own = formula_of(plan, folder)
    found = dict(frames or {})
    for role, file in plan.inputs.files().items():
        if role in found:
            continue
        if progress:
            progress(f"reading {role}")
        found[role] = read_role(folder, role, file)
    options = {
        option.name: formula_of(plan.with_option(option), folder) for option in plan.options if option.need
    }
    return Inputs(plan, found, formula, own, checksums, options)


def read_role(folder: Path, role: str, file: InputFile) -> pd.DataFrame:
    """One input of a plan, as its reader returns it.

    Raises PlanError for a path that leads out of the folder or a column that no reader knows, and whatever
    the reader refuses.
    """
    paths = _inside(folder, f"[inputs] {role}", _paths(role, file))
    try:
        return _ROLES[role].reader(*paths, **file.named_columns)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        word = str(error).rsplit(" ", 1)[-1]
        raise PlanError(
            f"[inputs.{role}] names {word}, which the reader of that file does not know. "
            "docs/plan.md lists the words it knows."
        ) from error


def checksums_of(plan: Plan, folder: Path) -> dict[str, str]:
    """Path in the plan -> sha256, of every file that it names.

    Raises InputFileError if one is not the file that the plan's own [checksums] name, PlanError if they name
    a file that the plan does not.
    """
    named = {
        path: f"[inputs] {role}" for role, file in plan.inputs.files().items() for path in _paths(role, file)
    }
    formulas = [plan.need.formula, *(plan.with_option(option).need.formula for option in plan.options)]
    named |= {name: "[need] formula" for name in formulas if name not in published.NAMES}
    unknown = plan.checksums.keys() - named.keys()
    if unknown:
        raise PlanError(
            f"[checksums] name {len(unknown)} files that the plan does not: {first_few(sorted(unknown))}. "
            "Take them out."
        )
    found = {
        path: checksum(read_bytes(*_inside(folder, place, [path])))
        for path, place in named.items()
        if path in plan.checksums or (folder / path).is_file()
    }
    other = [path for path, wanted in plan.checksums.items() if found[path] != wanted]
    if other:
        raise InputFileError(
            f"{len(other)} of {len(named)} files are not those that this plan was run on (their sha256 is "
            f"another): {first_few(other)}. Put the files of that run in their place, or take [checksums] "
            "out of the plan to run it on these."
        )
    return found


def with_held(formula: NeedFormula, plan: Plan) -> NeedFormula:
    """The formula with what the plan holds for everybody."""
    if not plan.need.hold:
        return formula
    return formula.hold(plan.need.hold, "The plan says so: no file of it gives them by person, area or list")


def formula_of(plan: Plan, folder: Path) -> tuple[NeedFormula, Mapping[str, Any] | None]:
    """The formula that the plan names, with what it holds, and the planner's own file if it is one.

    Raises FormulaError for a name that is neither published nor a TOML file, and for a formula that is not
    for all adults.
    """
    name = plan.need.formula
    if name in published.NAMES:
        return with_held(NeedFormula.published(name), plan), None
    if Path(name).suffix.lower() != ".toml":
        raise FormulaError(
            f"No published formula is called {name!r}; a formula of your own is a file whose name ends in "
            f".toml. There are: {', '.join(published.NAMES)}."
        )
    (path,) = _inside(folder, "[need] formula", [name])
    found = open_toml(path)
    if "weights" in found:
        weights = Weights.from_toml(path)
        formula, rows = NeedFormula.from_weights(weights), sum(map(len, weights.weight.values()))
    elif "count" in found:
        formula = NeedFormula.from_toml(path)
        rows = len(formula.count) + len(formula.zero)
    else:
        raise FormulaError(
            f"{path.name} has neither a table [count], of coefficients, nor a table [weights], by age. "
            "docs/plan.md shows both."
        )
    first, last = formula.ages
    if first > ADULT or last < AGES[-1]:
        raise FormulaError(
            f"{formula.name} is for ages {first:g} to {last:g}; a plan shares posts by the need of everybody "
            f"from {ADULT} on. Give a formula for all of them, with ages = [{ADULT}, inf]."
        )
    return with_held(formula, plan), {
        "file": path.name, "sha256": checksum(read_bytes(path)), "rows": rows,
    }  # fmt: skip


def _paths(role: str, file: InputFile) -> list[str]:
    """The paths of an input: one, but for lists, which may be in parts."""
    if not file.paths:
        raise PlanError(f"[inputs] {role} names no file. Give its path, or take the line out.")
    if len(file.paths) > 1 and role != _IN_PARTS:
        raise PlanError(f"[inputs] {role} names {len(file.paths)} files; only {_IN_PARTS} may have several.")
    return file.paths


def _inside(folder: Path, place: str, names: Iterable[str]) -> list[Path]:
    """The files that a place of the plan names, none of them outside the folder."""
    found = []
    for name in names:
        if "\0" in name:
            raise PlanError(f"{place} = {name!r} is no path of a file. Write its name.")
        if Path(name).is_absolute():
            raise PlanError(
                f"{place} = {name!r} is a path of this machine alone. Write it from the data folder on, and "
                "name that folder with --data."
            )
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise PlanError(
                f"{place} = {name!r} leads out of the data folder. Put the file inside that folder, "
                "or name another folder with --data."
            )
        found.append(path)
    return found


def cited(inputs: Inputs, *, made_up: bool) -> tuple[Source, ...]:
    """Every file and published table that the figures of a run rest on."""
    found = []
    for role, frame in inputs.frames.items():
        about, source = _ROLES[role], frame.attrs["source"]
        own = role in _OWN
        licence = "made up" if made_up else THEIRS if own else OGL
        publisher = "needsalloc (made up)" if made_up else about.publisher
        found.append(
            Source(
                role,
                source["file"],
                publisher,
                about.title,
                inputs.dated(role),
                licence,
                source["sha256"],
                source["rows"],
            )
        )
    formulas = [(inputs.formula, inputs.own_formula), *inputs.option_formulas.values()]
    own_files = {file["file"]: (formula, file) for formula, file in formulas if file is not None}
    for formula, file in own_files.values():
        found.append(
            Source(
                "formula",
                file["file"],
                "the planner",
                formula.title,
                formula.calibration,
                THEIRS,
                file["sha256"],
                file["rows"],
            )
        )
    day = inputs.frames["registrations"].attrs.get("on")
    for name in (*inputs.formula.tables, *_tables_used(inputs.formula)):
        table = reference.read(name, on=day)
        rows = len(table.frame)
        found.append(
            Source(
                "reference table",
                f"{name}.csv",
                table.source,
                table.title,
                table.on,
                table.licence,
                table.sha256,
                rows,
            )
        )
    return tuple(found)


def _tables_used(formula: NeedFormula) -> tuple[str, ...]:
    """The tables that conditions and use of services by age come from, for a formula that has any."""
    by_age = {*gradients.conditions(), *gradients.counts()}
    return _TABLES_USED if by_age & {*predictors.columns([*formula.count, *formula.zero])} else ()


__all__ = [
    "OGL",
    "Inputs",
    "Progress",
    "checksums_of",
    "cited",
    "days_of",
    "formula_of",
    "read_inputs",
    "read_role",
    "with_held",
]
