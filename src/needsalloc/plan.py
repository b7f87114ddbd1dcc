"""A plan file: what is asked, of which files, by which rules. `run` runs it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError, model_validator

from needsalloc.errors import InputFileError, PlanError, first_few
from needsalloc.plan_sections import (
    AllocateSection,
    CatchmentSection,
    CostSection,
    DisclosureSection,
    InputFile,
    InputsSection,
    NeedSection,
    OptionSection,
    PaceSection,
    PlanSection,
    ReportSection,
    Section,
    SkillsSection,
    repeated,
)
from needsalloc.report.provenance import read_provenance
from needsalloc.toml_text import parse_toml, toml_of

_INPUT_FORMS = ("InputFile", "str", "list[str]")
_GROWTH_FORM = "a table with a path, the plan year (to) and whose projection it is (source)"


class Plan(Section):
    """One run: sections as in the file, defaults filled in."""

    plan: PlanSection
    inputs: InputsSection
    catchment: CatchmentSection = CatchmentSection()
    need: NeedSection = NeedSection()
    allocate: AllocateSection = AllocateSection()
    pace: PaceSection | None = None
    skills: SkillsSection | None = None
    cost: CostSection | None = None
    options: list[OptionSection] = Field(default_factory=list)
    report: ReportSection
    disclosure: DisclosureSection = DisclosureSection()
    checksums: dict[str, str] = Field(default_factory=dict)

    @property
    def status(self) -> str:
        """How far the plan has come: for discussion until it says who agreed it, and when."""
        agreed = self.plan.agreed
        if agreed is None:
            return "for discussion"
        return f"agreed by {agreed.by}, {agreed.on.day} {agreed.on:%B %Y}"

    @model_validator(mode="after")
    def _teams_of_areas_serve_residents(self) -> Plan:
        if self.catchment.method != "proportional" and self.need.people != "resident":
            raise ValueError(
                f'[catchment] method = "{self.catchment.method}" gives teams whole areas, so they answer for '
                'those who live there: write people = "resident" under [need]'
            )
        return self

    @model_validator(mode="after")
    def _what_is_asked_has_its_file(self) -> Plan:
        time = self.allocate.time
        by_team = {
            "[allocate.time] minutes": time and time.minutes,
            "[allocate.time] travel": time and time.travel,
            "[allocate.price]": self.allocate.price and "price",
            "[pace] turnover": self.pace and self.pace.turnover,
        }
        lacking = [
            (f"{place} is a column", "by_team")
            for place, value in by_team.items()
            if isinstance(value, str) and self.inputs.by_team is None
        ]
        if self.allocate.inequalities and self.inputs.inequalities is None:
            lacking.append(("[allocate] inequalities goes by weights", "inequalities"))
        if self.inputs.current is None:
            said = {"[pace] starts": self.pace, "[cost] compares": self.cost}
            lacking += [
                (f"{what} from posts in place now", "current") for what, asked in said.items() if asked
            ]
        if lacking:
            raise ValueError("; ".join(f"{what}: name the file of [inputs] {role}" for what, role in lacking))
        if self.cost is not None and self.skills is None:
            raise ValueError("[cost] is by band: say under [skills] which part of the posts each band has")
        twice = repeated([option.name for option in self.options])
        if twice:
            raise ValueError(f"[[options]] have the same name: {first_few(twice)}; name each once")
        return self

    def with_option(self, option: OptionSection) -> Plan:
        """This plan with what an option has otherwise; PlanError naming every wrong key or value of it."""
        own = self.model_dump(
            exclude_none=True, include={"plan", "inputs", "catchment", "need", "allocate", "report"}
        )
        given = own | {section: own[section] | keys for section, keys in option.differs().items()}
        try:
            return Plan.model_validate(given)
        except ValidationError as error:
            faults = dict.fromkeys(_fault(each, given) for each in error.errors())
            raise PlanError("; ".join(f"[[options]] {option.name!r}: {fault}" for fault in faults)) from error

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
        text = read_provenance(path).plan
        return check_plan(_toml(lambda: parse_toml(text), path.name), path.name)
    return check_plan(_toml(lambda: toml_of(path), path.name), path.name)


def _toml(read: Callable[[], dict[str, Any]], name: str) -> dict[str, Any]:
    """What a plan says, whichever its form."""
    try:
        return read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputFileError(
            f"The plan {name} cannot be read: {reason}. Give the path of a plan file (.toml)."
        ) from error
    except ValueError as error:
        raise PlanError(f"The plan {name} is not valid TOML: {error}. Mend that line.") from error


def check_plan(given: dict[str, Any], name: str = "the plan") -> Plan:
    """A plan from its sections as a mapping; PlanError naming every wrong key or value."""
    try:
        plan = Plan.model_validate(given)
    except ValidationError as error:
        faults = list(dict.fromkeys(_fault(e, given) for e in error.errors()))
        raise PlanError(_said_of(name, faults)) from error
    faults = []
    for option in plan.options:
        try:
            plan.with_option(option)
        except PlanError as error:
            faults.append(str(error))
    if faults:
        raise PlanError(_said_of(name, faults))
    return plan


def _said_of(name: str, faults: list[str]) -> str:
    return f"{name} has {len(faults)} fault{'s' * (len(faults) > 1)}: {first_few(faults)}."


def _fault(error: Any, given: dict[str, Any]) -> str:
    """One fault of a plan in words, with the nearest known key where one is misspelt."""
    where = [part for part in error["loc"] if part not in _INPUT_FORMS]
    if error["type"] == "value_error" and len(where) < 2:
        return _said(error)
    if not where:
        return str(error["msg"])
    key, section = str(where[-1]), str(where[0])
    place = _place(where[:-1])
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
    if isinstance(where[-1], int):
        place, key = _place(where), "it"
    if error["type"] == "value_error":
        said = _said(error)
        return said if said.startswith("[") else f"{place} {key} = {error['input']!r}: {said}"
    reason = str(error["msg"])
    return f"{place} {key} = {error['input']!r}: {reason[0].lower()}{reason[1:]}"


def _place(where: list[Any]) -> str:
    """Where in the file, as its headings are written: [need], or the third of [[allocate.limits]]."""
    words = ".".join(str(part) for part in where if not isinstance(part, int))
    if not words:
        return "the plan"
    at = next((at for at, part in enumerate(where) if isinstance(part, int)), None)
    if at is None:
        return f"[{words}]"
    one = f"[[{'.'.join(where[:at])}]] number {where[at] + 1}"
    return one if at == len(where) - 1 else f"[{words}] of {one}"


def _said(error: Any) -> str:
    """The words of a validator of ours."""
    return str(error["msg"]).removeprefix("Value error, ")


def _known_keys(section: list[Any]) -> list[str]:
    model: Any = Plan
    for name in section:
        if not isinstance(name, int):
            model = model.model_fields[name].annotation
            model = next((part for part in get_args(model) if hasattr(part, "model_fields")), model)
    return list(model.model_fields)


__all__ = ["InputFile", "OptionSection", "Plan", "check_plan", "read_plan"]
