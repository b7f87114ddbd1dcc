"""A report for the public is made without the figures that it withholds.

Posts now of a small team are people: a team of one is one. They are taken out of the inputs of a public run,
before anything is computed: what is not used cannot be worked out from any table, rate, chart, sentence,
option or checksum of the report. A plan shares posts by need alone, so that targets and planned posts are
the same. An internal report shows all and says that it may name people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.disclosure import SUPPRESSED, Rule, names_of, suppress_table
from needsalloc.errors import DisclosureError, first_few
from needsalloc.kernels.suppression import in_lines

if TYPE_CHECKING:
    from needsalloc.inputs import Inputs
    from needsalloc.plan import Plan
    from needsalloc.report.bundle import Bundle

PUBLIC = "public"
# A checksum of a small sheet lets whoever guesses its figures see that the guess is right.
CONFIDENTIAL_FILES = ("current", "by_team", "contacts", "counts", "previous")
_PER_BAND = "fte_"
_WITHHELD = "withheld"
_SHARE_OF_CURRENT = "share of current"
# Columns whose blanks in a row of a withheld team, or of a fifth, are blank for that reason.
_OF_NOW = (
    "current",
    "vacancies",
    "distance_from_target",
    "change",
    "filled_posts_lost",
    "share_of_current",
    "current_per_10000_adults",
)


def rule_of(plan: Plan) -> Rule:
    """The rule of a plan's [disclosure]. Raises DisclosureError if it is none."""
    section = plan.disclosure
    return Rule(section.threshold, section.round_to, section.reason)


def withheld_teams(inputs: Inputs) -> tuple[str, ...]:
    """The teams whose posts now this run goes without."""
    frame = inputs.frames.get("current")
    return () if frame is None else tuple(frame.attrs.get(_WITHHELD, ()))


def withheld_in_words(inputs: Inputs) -> str:
    """What of posts now is withheld; nothing if nothing is.

    What these teams have together is not said: the smallest others go with small teams, so whoever knows the
    next larger figure would bound the small ones by that sum.
    """
    teams = withheld_teams(inputs)
    if not teams:
        return ""
    return (
        f"Posts now of {len(teams):,} teams are withheld from the public, since in a small team a post is a "
        f"person, or since those of small teams could be told from them."
    )


def withheld_inputs(inputs: Inputs) -> Inputs:
    """The inputs that a run for the plan's audience may use: all of them, unless that is the public.

    For the public, posts now, vacancies and posts by band of small teams are blank, and of as many others as
    keep them from being worked out from a total; contacts by team are rounded and small ones left out; these
    files have no checksum.

    Raises DisclosureError for a limit that is a share of posts now that are withheld: its planned posts would
    tell them.
    """
    plan, rule = inputs.plan, rule_of(inputs.plan)
    if plan.report.audience != PUBLIC or rule.is_off:
        return inputs
    frames = dict(inputs.frames)
    if "current" in frames:
        by_team = frames.get("by_team", pd.DataFrame())
        frames["current"] = without_small_teams(frames["current"], rule, by_team.get("vacancies"))
        _refuse_limits(plan, frames["current"].attrs[_WITHHELD])
    if "contacts" in frames:
        given = frames["contacts"]
        shown = suppress_table(given, counts=["contacts"], rule=rule).table[list(given.columns)]
        frames["contacts"] = shown.dropna(subset="contacts")
        frames["contacts"].attrs = dict(given.attrs)
    for role in CONFIDENTIAL_FILES:
        if role in frames:
            frame = frames[role].copy(deep=False)
            frame.attrs = frames[role].attrs | {"source": frames[role].attrs["source"] | {"sha256": ""}}
            frames[role] = frame
    paths = {path for role in CONFIDENTIAL_FILES for path in _paths(plan, role)}
    kept = {path: found for path, found in inputs.checksums.items() if path not in paths}
    return replace(inputs, frames=frames, checksums=kept)


def without_small_teams(
    current: pd.DataFrame, rule: Rule, vacancies: pd.Series | None = None
) -> pd.DataFrame:
    """Posts now by team, blank for small teams and for those that keep them from being worked out.

    current: `team`, `current` and, where known, `vacancies` and `fte_<band>`, as of `read_current`. A team is
        small if its posts are, those that are filled, or those of a band.
    vacancies: by team, if another sheet has them.

    attrs: `withheld`, the teams.
    """
    posts = current["current"].fillna(0.0)
    empty = current.get("vacancies", pd.Series(np.nan, index=current.index))
    if vacancies is not None:
        empty = empty.fillna(current["team"].map(vacancies))
    bands = [name for name in current if str(name).startswith(_PER_BAND)]
    filled = (posts - empty.fillna(0.0)).clip(lower=0.0)
    values = posts.to_numpy(np.float64)
    # Where vacancies are known, a team with many is as small as the staff that it has.
    told = np.where(rule.is_small(filled), filled, values)
    found = in_lines(told, np.zeros(len(told), dtype=np.int64), 1, rule.threshold)
    shown = current.copy()
    shown.loc[found.cells, ["current", *(["vacancies"] if "vacancies" in shown else [])]] = np.nan
    if found.cells.any() or rule.is_small(current[bands].to_numpy(np.float64)).any():
        # A band of one team, or of all, is fewer people than the team: no cost is told apart by band.
        shown = shown.drop(columns=bands)
    shown.attrs = current.attrs | {_WITHHELD: tuple(current.loc[found.cells, "team"].astype(str))}
    return shown


