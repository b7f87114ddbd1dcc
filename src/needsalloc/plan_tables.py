"""The tables of what a plan decides beside need: its choices and what each of them moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from needsalloc.allocate import Allocation
from needsalloc.choices import Reserve
from needsalloc.errors import AllocationError, first_few
from needsalloc.inputs import Inputs
from needsalloc.limits import Limit
from needsalloc.plan_allocation import Asked
from needsalloc.run_tables import Beside

_CHOICES = ("kind", "name", "teams", "value", "reason", "owner", "effect")
_EVERY = "every team"


def choices_beside(inputs: Inputs, asked: Asked, plan: Allocation) -> Beside:
    """What was decided beside need, a row for each choice, and how many posts it moves; no table without any.

    effect: posts that teams would have without the choice, all else as it is, and have not with it; NaN where
    the others cannot be met without it.
    """
    rows = [
        dict(zip(_CHOICES, words, strict=False)) | {"effect": _moved(plan, without)}
        for words, without in _choices(inputs, asked, plan)
    ]
    if not rows:
        return Beside({}, {}, ())
    table = pd.DataFrame(rows, columns=list(_CHOICES))
    said = (
        f"Choices beside need: {len(table):,}. The effect of each is how many {plan.unit} are elsewhere than "
        "they would be without it, the others kept."
    )
    if table["effect"].max() > 0:
        most = table.nlargest(1, "effect").iloc[0]
        said += f" Most is moved by “{most['name']}”: {most['effect']:,.1f} {plan.unit}."
    return Beside({"choices": table}, {"choices": said}, plan.choices)


def _choices(inputs: Inputs, asked: Asked, plan: Allocation) -> Iterator[tuple[tuple[str, ...], Asked]]:
    """Each choice in words (`_CHOICES` but for its effect), and what is asked without it."""
    options, section, unit = asked.options, inputs.plan.allocate, plan.unit
    if plan.minimum:
        value = f"{plan.minimum:g} {unit}"
        yield ("minimum", "Least posts of a team", _EVERY, value, "", ""), asked.but(minimum=0.0)
    limits: tuple[Limit, ...] = options["limits"]
    for limit in limits:
        teams = _EVERY if limit.teams is None else first_few(limit.teams)
        value = _limit_in_words(limit, unit)
        yield (
            (limit.kind, limit.name, teams, value, limit.reason, limit.owner),
            asked.but(limits=_others(limits, limit)),
        )
    reserves: tuple[Reserve, ...] = options["reserves"]
    for reserve in reserves:
        yield _reserve_in_words(reserve, unit), asked.but(reserves=_others(reserves, reserve))
    for each in options["adjustments"]:
        words = (
            "adjustment",
            "Local adjustment",
            each.team,
            f"{each.posts:+g} {unit}",
            each.reason,
            each.owner,
        )
        yield words, asked.but(adjustments=_others(options["adjustments"], each))
    if time := section.time:
        value = (
            f"{_figure_in_words(time.minutes)} with the patient, {_figure_in_words(time.travel)} on the way"
        )
        yield (
            ("time", "Minutes of a contact", _EVERY, value, "Contacts are not workload", time.source),
            asked.but(time=None),
        )
    if price := section.price:
        why = "Money buys less where staff and buildings are dear"
        yield (
            ("price", "Price of each place", _EVERY, "the column price", why, price.source),
            asked.but(price=None),
        )
    if asked.inequalities:
        value = f"{asked.inequalities:.0%} of need by weighted heads"
        why = "Heads count more where the planner's weights say so"
        yield ("inequalities", "Share for inequalities", _EVERY, value, why, ""), asked.with_inequalities(0.0)


def _others(every: tuple[Any, ...], one: Any) -> tuple[Any, ...]:
    return tuple(each for each in every if each is not one)


def _moved(plan: Allocation, without: Asked) -> float:
    """Posts that teams have without a choice and have not with it."""
    try:
        posts = without.allocate().table["posts"]
    except AllocationError:
        return float("nan")
    return round(float((posts - plan.table["posts"]).clip(lower=0.0).sum()), 10)


def _limit_in_words(limit: Limit, unit: str) -> str:
    if limit.basis == "posts":
        return f"{limit.value:g} {unit}"
    if limit.basis == "per 10,000 people":
        return f"{limit.value:g} {unit} per 10,000 people"
    return f"{limit.value:.4g} of {'its target' if limit.basis == 'share of target' else 'its posts now'}"


def _reserve_in_words(reserve: Reserve, unit: str) -> tuple[str, ...]:
    if isinstance(reserve.posts, Mapping):
        kind, teams, posts = "ring-fenced", first_few(list(reserve.posts)), sum(reserve.posts.values())
    else:
        kind, teams, posts = "held back", "no team", reserve.posts
    return kind, reserve.name, teams, f"{posts:g} {unit}", reserve.reason, reserve.owner


def _figure_in_words(value: float | str) -> str:
    return f"the column {value}" if isinstance(value, str) else f"{value:g} minutes"


__all__ = ["choices_beside"]
