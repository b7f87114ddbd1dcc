"""Allocation of many draws at once, against a plain Python loop and against pandas, a draw at a time.

    python benchmarks/allocation.py [--quick]

The work is the same for all three: need becomes targets, targets are kept inside a minimum and a cap of
each team, and posts are given in steps by Webster's rule inside the same bounds. The loops are as an analyst
writes them: bounds by sharing again what the teams at a bound leave over, posts from the minimum on, one at a
time to the strongest claim (in plain Python from a heap). They are timed on a few draws, since each costs the
same, and their results are compared with ours, share by share and step by step.

What is promised is held against seconds of the processor, the least of a few rounds: the machine is shared,
and others on it lengthen the clock and, by the memory that they use, the processor's time too.
"""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, inf

import numpy as np
import pandas as pd
from cases import GB, Figure, peak_memory

from needsalloc.kernels.apportion import apportion
from needsalloc.kernels.bounded import bounded


@dataclass(frozen=True, slots=True)
class Work:
    """Draws of need (draws, teams), the steps to share out, and bounds by team in steps."""

    need: np.ndarray
    total: int
    minimum: np.ndarray
    cap: np.ndarray


def work(draws: int, teams: int) -> Work:
    """Teams as uneven as PCNs (8,900 to 267,000 people in 2022/23), need drawn by 5 % around their own; a
    minimum and a cap that each hold back about one team in ten, eight steps a team."""
    rng = np.random.default_rng(1)
    size = rng.lognormal(0.0, 0.35, teams)
    need = size * np.exp(0.05 * rng.standard_normal((draws, teams)))
    expected = 8 * teams * size / size.sum()
    minimum = np.where(rng.random(teams) < 0.2, np.ceil(expected), np.floor(0.5 * expected))
    cap = np.where(rng.random(teams) < 0.2, np.ceil(expected), np.ceil(2.0 * expected))
    return Work(need, 8 * teams, minimum, cap)


def ours(of: Work) -> tuple[np.ndarray, np.ndarray]:
    shares = bounded(of.need, of.total, of.minimum, of.cap)
    return shares.share, apportion(of.need, of.total, of.minimum, of.cap, level=shares.level).steps


def plain_loop(need: Sequence[float], total: int, minimum: Sequence[float], cap: Sequence[float]):  # type: ignore[no-untyped-def]
    """One draw in plain Python."""
    teams = range(len(need))
    at: dict[int, float] = {}
    while True:
        left = total - sum(at.values())
        level = left / sum(need[k] for k in teams if k not in at)
        above = {k: cap[k] for k in teams if k not in at and level * need[k] > cap[k]}
        below = {k: minimum[k] for k in teams if k not in at and level * need[k] < minimum[k]}
        if not above and not below:
            break
        excess = sum(level * need[k] - bound for k, bound in above.items())
        short = sum(bound - level * need[k] for k, bound in below.items())
        at.update(above if excess >= short else below)
    shares = [at.get(k, level * need[k]) for k in teams]
    posts = [floor(minimum[k]) for k in teams]
    claims = [(-need[k] / (posts[k] + 0.5), k) for k in teams if posts[k] < cap[k]]
    heapq.heapify(claims)
    for _ in range(total - sum(posts)):
        k = claims[0][1]
        posts[k] += 1
        if posts[k] < cap[k]:
            heapq.heapreplace(claims, (-need[k] / (posts[k] + 0.5), k))
        else:
            heapq.heappop(claims)
    return shares, posts


def by_pandas(need: pd.Series, total: int, minimum: pd.Series, cap: pd.Series):  # type: ignore[no-untyped-def]
    """One draw in pandas."""
    at = pd.Series(dtype=float)
    while True:
        free = need.drop(at.index)
        share = free / free.sum() * (total - at.sum())
        upper, lower = cap[share.index], minimum[share.index]
        above, below = upper[share > upper], lower[share < lower]
        if above.empty and below.empty:
            break
        excess, short = (share[above.index] - above).sum(), (below - share[below.index]).sum()
        at = pd.concat([at, above if excess >= short else below])
    shares = pd.concat([at, share]).reindex(need.index)
    posts = minimum.copy()
    while posts.sum() < total:
        claims = (need / (posts + 0.5)).where(posts < cap, -inf)
        posts[claims.idxmax()] += 1
    return shares, posts


