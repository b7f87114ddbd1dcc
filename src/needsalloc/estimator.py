"""A fit with the habits of scikit-learn, for its tools: pipelines, cross-validation, searches.

scikit-learn is not needed, and not imported unless it asks: the estimator only keeps its rules, so that
parameters are what was passed, `fit` returns itself, and what it learns ends in an underscore.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from needsalloc.errors import FormulaError, first_few
from needsalloc.fit import Fit, Role, fit

Floats = NDArray[np.float64]


class CountRegression:
    """`needsalloc.fit` as an estimator: fit(X, y), predict(X), score(X, y).

    The parameters are those of `fit`, and X is a pandas frame with the columns that the formula names. Errors
    of coefficients play no part here: take them from `needsalloc.fit`.

    Attributes
    ----------
    fit_:
        The Fit, after fitting.

    >>> rows = pd.DataFrame({"contacts": [0, 0, 2, 1, 4, 9], "age": [1.0, 2.0, 1.0, 2.0, 3.0, 3.0]})
    >>> model = CountRegression("contacts ~ age", family="poisson").fit(rows)
    >>> model.predict(rows).round(2).tolist()
    [0.44, 1.62, 0.44, 1.62, 5.94, 5.94]
    """

    def __init__(
        self,
        formula: str,
        *,
        family: str = "zip",
        zero: str | None = None,
        roles: Mapping[Role, Iterable[str]] | None = None,
        centre: Iterable[str] = (),
        exposure: str | None = None,
        offset: Mapping[str, str] | None = None,
        weight: str | None = None,
    ) -> None:
        self.formula = formula
        self.family = family
        self.zero = zero
        self.roles = roles
        self.centre = centre
        self.exposure = exposure
        self.offset = offset
        self.weight = weight

    def fit(self, X: pd.DataFrame, y: ArrayLike | None = None) -> Self:
        """Fit to persons X (rows, columns), their counts y (rows,) or, without y, the column of the formula.

        Raises as `needsalloc.fit`.
        """
        rows = X
        if y is not None:
            count = self.formula.partition("~")[0].strip().strip("`")
            rows = X.assign(**{count: np.asarray(y)})
        self.fit_: Fit = fit(data=rows, **self.get_params())
        return self

    def predict(self, X: pd.DataFrame) -> Floats:
        """(rows,) expected counts. Raises as `Fit.predict`."""
        return self.fit_.predict(X).to_numpy(np.float64)

    def score(self, X: pd.DataFrame, y: ArrayLike) -> float:
        """R2 of the expected counts at the level of persons, as scikit-learn's regressors have it."""
        observed = np.asarray(y, dtype=np.float64)
        left = np.sum((observed - self.predict(X)) ** 2)
        return float(1.0 - left / np.sum((observed - observed.mean()) ** 2))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters as they were passed."""
        return {name: getattr(self, name) for name in _parameters()}

    def set_params(self, **params: Any) -> Self:
        """Change some of them. Raises FormulaError for one that there is not."""
        if unknown := [name for name in params if name not in _parameters()]:
            raise FormulaError(
                f"Unknown parameters: {first_few(unknown)}; there are {first_few(_parameters(), 20)}."
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of an estimator: this is a regressor, and it must have counts."""
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=False, positive_only=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(positive_only=False),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fit_")

    def __repr__(self) -> str:
        return f"CountRegression({self.formula!r}, family={self.family!r})"


def _parameters() -> list[str]:
    return [name for name in inspect.signature(CountRegression.__init__).parameters if name != "self"]


__all__ = ["CountRegression"]