def _refuse_limits(plan: Plan, withheld: Iterable[str]) -> None:
    gone = set(withheld)
    plans = (plan, *(plan.with_option(option) for option in plan.options))
    telling = {
        limit.name
        for each in plans
        for limit in each.allocate.limits
        if limit.basis == _SHARE_OF_CURRENT and gone & set(limit.teams or gone)
    }
    if telling:
        raise DisclosureError(
            f"{len(telling)} limits are a share of posts now that a public report withholds, and its planned "
            f'posts would tell them: {first_few(sorted(telling))}. Write audience = "internal", or limits in '
            "posts."
        )


def _paths(plan: Plan, role: str) -> list[str]:
    file = plan.inputs.files().get(role)
    return [] if file is None else file.paths


def disclose(bundle: Bundle) -> Bundle:
    """The bundle as it may be written for its audience: nothing is written before this.

    For the public: blanks of withheld teams are named in a column `suppressed`, the planner's own counts of
    people follow the rule, tables by practice are left out. In every report `disclosed` says what was done.

    Raises DisclosureError for a public bundle with posts now of small teams: sentences and sums have been
    made of them, so that it is too late to blank them. `withheld_inputs` takes them out in time.
    """
    is_ruled = bundle.audience == PUBLIC and not bundle.rule.is_off
    if is_ruled:
        _refuse_small(bundle)
    if bundle.disclosed:
        return bundle
    if not is_ruled:
        off = f"Public: {bundle.rule}."
        return replace(bundle, disclosed=off if bundle.audience == PUBLIC else _internal(bundle))
    equity = bundle.equity
    if bundle.withheld:  # the change of some teams is none of all
        equity = equity.assign(change=np.nan)
    beside = {name: frame for name, frame in bundle.beside.items() if "practice" not in frame}
    if "planning_cohorts" in beside:
        beside["planning_cohorts"] = _own_counts(bundle)
    return replace(
        bundle,
        allocation=_marked(bundle.allocation, bundle.withheld),
        equity=_marked(equity, bundle.withheld),
        beside={name: _marked(frame, bundle.withheld) for name, frame in beside.items()},
        disclosed=_public(bundle),
    )


def _marked(frame: pd.DataFrame, withheld: tuple[str, ...]) -> pd.DataFrame:
    """With the names of the columns that are blank since posts now are withheld."""
    of_now = [name for name in _OF_NOW if name in frame]
    if not withheld or not of_now:
        return frame
    here = frame["team"].astype(str).isin(withheld) if "team" in frame else pd.Series(True, frame.index)
    blank = {name: (here & frame[name].isna()).to_numpy() for name in of_now}
    return _named(frame, blank)


def _named(frame: pd.DataFrame, blank: Mapping[str, NDArray[np.bool_]]) -> pd.DataFrame:
    before = frame.get(SUPPRESSED, pd.Series("", index=frame.index))
    words = before.astype(str) + " " + names_of(dict(blank))
    return frame.assign(**{SUPPRESSED: words.str.strip()})


def _own_counts(bundle: Bundle) -> pd.DataFrame:
    """Planning cohorts with the planner's own counts of people under the rule; published ones as they are."""
    cohorts, about = bundle.beside["planning_cohorts"], bundle.beside.get("cohort_sources")
    files = [source.file for source in bundle.sources if source.role == "counts"]
    if about is None or not files:
        return cohorts
    own = about.loc[about["source"].isin(files) & (about["people"] != "beds"), "column"]
    counts = [name for name in own if name in cohorts]
    return suppress_table(cohorts, counts=counts, rule=bundle.rule).table if counts else cohorts


def _refuse_small(bundle: Bundle) -> None:
    teams = bundle.allocation
    small = bundle.rule.is_small(teams["current"])
    if "vacancies" in teams:
        small |= bundle.rule.is_small(teams["current"] - teams["vacancies"])
    if small.any():
        raise DisclosureError(
            f"{small.sum():,} teams have posts now under {bundle.rule.threshold:g} in a report for the "
            f'public: {first_few(teams.loc[small, "team"])}. Run the plan with audience = "public", which '
            'goes without them from the start, or write audience = "internal".'
        )
    observed = bundle.beside.get("observed")
    if observed is not None and bundle.rule.is_small(observed["contacts"]).any():
        raise DisclosureError(
            f"Some teams have fewer than {bundle.rule.threshold:g} contacts in a report for the public. Run "
            'the plan with audience = "public", which goes without them from the start.'
        )


def _internal(bundle: Bundle) -> str:
    teams = bundle.allocation
    small = teams["team"][bundle.rule.is_small(teams["current"])] if bundle.has_current else teams["team"][:0]
    if not len(small):
        return "Internal: not for the public."
    return (
        f"Internal: it may name people. {len(small):,} teams have posts now under {bundle.rule.threshold:g}, "
        'and in a small team a post is a person. Do not pass it on; audience = "public" makes a report that '
        "can be."
    )


def _public(bundle: Bundle) -> str:
    if not bundle.withheld:
        return f"Public: no posts now had to be withheld; {bundle.rule}."
    known = int(bundle.allocation["current"].notna().sum()) + len(bundle.withheld)
    return (
        f"Public: posts now of {len(bundle.withheld):,} of {known:,} teams are withheld, shown as [c], and "
        f"so is whatever is worked out from them; {bundle.rule}."
    )


__all__ = [
    "disclose",
    "rule_of",
    "withheld_in_words",
    "withheld_inputs",
    "withheld_teams",
    "without_small_teams",
]
