"""Small numbers are withheld, and nobody who solves for them with all that is shown finds one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import attack
from needsalloc import disclosure
from needsalloc.disclosure import Rule, suppress_table
from needsalloc.errors import DisclosureError, InvalidValueError, MissingColumnError
from needsalloc.index_of_people import need_index_of_people, ways_to_hold
from needsalloc.kernels import suppression
from needsalloc.linkage import linkage_coverage
from needsalloc.need import NeedFormula
from small_worlds import law

EXACT = Rule(round_to=1)
THRESHOLD = 8
# A linear program finds its bounds to about nine digits.
FOUND = 1e-6

BY_AGE = NeedFormula(
    "ours", "", {"age": 0.01}, {}, (-np.inf, 0.0), "", {}, {}, (), "", family="poisson"
)  # fmt: skip
COUNTS = st.one_of(st.sampled_from([0, 0, 1, 2, 3, 7, 8, 9]), st.integers(0, 40), st.integers(0, 5_000))


def long(values: np.ndarray) -> pd.DataFrame:
    rows, columns = np.indices(values.shape)
    return pd.DataFrame(
        {"team": [f"T{i}" for i in rows.ravel()], "band": columns.ravel(), "people": values.ravel()}
    )


def square(found: disclosure.SuppressedTable) -> np.ndarray:
    """What is published of a table in two directions: its cells, and its totals in a last row and column."""
    cells = found.table.pivot_table("people", "team", "band", dropna=False)
    cells = cells.reindex([f"T{i}" for i in range(len(cells))]).to_numpy()
    totals = found.totals["people"].to_numpy()
    m = len(cells)
    return np.vstack([np.column_stack([cells, totals[:m]]), totals[m:]])


def lines(found: disclosure.SuppressedTable, icb: pd.Series) -> np.ndarray:
    """The same in one direction: a row for each ICB, its teams beside each other."""
    by_icb = [found.table.loc[icb == name, "people"].to_list() for name in dict.fromkeys(icb)]
    widest = max(map(len, by_icb))
    totals = found.totals["people"].to_list()
    table = [
        [*cells, *[0.0] * (widest - len(cells)), total] for cells, total in zip(by_icb, totals, strict=False)
    ]
    return np.array([*table, [np.nan] * widest + totals[-1:]])


def test_the_attacker_finds_what_pencil_and_paper_find():
    """Four cells withheld in a square, by hand: the one in question is 30 less its neighbour in the row,
    which is at least 0 and, by its column, at most 25."""
    shown = np.array(
        [
            [20, 50, 10, 80],
            [np.nan, 19, np.nan, 49],
            [np.nan, 32, np.nan, 61],
            [45, 101, 44, 190],
        ],
        dtype=float,
    )
    found = attack.of_table(shown)
    assert found[1, 2] == pytest.approx((5, 30))
    assert found[1, 0] == pytest.approx((0, 25))


@pytest.mark.parametrize(
    ("people", "shown"),
    [
        # The smallest of the others goes with a lone small one.
        ([3, 40, 12], [None, 40, None]),
        # Two small ones that together are none protect each other.
        ([3, 5, 40], [None, None, 40]),
        # Two that together are a small one do not: 7 would be told of them.
        ([3, 4, 40, 60], [None, None, None, 60]),
        # Nobody is no secret, and protects nobody.
        ([3, 0, 12, 9], [None, 0, 12, None]),
        ([8, 9, 0], [8, 9, 0]),
    ],
)
def test_known_answers_in_one_direction(people, shown):
    """By hand, from the definition: what is withheld sums to no small number, of two or more."""
    found = suppress_table(pd.DataFrame({"people": people}), counts=["people"], rule=EXACT)
    assert found.table["people"].astype(object).where(found.table["people"].notna(), None).tolist() == shown
    assert found.totals["people"].tolist() == [sum(people)]


def test_one_alone_takes_the_total_along():
    found = suppress_table(pd.DataFrame({"people": [3, 0, 0]}), counts=["people"])
    assert found.table["people"].isna().tolist() == [True, False, False]
    assert found.totals["people"].isna().all()
    assert found.table["suppressed"].tolist() == ["people", "", ""]


def test_known_answer_with_totals_of_groups():
    """ICB A has one team with 3 and no other to stand beside it, so that its total goes, and with it the
    smallest other total (B, 30) and the smallest team there (9): otherwise 3 is the grand total less two."""
    icb = ["A", "B", "B", "C", "C"]
    frame = pd.DataFrame({"icb": icb, "people": [3, 9, 21, 50, 60]})
    found = suppress_table(frame, counts=["people"], within=["icb"], rule=EXACT)
    assert found.table["people"].isna().tolist() == [True, True, False, False, False]
    totals = found.totals.set_index("group")["people"]
    assert totals.isna().to_dict() == {"A": True, "B": True, "C": False, "all": False}
    assert totals["all"] == 143


def test_known_answer_in_two_directions():
    """The cheapest path that has room is over 9, 10 and 12, where any other takes a cell of 60 or more along;
    3 can then be anything from 0 to 12, what its row withholds."""
    values = np.array([[3, 9, 20], [10, 12, 60], [80, 90, 30]])
    found = square(suppress_table(long(values), counts=["people"], within=["team", "band"], rule=EXACT))
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert attack.of_table(found)[0, 0] == pytest.approx((0, 12))


@law(
    st.integers(1, 6).flatmap(
        lambda m: st.integers(1, 4).flatmap(
            lambda n: st.lists(st.lists(COUNTS, min_size=n, max_size=n), min_size=m, max_size=m)
        )
    ),
    st.sampled_from([1, 5]),
    st.booleans(),
)
def test_nobody_finds_a_small_number_in_two_directions(values, round_to, as_a_long_table):
    values = np.array(values, dtype=float)
    rule = Rule(round_to=round_to)
    with pytest.MonkeyPatch.context() as patch:
        if as_a_long_table:  # of more than two rows, with few of them tried
            patch.setattr(suppression, "_ROWS", 1)
        found = square(suppress_table(long(values), counts=["people"], within=["team", "band"], rule=rule))
    true = suppression.with_totals(values)
    assert np.isnan(found[(true > 0) & (true < THRESHOLD)]).all()
    # Totals are never contradicted: what is shown is the truth, rounded by half a step at most.
    assert np.nanmax(np.abs(found - true), initial=0.0) <= round_to / 2
    exact = np.where(np.isnan(found), np.nan, true)  # rates beside the counts may undo the rounding
    for at, interval in attack.of_table(exact).items():
        assert interval.low - FOUND <= true[at] <= interval.high + FOUND
        assert interval.width >= THRESHOLD - FOUND


@law(
    st.lists(st.tuples(st.sampled_from("ABC"), COUNTS), min_size=1, max_size=12),
    st.booleans(),
)
def test_nobody_finds_a_small_number_in_one_direction(rows, by_icb):
    frame = pd.DataFrame(rows, columns=["icb", "people"])
    icb = frame["icb"] if by_icb else frame["icb"].where(frame["icb"] == "", "all")
    within = ["icb"] if by_icb else []
    found = suppress_table(frame, counts=["people"], within=within, rule=EXACT)
    true = frame["people"].to_numpy(float)
    assert found.table["people"].isna()[(true > 0) & (true < THRESHOLD)].all()
    published = lines(found, icb)
    published[-1, :-1] = np.nan  # teams have no total over ICBs
    for (i, _), interval in attack.of_table(published).items():
        if i < len(published) - 1:
            assert interval.width >= THRESHOLD - FOUND


@pytest.mark.parametrize("within", [[], ["icb"], ["team", "band"]])
def test_the_attacker_finds_what_is_not_protected(monkeypatch, within):
    """Without the second step the same attacker has the number: the laws above can fail."""
    values = np.array([[3.0, 9.0, 20.0], [10.0, 12.0, 60.0]])

    def only_small(cells, *_):
        every = suppression.with_totals(cells) if cells.ndim == 2 else np.append(cells, cells.sum())
        flags = suppression.small(every, THRESHOLD)
        if cells.ndim == 2:
            return suppression.Hidden(flags[:-1, :-1], flags[:-1, -1], flags[-1, :-1], False)
        groups = np.zeros(2 if within else 1, dtype=bool)
        return suppression.Hidden(flags[:-1], groups, np.zeros(0, dtype=bool), False)

    monkeypatch.setattr(disclosure, "crossed", only_small)
    monkeypatch.setattr(disclosure, "in_lines", only_small)
    frame = long(values).assign(icb=lambda table: table["team"])
    found = suppress_table(frame, counts=["people"], within=within, rule=EXACT)
    icb = frame["icb"] if within else frame["icb"].where(frame["icb"] == "", "all")
    published = square(found) if len(within) == 2 else lines(found, icb)
    assert attack.of_table(published)[0, 0] == pytest.approx((3, 3))


def test_parts_of_posts_are_protected_like_people():
    """Tenths have no exact sums: the search for paths ends all the same."""
    draw = np.random.default_rng(3)
    values = draw.integers(0, 300, size=(40, 3)) / 10
    found = suppression.crossed(values, THRESHOLD)
    assert found.cells[(values > 0) & (values < THRESHOLD)].all()


def test_rates_go_with_their_counts():
    teams = pd.DataFrame({"team": list("ABC"), "people": [3, 40, 12], "need": [0.9, 1.1, np.nan]})
    found = suppress_table(teams, counts=["people"], rates=["need"])
    assert found.table["need"].isna().tolist() == [True, False, True]
    # A gap that was there is no secret.
    assert found.table["suppressed"].tolist() == ["people need", "", "people"]


def test_what_is_shown_is_rounded_half_up_and_totals_on_their_own():
    found = suppress_table(pd.DataFrame({"people": [12, 18, 17.5, 0]}), counts=["people"])
    assert found.table["people"].tolist() == [10, 20, 20, 0]
    assert found.totals["people"].tolist() == [50]  # 47.5, where the rounded ones sum to 50 too
    assert "1 counts" not in repr(found)
    assert "rounded to 5 (NHS Digital" in repr(found)


def test_gaps_stay_gaps():
    found = suppress_table(pd.DataFrame({"people": [np.nan, 40, 12]}), counts=["people"])
    assert found.table["people"].isna().tolist() == [True, False, False]
    assert found.table["suppressed"].tolist() == ["", "", ""]


def test_no_rule_needs_a_reason():
    with pytest.raises(DisclosureError, match="say it"):
        Rule(threshold=0)
    rule = Rule(threshold=0, reason="published by NHS England as it is")
    frame = pd.DataFrame({"people": [1, 2, 41]})
    found = suppress_table(frame, counts=["people"], rule=rule)
    assert found.table["people"].tolist() == [1, 2, 41]
    assert "published by NHS England as it is" in repr(found)


@pytest.mark.parametrize("bad", [{"threshold": 1}, {"threshold": -3}, {"round_to": 0}])
def test_numbers_that_make_no_rule_are_refused(bad):
    with pytest.raises(DisclosureError, match="is no rule"):
        Rule(**bad)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"counts": ["persons"]}, MissingColumnError, "lacks persons"),
        ({"counts": "people"}, InvalidValueError, "in lists"),
        ({"counts": []}, InvalidValueError, "in lists"),
        ({"counts": ["people"], "within": ["a", "b", "team"]}, InvalidValueError, "two directions"),
        ({"counts": ["people"], "within": ["a", "b"]}, InvalidValueError, "more than one row"),
        ({"counts": ["minus"]}, InvalidValueError, "negative or no numbers, in the rows 1"),
        ({"counts": ["people"], "within": ["gap"]}, InvalidValueError, "blank in some rows"),
    ],
)
def test_tables_that_cannot_be_protected_are_refused(changes, error, words):
    frame = pd.DataFrame(
        {"team": ["A", "B"], "a": 1, "b": 2, "people": [3, 4], "minus": [1, -1], "gap": [None, "x"]}
    )
    with pytest.raises(error, match=words):
        suppress_table(frame, **changes)


def test_a_table_of_all_englands_areas_is_protected_at_once():
    """33,755 areas in five bands, a third of the cells small: a row with one small cell alone withholds
    another, and no total of a column goes."""
    draw = np.random.default_rng(1)
    values = draw.poisson(draw.gamma(1.0, 20.0, size=(33_755, 5))).astype(float)
    found = suppression.crossed(values, THRESHOLD)
    assert found.cells[(values > 0) & (values < THRESHOLD)].all()
    assert not found.columns.any()
    sums = np.where(found.cells, values, 0).sum(axis=1)
    alone = found.cells.any(axis=1) & ~found.rows
    assert (sums[alone] >= THRESHOLD).all()
    assert (found.cells.sum(axis=1)[alone] >= 2).all()


def test_an_index_of_persons_is_passed_on_without_small_places():
    """By hand: A has three people, C the fewest of the others; what is worked out of them goes with them."""
    places = ["A"] * 3 + ["B"] * 40 + ["C"] * 12
    people = pd.DataFrame({"team": places, "age": 20 + np.arange(len(places))})
    index = need_index_of_people(BY_AGE, people, by="team")
    found = index.to_publish().table.set_index("team")
    assert found["people"].isna().to_dict() == {"A": True, "B": False, "C": True}
    assert found.loc[["A", "C"], ["expected_use", "need_index_people", "share_of_need"]].isna().all(axis=None)
    assert found.loc["B", "need_index_people"] == index.table.loc["B", "need_index_people"]
    held = ways_to_hold(BY_AGE, people, by="team").to_publish().table.set_index("team")
    assert held["index_observed"].isna().to_dict() == {"A": True, "B": False, "C": True}


def test_linkage_is_passed_on_without_small_practices():
    cohort = pd.DataFrame({"practice": ["P1"] * 2 + ["P2"] * 31 + ["P3"] * 9, "lsoa21": "E01000001"})
    lists = pd.DataFrame({"practice": ["P1", "P2", "P3"], "lsoa21": "E01000001", "patients": [40, 40, 10]})
    practices, areas = linkage_coverage(cohort, lists).to_publish()
    linked = practices.table.set_index("practice")
    assert linked["linked"].isna().to_dict() == {"P1": True, "P3": True, "P2": False}
    assert linked.loc["P2", ["linked", "listed"]].tolist() == [30, 40]
    assert linked.loc[["P1", "P3"], ["coverage", "flag"]].isna().all(axis=None)
    assert areas.table["linked"].tolist() == [40]
