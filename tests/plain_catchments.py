"""The catchment methods written out one area at a time, in whole numbers and fractions.

What the library computes on sparse arrays is held to these. Nothing of the library is used here but the names
of the groups that are no teams.
"""

from collections import defaultdict
from fractions import Fraction

import pandas as pd
from hypothesis import strategies as st

import needsalloc as na
from small_worlds import CODES, PRACTICES, membership

NO_TEAM = ("U", "not in map", "unassigned")
AREA, ELSEWHERE = CODES[:5], ["W01000001", "NO2021", "X"]
SHARES = st.integers(1, 100).map(lambda k: Fraction(k, 100))
Flows = dict[tuple[str, str], int]
Rows = list[tuple[str, str, int]]
METHODS = [
    {"name": "proportional"},
    {"name": "first_past_the_post"},
    {"name": "threshold"},
    {"name": "threshold", "share": 0.5, "residual": "largest"},
    {"name": "cumulative"},
    {"name": "cumulative", "share": 0.5},
]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[Rows, dict[str, str | None]]:
    """Every practice in every area with few patients or none, so that ties and exact shares are the rule."""
    practices, areas = PRACTICES[: draw(st.integers(1, 5))], AREA[: draw(st.integers(1, 5))]
    pairs = [(practice, area) for practice in practices for area in areas]
    count = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 7, 10, 30])
    counts = draw(st.lists(count, min_size=len(pairs), max_size=len(pairs)))
    rows = [(*pair, n) for pair, n in zip(pairs, counts, strict=True)]
    row = st.tuples(st.sampled_from(practices), st.sampled_from(areas + ELSEWHERE), count)
    rows += draw(st.lists(row, max_size=4))
    team = st.sampled_from(["P1", "P1", "P2", "P2", "P3", "U", None])
    teams = draw(st.lists(team, min_size=len(practices), max_size=len(practices)))
    # Somebody lives in England, with a practice that is in the map: anything less is refused.
    teams[0] = teams[0] or "P1"
    rows.append((practices[0], areas[0], draw(st.sampled_from([1, 2, 3]))))
    return rows, dict(zip(practices, teams, strict=True))


def frame(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["practice", "lsoa21", "patients"])


def drawn(crowd: tuple[Rows, dict[str, str | None]], **method: object) -> na.Catchment:
    rows, teams = crowd
    of = na.Catchment.from_registrations(frame(rows), membership(teams))
    return of.with_method(**method) if method else of


def flows(crowd: tuple[Rows, dict[str, str | None]]) -> Flows:
    """Patients by area and team, of areas in England."""
    rows, teams = crowd
    found: Flows = defaultdict(int)
    for practice, area, patients in rows:
        if area.startswith("E01") and patients:
            found[area, teams[practice] or "not in map"] += patients
    return dict(found)


def by_area(n: Flows) -> dict[str, dict[str, int]]:
    return {a: {t: n[b, t] for b, t in n if b == a} for a in sorted({a for a, _ in n})}


def by_team(n: Flows) -> dict[str, dict[str, int]]:
    return {t: {a: n[a, u] for a, u in n if u == t} for t in sorted({t for _, t in n})}


def proportional(n: Flows) -> dict[tuple[str, str], Fraction]:
    return {(a, t): Fraction(k, sum(by_area(n)[a].values())) for (a, t), k in n.items()}


def _with_the_rest(n: Flows, chosen: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return chosen | {(a, "unassigned") for a in {a for a, _ in n} - {a for a, _ in chosen}}


def largest(n: Flows) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Each area's team with most patients, the lower code of equals; and all the equals."""
    chosen, tied = set(), set()
    for area, flow in by_area(n).items():
        claims = {t: k for t, k in flow.items() if t not in NO_TEAM}
        equal = sorted(t for t, k in claims.items() if k == max(claims.values()))
        chosen |= {(area, t) for t in equal[:1]}
        tied |= {(area, t) for t in equal if len(equal) > 1}
    return chosen, tied


def first_past_the_post(n: Flows) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    chosen, tied = largest(n)
    return _with_the_rest(n, chosen), tied


def threshold(
    n: Flows, share: Fraction, residual: str = "unassigned"
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    part = proportional(n)
    chosen = {(a, t) for (a, t), p in part.items() if t not in NO_TEAM and p >= share}
    tied = set()
    if residual == "largest":
        bare = {a for a, _ in n} - {a for a, _ in chosen}
        most, equal = largest(n)
        chosen |= {(a, t) for a, t in most if a in bare}
        tied = {(a, t) for a, t in equal if a in bare}
    return _with_the_rest(n, chosen), tied


def cumulative(n: Flows, share: Fraction) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    chosen, tied = set(), set()
    for team, flow in by_team(n).items():
        if team in NO_TEAM:
            continue
        order = sorted(flow, key=lambda a: (-flow[a], a))
        held, taken = 0, 0
        while Fraction(held, sum(flow.values())) < share:
            held += flow[order[taken]]
            taken += 1
        chosen |= {(a, team) for a in order[:taken]}
        last = flow[order[taken - 1]]
        if any(flow[a] == last for a in order[taken:]):
            tied |= {(a, team) for a in order if flow[a] == last}
    return _with_the_rest(n, chosen), tied


def entries(of: na.Catchment, matrix: object) -> dict[tuple[str, str], float]:
    """What is in a sparse array (areas, teams), by its labels; nothing where it is 0."""
    found = matrix.tocoo()  # type: ignore[attr-defined]
    cells = zip(of.areas[found.row], of.teams.index[found.col], found.data, strict=True)
    return {(str(a), str(t)): float(value) for a, t, value in cells if value != 0}


def ties(of: na.Catchment) -> set[tuple[str, str]]:
    table = of.ties.astype({of.areas.name: str, "team": str})
    return set(zip(table[of.areas.name], table["team"], strict=True))
