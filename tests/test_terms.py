"""Designs of distinct values against formulaic on every row, and the names that terms have."""

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula

from needsalloc import terms
from needsalloc.kernels.families import FAMILIES

RIGHT = (
    "age + imd + C(ethnicity, contr.treatment(base='w')) + C(decile) + age:imd + age:ethnicity"
    " + flag:C(decile) + I(age**2) + np.log(age) + I(age * imd) + age:imd:flag"
)


@pytest.fixture(scope="module")
def keys():
    rng = np.random.default_rng(0)
    n = 700
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "imd": rng.normal(size=n).round(1),
            "ethnicity": pd.Categorical(rng.choice(["w", "a", "b"], n)),
            "decile": rng.integers(1, 5, n),
            "flag": rng.random(n) < 0.5,
        }
    )


def settled(right, keys, centring=None):
    parsed = terms.parse(f"contacts ~ {right}", None, FAMILIES["poisson"])
    known = terms.centred(terms.variables(keys, parsed.variables), centring or {})
    return terms.settle(parsed.parts["count"], known), known


@pytest.mark.parametrize("tabled", [terms.TABLED, 10])
def test_the_design_is_that_of_every_row(keys, tabled, monkeypatch):
    monkeypatch.setattr(terms, "TABLED", tabled)
    found, known = settled(RIGHT, keys)
    design = terms.design(found, known, len(keys))
    expected = np.asarray(Formula(RIGHT).get_model_matrix(keys.astype({"flag": int})), dtype=float)
    assert (design.rows(0, len(keys)).T == expected).all()
    assert found.matrix(terms.prepared(keys, {})) == pytest.approx(expected)
    assert max(block.codes.dtype.itemsize for block in design.blocks) == 2


def test_centring_enters_every_function_of_a_variable(keys):
    found, known = settled("I(age**2) + age:flag", keys, {"age": (50.0, 20.0)})
    age = (keys["age"] - 50) / 20
    design = terms.design(found, known, len(keys)).rows(0, len(keys))
    assert design[1] == pytest.approx(age**2)
    assert design[2] == pytest.approx(age * keys["flag"])


def test_labels_are_those_of_a_need_formula(keys):
    found, _ = settled("age + ethnicity + C(decile) + ethnicity:flag + np.log(age)", keys)
    assert found.labels == (
        "Intercept",
        "age",
        "ethnicity=b",
        "ethnicity=w",
        "decile=2",
        "decile=3",
        "decile=4",
        "np.log(age)",
        "ethnicity=a:flag",
        "ethnicity=b:flag",
        "ethnicity=w:flag",
    )
    assert found.variables_of["ethnicity=b:flag"] == ("ethnicity", "flag")
    assert found.variables_of["np.log(age)"] == ("age",)
    assert found.variables == ("age", "decile", "ethnicity", "flag")


def test_a_name_with_a_space_is_quoted(keys):
    found, known = settled("`IMD score`", keys.rename(columns={"imd": "IMD score"}))
    assert found.labels == ("Intercept", "IMD score")
    assert terms.design(found, known, len(keys)).rows(0, 700)[1] == pytest.approx(keys["imd"])
