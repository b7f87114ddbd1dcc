"""Several services in one pass: each shares its own total by its own need between the same teams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from needsalloc.allocate import Allocation, allocate
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.in_place import Current

_OPTIONS = ("step", "minimum", "rule", "unit")


@dataclass(frozen=True, eq=False)
class ServicePlans:
    """A plan for each service.

    Attributes
    ----------
    plans:
        By service, from `allocate`.
    posts:
        Index team, a column per service; each column sums to its total. Services in different units are
        side by side and are not added up.
    table:
        Index (service, team): `target`, `posts`, `current`, `distance_from_target`, `change`, `unit`.
    """

    plans: Mapping[str, Allocation]
    posts: pd.DataFrame
    table: pd.DataFrame

    def __repr__(self) -> str:
        totals = "; ".join(f"{name} {each.total:,.10g} {each.unit}" for name, each in self.plans.items())
        return f"<ServicePlans for {len(self.posts):,} teams: {totals}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.posts)


def allocate_services(
    services: pd.DataFrame,
    need: pd.DataFrame,
    *,
    current: Mapping[str, Current] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> ServicePlans:
    """Share the total of each service by its own column of need.

    services: index service; `total`, and `need`, the column of the need table that it goes by; if wanted
        `step`, `minimum`, `rule` and `unit`, which are those of `allocate`.
    need: index team, a column of need for each service; `is_team` if some rows are no teams.
    current: what is in place, by service. options: what else `allocate` takes, by service: limits, reserves,
        adjustments, price, time.

    Raises MissingColumnError for columns that are not there, UnknownCodeError for options or current figures
    of another service, InvalidValueError for a service twice, and as `allocate`.

    >>> need = pd.DataFrame({"nursing": [3.0, 1.0], "therapy": [1.0, 1.0]}, index=["a", "b"])
    >>> asked = pd.DataFrame({"total": [8, 2], "need": ["nursing", "therapy"]}, index=["nurses", "others"])
    >>> allocate_services(asked, need).posts.to_numpy().tolist()
    [[6.0, 1.0], [2.0, 1.0]]
    """
    current, options = current or {}, options or {}
    if services.index.has_duplicates or not len(services):
        raise InvalidValueError("There is no service, or one of them twice. Give each one row.")
    lacking = [name for name in ("total", "need") if name not in services]
    if lacking:
        raise MissingColumnError(f"The frame of services has no column {first_few(lacking)}.")
    unknown = [name for name in services["need"] if name not in need]
    if unknown:
        raise MissingColumnError(
            f"{len(unknown):,} services go by columns that the need table does not have: "
            f"{first_few(unknown)}. It has: {first_few(need, 12)}."
        )
    stray = [name for name in (*current, *options) if name not in services.index]
    if stray:
        raise UnknownCodeError(f"There are figures or options for {first_few(stray)}, which are no services.")
    plans = {
        str(name): allocate(
            float(row["total"]),
            need.assign(weighted_population=need[row["need"]]),
            current=current.get(str(name)),
            **{key: row[key] for key in _OPTIONS if key in services and pd.notna(row[key])},
            **options.get(str(name), {}),
        )
        for name, row in services.iterrows()
    }
    columns = ["target", "posts", "current", "distance_from_target", "change"]
    table = pd.concat(
        {name: each.table[columns].assign(unit=each.unit) for name, each in plans.items()},
        names=["service", "team"],
    )
    return ServicePlans(
        plans, pd.DataFrame({name: each.table["posts"] for name, each in plans.items()}), table
    )


__all__ = ["ServicePlans", "allocate_services"]
