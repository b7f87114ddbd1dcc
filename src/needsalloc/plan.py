"""A plan file: what is asked, of which files, by which rules. `run` runs it."""

from __future__ import annotations

import difflib
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from needsalloc.errors import InputFileError, PlanError, first_few
from needsalloc.report.provenance import read_provenance


class _Section(BaseModel):
    """A section that knows its keys: a misspelt one is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PlanSection(_Section):
    """What is shared, and how far the plan has come."""

    title: str
    service: Literal["district-nursing"] = "district-nursing"
    total: Annotated[float, Field(gt=0)]
    unit: str = "FTE"
    step: Annotated[float, Field(gt=0)] = 1.0
    status: str = "for discussion"


class InputFile(_Section):
    """A file; `on` says what day it describes where it does not say so itself.

    One in a layout of its own names its columns, as the reader's own keywords.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    path: str | list[str]
    on: str | date | None = None

    @property
    def paths(self) -> list[str]:
        """One path, or the several files that make up one input."""
        return [self.path] if isinstance(self.path, str) else self.path

    @property
    def named_columns(self) -> dict[str, str]:
        """Keyword of the reader -> column of the file."""
        return {name: str(column) for name, column in (self.model_extra or {}).items()}


Input = InputFile | str | list[str]
_INPUT_FORMS = ("InputFile", "str", "list[str]")
_GROWTH_FORM = "a table with a path, the plan year (to) and whose projection it is (source)"


class GrowthFile(InputFile):
    """Factors of growth to the plan year, by age or by area, and whose projection they are."""

    to: str
    source: str


class InputsSection(_Section):
    """Paths relative to --data, else to the plan's folder; never outside it."""

    registrations: Input
    membership: Input
    population: Input
    deprivation: Input
    lists: Input
    conditions: Input | None = None
    current: Input | None = None
    boundaries: Input | None = None
    shares: Input | None = None
    counts: Input | None = None
    growth: GrowthFile | None = None
    disability: Input | None = None
    deprivation_before: Input | None = None
    lookup: Input | None = None
    population_before: Input | None = None

    @model_validator(mode="after")
    def _carriers_carry_something(self) -> InputsSection:
        if self.deprivation_before is None and (self.lookup or self.population_before):
            raise ValueError(
                "[inputs] lookup and population_before only carry deprivation_before to these areas: name it "
                "too, or take them out"
            )
        return self

    def files(self) -> dict[str, InputFile]:
        """The inputs that were given, by role."""
        given = {role: getattr(self, role) for role in type(self).model_fields}
        return {
            role: value if isinstance(value, InputFile) else InputFile(path=value)
            for role, value in given.items()
            if value is not None
        }


class CatchmentSection(_Section):
    """Which teams, by which method, and for which ICB if not for all."""

    teams: Literal["pcn"] = "pcn"
    method: Literal["proportional", "first_past_the_post"] = "proportional"
    icb: str | None = None


class NeedSection(_Section):
    """Which formula, what it holds for everybody, where its index is 1, and whose need a team answers for."""

    formula: str = "district-nursing/liverpool-2024"
    hold: dict[str, float] = {}
    base: Literal["england", "icb"] = "england"
    people: Literal["registered", "resident"] = "registered"


class AllocateSection(_Section):
    """How posts are rounded, and the least a team gets."""

    rule: Literal["webster"] = "webster"
    minimum: Annotated[float, Field(ge=0)] = 0.0
    posts_without_pcn: bool = False


class ReportSection(_Section):
    """Where the finished folder goes, relative to where the command is run."""

    out: str


class Plan(_Section):
    """One run: sections as in the file, defaults filled in."""

    plan: PlanSection
    inputs: InputsSection
    catchment: CatchmentSection = CatchmentSection()
    need: NeedSection = NeedSection()
    allocate: AllocateSection = AllocateSection()
    report: ReportSection
    checksums: dict[str, str] = {}

    @model_validator(mode="after")
    def _teams_of_areas_serve_residents(self) -> Plan:
        if self.catchment.method != "proportional" and self.need.people != "resident":
            raise ValueError(
                f'[catchment] method = "{self.catchment.method}" gives teams whole areas, so they answer for '
                'those who live there: write people = "resident" under [need]'
            )
        return self

    def to_toml(self) -> str:
        """The effective plan, every default written out, as it can be run again."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(exclude_none=True))


def read_plan(path: str | Path) -> Plan:
    """Read and check a plan file (.toml), or the plan in the provenance.json of a report.

    Raises InputFileError if it cannot be read, PlanError naming every wrong key or value.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return check_plan(tomllib.loads(read_provenance(path).plan), path.name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputFileError(
            f"The plan {path.name} cannot be read: {reason}. Give the path of a plan file (.toml)."
        ) from error
    try:
        given = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanError(f"The plan {path.name} is not valid TOML: {error}. Mend that line.") from error
    return check_plan(given, path.name)


def check_plan(given: dict[str, Any], name: str = "the plan") -> Plan:
    """A plan from its sections as a mapping; PlanError naming every wrong key or value."""
    try:
        return Plan.model_validate(given)
    except ValidationError as error:
        faults = list(dict.fromkeys(_fault(e, given) for e in error.errors()))
        raise PlanError(
            f"{name} has {len(faults)} fault{'s' * (len(faults) > 1)}: {first_few(faults)}."
        ) from error


def _fault(error: Any, given: dict[str, Any]) -> str:
    """One fault of a plan in words, with the nearest known key where one is misspelt."""
    where = [str(part) for part in error["loc"] if part not in _INPUT_FORMS]
    if not where or error["type"] == "value_error":
        return _said(error)
    key, section = where[-1], where[0]
    place = f"[{'.'.join(where[:-1])}]" if len(where) > 1 else "the plan"
    if error["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(known)}"
        return f"{place} has an unknown key {key!r}; {hint}"
    if error["type"] == "missing":
        return f"{place} lacks {key!r}" if len(where) > 1 else f"the section [{key}] is missing"
    if section == "inputs" and len(where) == 2:
        form = _GROWTH_FORM if key == "growth" else "a path, or a table with a path and its columns"
        return f"{place} {key} = {given[section][key]!r}: give {form}"
    reason = str(error["msg"])
    return f"{place} {key} = {error['input']!r}: {reason[0].lower()}{reason[1:]}"


def _said(error: Any) -> str:
    """The words of a validator of ours."""
    return str(error["msg"]).removeprefix("Value error, ")


def _known_keys(section: list[str]) -> list[str]:
    model: Any = Plan
    for name in section:
        model = model.model_fields[name].annotation
        model = next((part for part in get_args(model) if hasattr(part, "model_fields")), model)
    return list(model.model_fields)


__all__ = ["Plan", "check_plan", "read_plan"]
