"""Plans on made-up data: a city of the paper's size, and the 2018/19 coefficients on a synthetic England."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import reference
from needsalloc.allocate import allocate
from needsalloc.choices import Price
from needsalloc.inequalities import with_inequalities
from needsalloc.linked import linked_cohort
from needsalloc.scenarios import compare_plans

FORMULA = "district-nursing/liverpool-2024"
SUPPLY = "district_nurses_per_10000"
TEAMS, ADULTS = 16, 359_774


@pytest.fixture(scope="module")
def city():
    """255 areas have the paper's number of adults to a hundredth; nurses are spread over teams as printed."""
    made = na.synthetic.england(areas=255, pcns=TEAMS)
    catchment = na.Catchment.from_registrations(made.registrations, made.membership)
    files = ("population", "deprivation", "lists", "conditions")
    people = na.build_people(catchment, **{name: getattr(made, name) for name in files})
    need = na.need_index(na.NeedFormula.published(FORMULA).expected_use(people), base="icb").teams
    nurses = linked_cohort(1_000, england=made).teams[SUPPLY]
    return need[need["is_team"]], nurses


def test_changes_in_a_city_of_the_published_size(city, capsys):
    need, nurses = city
    adults = need["registered_adults"]
    assert (len(need), adults.sum()) == (TEAMS, pytest.approx(ADULTS, rel=0.02))
    current = (adults * nurses / 10_000).round(1)
    plan = allocate(round(current.sum(), 1), need, current=current, step=0.1).table
    change = 10_000 * (plan["target"] - plan["current"]) / adults
    # By hand: everybody has the mean nurses per weighted head, so a team's change is that, less what it has.
    mean = 10_000 * current.sum() / need["weighted_population"].sum()
    expected = mean * need["weighted_population"] / adults - 10_000 * current / adults
    np.testing.assert_allclose(change, expected, rtol=1e-9)
    printed = reference.read("filipe-2024-results").frame.set_index("quantity")["value"]
    low, high = float(printed["largest_loss"]), float(printed["largest_gain"])
    with capsys.disabled():
        print(
            f"\nA made-up city, per 10,000 adults: {change.min():+.1f} to {change.max():+.1f} FTE; Liverpool "
            f"as published: {low:+.1f} to {high:+.1f}. Nurses are spread as published, need is not tuned."
        )
    # Of the same order, or the index or the unit is wrong: nurses alone differ by 5.4 per 10,000.
    assert low < change.min() < -1
    assert 1 < change.max() < high


@pytest.fixture(scope="module")
def blocks(city):
    """Two blocks of need by team, and heads that count three times where a team is poorest."""
    need, _ = city
    table = need[["registered", "registered_adults"]].copy()
    table["hospital"] = (
        need["weighted_population"] * table["registered"].sum() / need["weighted_population"].sum()
    )
    table["prescribing"] = table["registered"] * np.linspace(0.9, 1.1, len(table))
    table["prescribing"] *= table["registered"].sum() / table["prescribing"].sum()
    return table, pd.Series(np.linspace(1.0, 3.0, len(table)), table.index)


def test_the_2018_coefficients_are_blocks_with_a_tenth_by_inequalities(blocks):
    """Coefficients times need and inequalities, against 90 to 10 of what is spent per head."""
    table, weights = blocks
    printed = reference.read("nhse-core-coefficients-2018-19").frame.set_index(["block", "multiplies"])
    heads = table["registered"]
    inequalities = heads * weights * heads.sum() / (heads * weights).sum()
    cost = pd.Series(np.linspace(0.93, 1.14, len(table)), table.index)
    own, index = "weighted population of the block", "health inequalities index"
    per_unit = printed["coefficient"]
    direct = cost * (
        per_unit["hospital_and_community", own] * table["hospital"]
        + per_unit["hospital_and_community", index] * inequalities
    ) + (per_unit["prescribing", own] * table["prescribing"] + per_unit["prescribing", index] * inequalities)
    shared = with_inequalities(
        table, weights, share=0.10, people="registered", blocks=("hospital", "prescribing")
    )
    spending = printed["spending_per_head"].groupby("block").first()
    # Cost factors are of hospital and community services, not of prescribing.
    ours = (
        spending["hospital_and_community"] * cost * shared["hospital"]
        + spending["prescribing"] * shared["prescribing"]
    ) / 1000
    # Coefficients are printed to six decimals of a thousand pounds, spending to a penny in 151.26 pounds.
    np.testing.assert_allclose(ours, direct, rtol=1e-5)
    total = round(direct.sum())
    by_blocks = allocate(total, table.assign(weighted_population=ours), unit="£000")
    assert by_blocks.table["posts"].sum() == total
    np.testing.assert_allclose(by_blocks.table["target"], direct * total / direct.sum(), rtol=1e-5)
    # With the factor on every block dear places would get more than they should.
    mixed = shared.assign(
        weighted_population=spending["hospital_and_community"] * shared["hospital"]
        + spending["prescribing"] * shared["prescribing"]
    )
    on_all = allocate(total, mixed, price=Price(cost, "made up"), unit="£000")
    dearest = cost.idxmax()
    assert on_all.table.loc[dearest, "target"] > by_blocks.table.loc[dearest, "target"]


def test_readings_of_print_are_a_range_over_plans(city):
    need, nurses = city
    current = (need["registered_adults"] * nurses / 10_000).round(1)
    total = round(current.sum(), 1)
    by_heads = need.assign(weighted_population=need["registered_adults"])
    plans = {"realigned": need, "heads alone": by_heads}
    found = compare_plans(
        {name: allocate(total, one, current=current, step=0.1) for name, one in plans.items()}
    )
    both = found.table["side"] == "on both sides"
    between = current.between(found.table["target_low"], found.table["target_high"])
    pd.testing.assert_series_equal(both, between, check_names=False)
    assert found.summary.loc["now", "gained"] == 0
