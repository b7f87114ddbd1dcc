"""The estimator in scikit-learn's own hands, where that is installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from needsalloc.errors import FormulaError
from needsalloc.estimator import CountRegression
from needsalloc.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:<Cells")


@pytest.fixture(scope="module")
def cohort():
    return pd.read_csv(Path(__file__).parent / "r" / "cohort.csv")


def test_it_is_a_fit(cohort):
    model = CountRegression("contacts ~ age + frail", zero="~ age")
    assert model.fit(cohort) is model
    expected = fit("contacts ~ age + frail", cohort, zero="~ age").predict(cohort)
    assert model.predict(cohort) == pytest.approx(expected.to_numpy(), rel=1e-10)
    # the count may come apart from the predictors
    apart = CountRegression("contacts ~ age + frail", zero="~ age")
    apart.fit(cohort[["age", "frail"]], cohort["contacts"].to_numpy())
    assert apart.predict(cohort) == pytest.approx(model.predict(cohort), rel=1e-10)


def test_score_is_r2_of_persons(cohort):
    model = CountRegression("contacts ~ age + frail", family="poisson").fit(cohort)
    observed, expected = cohort["contacts"], model.predict(cohort)
    share = 1 - ((observed - expected) ** 2).mean() / observed.var(ddof=0)
    assert model.score(cohort, observed) == pytest.approx(share)


def test_parameters_are_what_was_passed():
    model = CountRegression("contacts ~ age", family="nb", centre=["age"])
    assert model.get_params()["centre"] == ["age"]
    assert model.set_params(family="zinb").family == "zinb"
    with pytest.raises(FormulaError, match="alpha"):
        model.set_params(alpha=1)


def test_scikit_learn_clones_cross_validates_and_searches(cohort):
    pytest.importorskip("sklearn")
    from sklearn.base import clone, is_regressor
    from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.utils.validation import check_is_fitted

    model = CountRegression("contacts ~ age + frail", zero="~ age")
    again = clone(model)
    assert again is not model
    assert again.get_params() == model.get_params()
    assert is_regressor(model)
    columns, contacts = cohort[["age", "frail", "imd"]], cohort["contacts"]
    scores = cross_val_score(model, columns, contacts, cv=GroupKFold(4), groups=cohort["area"])
    # by hand, on the same folds
    folds = GroupKFold(4).split(columns, contacts, cohort["area"])
    by_hand = []
    for known, held in folds:
        expected = fit(model.formula, cohort.iloc[known], zero="~ age").predict(cohort.iloc[held])
        away = contacts.iloc[held]
        by_hand.append(1 - ((away - expected) ** 2).sum() / ((away - away.mean()) ** 2).sum())
    assert scores == pytest.approx(np.array(by_hand), rel=1e-9)
    formulas = ["contacts ~ age", "contacts ~ age + frail"]
    search = GridSearchCV(model, {"formula": formulas}, cv=3).fit(columns, contacts)
    assert search.best_params_["formula"] in formulas
    piped = make_pipeline(clone(model)).fit(columns, contacts)
    check_is_fitted(piped[-1])
    assert len(piped.predict(columns)) == len(columns)


def test_scikit_learn_is_not_imported():
    code = "import sys, needsalloc.estimator; print('sklearn' in sys.modules, 'formulaic' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]