def against(
    teams: int, draws: int, seconds: float | None, most_of_plain: float | None, *, loops: int, pandas: bool
) -> list[Figure]:
    """Ours on all draws; the loops on the first few."""
    of = work(draws, teams)
    took, processor, (shares, posts) = _timed(of)
    assert (posts.sum(axis=1) == of.total).all()
    assert np.allclose(shares.sum(axis=1), of.total, rtol=1e-12)
    found = [
        Figure(f"{draws:,} draws of {teams:,} teams, of the processor", processor, "s", seconds),
        Figure("the same by the clock, on a shared machine", took, "s"),
        Figure(
            "teams held by a bound", float(((shares <= of.minimum) | (shares >= of.cap)).mean()), "of all"
        ),
        Figure("peak memory", peak_memory() / GB, "GB", 2.0),
    ]
    plain = [of.minimum.tolist(), of.cap.tolist()]
    alone = _each(lambda k: plain_loop(of.need[k].tolist(), of.total, *plain), loops, shares, posts)
    found.append(Figure("plain Python, a draw", 1e3 * alone, "ms"))
    found.append(Figure("ours over plain Python", processor / draws / alone, "times", most_of_plain))
    if pandas:
        bounds = pd.Series(of.minimum), pd.Series(of.cap)
        alone = _each(lambda k: by_pandas(pd.Series(of.need[k]), of.total, *bounds), 1, shares, posts)
        found.append(Figure("pandas, a draw", 1e3 * alone, "ms"))
        found.append(Figure("ours over pandas", processor / draws / alone, "times", seconds and 1 / 400))
    return found


def linear(teams: int, most: int) -> list[Figure]:
    """Time by number of draws: twice the draws should take twice as long."""
    return [
        Figure(f"{draws:,} draws, of the processor", _timed(work(draws, teams))[1], "s")
        for draws in (most // 4, most // 2, most)
    ]


def _timed(of: Work) -> tuple[float, float, tuple[np.ndarray, np.ndarray]]:
    """Least seconds of five rounds, by the clock and of the processor, and the result."""
    clock, processor = [], []
    for _ in range(5):
        start = time.perf_counter(), time.process_time()
        found = ours(of)
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return min(clock), min(processor), found


def _each(
    way: Callable[[int], tuple[object, object]], draws: int, shares: np.ndarray, posts: np.ndarray
) -> float:
    """Least seconds of the processor for one of the first draws, whose results must be ours."""
    seconds = []
    for k in range(draws):
        start = time.process_time()
        their_shares, their_posts = way(k)
        seconds.append(time.process_time() - start)
        assert np.allclose(np.asarray(their_shares), shares[k], rtol=1e-9)
        assert (np.asarray(their_posts) == posts[k]).all()
    return min(seconds)


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    sizes = [(40, 50), (100, 5)] if quick else [(1_273, 10_000), (33_755, 1_000)]
    # Sizes that show no more than that it runs promise nothing.
    promised = [(None, None), (None, None)] if quick else [(2.0, 1 / 40), (5.0, 1 / 70)]
    teams, areas = (
        against(of, draws, *most, loops=loops, pandas=loops > 3)
        for (of, draws), most, loops in zip(sizes, promised, (30, 3), strict=True)
    )
    for figure in (*teams, *areas, *linear(*sizes[0])):
        promised = "" if figure.at_most is None else f"   (at most {figure.at_most:.3g})"
        print(f"{figure.what:<64}{figure.value:>12,.4f} {figure.unit}{promised}")


if __name__ == "__main__":
    main()
