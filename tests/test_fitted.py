"""What a need formula cannot hold is refused when it is made of a fit."""

from __future__ import annotations

import pandas as pd
import pytest

from linked_people import people
from needsalloc.errors import FormulaError
from needsalloc.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:<Cells")  # a few thousand people compress poorly


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return people(3_000)


def test_unmet_need_needs_a_reference(rows: pd.DataFrame) -> None:
    unmet = {"unmet_need": ["frail"]}
    centred = fit("contacts ~ age + frail", rows, family="poisson", roles=unmet, centre=["frail"])
    with pytest.raises(FormulaError, match="frail is unmet need, held at its reference, which is 0"):
        _ = centred.formula
    assert fit("contacts ~ age + frail", rows, family="poisson", roles=unmet).formula.unmet_need == ("frail",)
    full = "contacts ~ 0 + group + age"
    each = fit(full, rows, zero="~ age", roles={"unmet_need": ["group"]})
    assert "group=a" in each.formula.count  # the count part keeps what is unmet
    with pytest.raises(FormulaError, match="none is the reference"):
        _ = fit(full, rows, family="poisson", roles={"unmet_need": ["group"]}).formula


def test_services_by_level_cannot_be_held(rows: pd.DataFrame) -> None:
    few = rows.assign(gp=rows["gp"].clip(upper=2))
    found = fit("contacts ~ age + C(gp)", few, family="poisson", roles={"utilisation": ["gp"]})
    with pytest.raises(FormulaError, match="gp=1, gp=2 is utilisation by level"):
        _ = found.formula
