"""The sections of a plan file: what may be written under each heading, and what is taken where nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from needsalloc.limits import Basis, Kind
from needsalloc.pace import Moves
from needsalloc.sharing import Rule


class Section(BaseModel):
    """A section that knows its keys: a misspelt one is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number_or_column(value: Any) -> Any:
    if not _is_number(value) and not (isinstance(value, str) and value.strip()):
        raise ValueError("give a number, or the name of a column of [inputs] by_team")
    return value


def _posts(value: Any) -> Any:
    by_team = isinstance(value, dict) and value and all(map(_is_number, value.values()))
    if not _is_number(value) and not by_team:
        raise ValueError("give a number, which no team has, or posts by team, as in { U12345 = 2 }")
    return value


def _pace(value: Any) -> Any:
    pairs = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) for pair in value
    )
    if not _is_number(value) and not (pairs and value and len({pair[0] for pair in value}) == len(value)):
        raise ValueError(
            "give a change, as -0.02, or pairs of distance and change, each distance once, as "
            "[[0.05, 0.01], [0.1, 0]]"
        )
    return value


def _growth(value: Any) -> Any:
    if not _is_number(value) and not (isinstance(value, list) and value and all(map(_is_number, value))):
        raise ValueError("give one number for all years, or a list of one for each")
    return value


Words = Annotated[str, Field(min_length=1)]
NotNegative = Annotated[float, Field(ge=0)]
NumberOrColumn = Annotated[float | str, BeforeValidator(_number_or_column)]
PostsOrByTeam = Annotated[float | dict[str, float], BeforeValidator(_posts)]
ByDistance = Annotated[float | list[list[float]], BeforeValidator(_pace)]
Growth = Annotated[float | list[float], BeforeValidator(_growth)]


class Agreed(Section):
    """By whom a plan was agreed, and on which day."""

    by: Words
    on: date


class PlanSection(Section):
    """What is shared, and whether it is agreed."""

    title: str
    service: Literal["district-nursing"] = "district-nursing"
    total: Annotated[float, Field(gt=0)]
    unit: str = "FTE"
    step: Annotated[float, Field(gt=0)] = 1.0
    agreed: Agreed | None = None


class InputFile(Section):
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


class GrowthFile(InputFile):
    """Factors of growth to the plan year, by age or by area, and whose projection they are."""

    to: str
    source: str


class InputsSection(Section):
    """Paths relative to --data, else to the plan's folder; never outside it."""

    registrations: Input
    membership: Input
    population: Input
    deprivation: Input
    lists: Input
    conditions: Input | None = None
    current: Input | None = None
    by_team: Input | None = None
    inequalities: Input | None = None
    contacts: Input | None = None
    previous: Input | None = None
    boundaries: Input | None = None
    shares: Input | None = None
    counts: Input | None = None
    growth: GrowthFile | None = None
    disability: Input | None = None
    rurality: Input | None = None
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


Method = Literal["proportional", "first_past_the_post"]


class CatchmentSection(Section):
    """Which teams, by which method, and for which ICB if not for all."""

    teams: Literal["pcn"] = "pcn"
    method: Method = "proportional"
    icb: str | None = None


class NeedSection(Section):
    """Which formula, what it holds for everybody, where its index is 1, and whose need a team answers for."""

    formula: str = "district-nursing/liverpool-2024"
    hold: dict[str, float] = {}
    base: Literal["england", "icb"] = "england"
    people: Literal["registered", "resident"] = "registered"


class LimitSection(Section):
    """A minimum, a cap or a protected number of posts of some teams, or of all."""

    name: Words
    kind: Kind
    value: NotNegative
    basis: Basis = "posts"
    teams: list[str] | None = None
    reason: Words
    owner: Words


class ReserveSection(Section):
    """Posts set aside first: a number that no team has, or posts that teams have on top."""

    name: Words
    posts: PostsOrByTeam
    reason: Words
    owner: Words


class AdjustmentSection(Section):
    """Posts more or fewer for one team than the rule gives it."""

    team: Words
    posts: float
    reason: Words
    owner: Words


class TimeSection(Section):
    """Minutes with a patient and on the way there: for all teams, or a column of [inputs] by_team."""

    minutes: NumberOrColumn
    travel: NumberOrColumn = 0.0
    source: Words


class PriceSection(Section):
    """Where the column `price` of [inputs] by_team is from."""

    source: Words


class AllocateSection(Section):
    """By which rule posts are shared and rounded, inside which limits, after which local choices."""

    rule: Rule = "webster"
    minimum: NotNegative = 0.0
    posts_without_pcn: bool = False
    inequalities: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    limits: list[LimitSection] = []
    reserves: list[ReserveSection] = []
    adjustments: list[AdjustmentSection] = []
    time: TimeSection | None = None
    price: PriceSection | None = None


class PaceSection(Section):
    """How fast posts may move from where they are to where the plan has them."""

    years: Annotated[int, Field(ge=1, le=100)]
    floor: ByDistance | None = None
    ceiling: ByDistance | None = None
    growth: Growth = 0.0
    moves: Moves = "posts"
    turnover: NumberOrColumn | None = None
    dead_band: Annotated[float, Field(ge=0, lt=1)] = 0.0
    source: Words


class SkillsSection(Section):
    """The part of each team's posts in every band, and posts of each band if they are fixed."""

    shares: dict[str, NotNegative]
    totals: dict[str, NotNegative] | None = None


class CostSection(Section):
    """What a full-time post of each band costs a year, and by whom."""

    pay: dict[str, Annotated[float, Field(gt=0)]]
    source: Words


class OptionTotal(Section):
    """Another total."""

    total: Annotated[float, Field(gt=0)]


class OptionMethod(Section):
    """Another catchment."""

    method: Method


STATUS_QUO, THIS_PLAN, PER_ADULT = "Status quo", "This plan", "Equal per adult"


class OptionSection(Section):
    """Another way to plan, to stand beside this one: what differs, under headings of the plan's own names."""

    name: Words
    why: Words
    plan: OptionTotal | None = None
    catchment: OptionMethod | None = None
    need: dict[str, Any] = {}
    allocate: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_another(self) -> OptionSection:
        if self.name in (STATUS_QUO, THIS_PLAN, PER_ADULT):
            raise ValueError(f"[[options]] {self.name!r} is always there: give yours another name")
        if not (self.plan or self.catchment or self.need or self.allocate):
            raise ValueError(
                f"[[options]] {self.name!r} differs in nothing: write what does, under [options.need], "
                "[options.allocate], [options.plan] or [options.catchment]"
            )
        return self

    def differs(self) -> dict[str, dict[str, Any]]:
        """Section -> keys that are other than this plan's."""
        found = self.model_dump(exclude={"name", "why"}, exclude_none=True)
        return {section: keys for section, keys in found.items() if keys}


class ReportSection(Section):
    """Where the finished folder goes, relative to where the command is run, and who may read it."""

    out: str
    audience: Literal["internal", "public"] = "internal"


class DisclosureSection(Section):
    """The smallest figure of posts now that a public report shows, to what it is rounded, and why not."""

    threshold: Annotated[int, Field(ge=0)] = 8
    round_to: Annotated[int, Field(ge=1)] = 5
    reason: str = ""


def repeated(names: Sequence[str]) -> list[str]:
    """Names that stand twice."""
    return sorted({name for name in names if names.count(name) > 1})
