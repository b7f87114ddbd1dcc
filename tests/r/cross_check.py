"""Poisson and negative binomial fits of cohort.csv by statsmodels: `python cross_check.py` writes them again.

Only these two: its zero-inflated fits say that they converged when they have not. Newton's method, to a
largest score below 1e-8. The negative binomial's alpha is 1 / theta, so log theta = -log alpha and its
variance follows by the delta method.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm

HERE = Path(__file__).parent
TERMS = ("Intercept", "age", "imd", "frail", "nurses")


def fitted() -> dict[str, object]:
    rows = pd.read_csv(HERE / "cohort.csv")
    design = rows[list(TERMS[1:])].assign(Intercept=1.0)[list(TERMS)]
    out: dict[str, object] = {"statsmodels": statsmodels.__version__, "formula": "age + imd + frail + nurses"}
    for name, model in (
        ("poisson", sm.Poisson(rows["contacts"], design)),
        ("nb", sm.NegativeBinomial(rows["contacts"], design)),
    ):
        start = model.fit(method="bfgs", maxiter=500, disp=False).params
        fit = model.fit(start_params=start, method="newton", tol=1e-14, maxiter=100, disp=False)
        score = np.abs(model.score(np.asarray(fit.params))).max()
        assert score < 1e-8, score
        robust = model.fit(start_params=fit.params, method="newton", disp=False, cov_type="HC0")
        # d log theta / d alpha = -1 / alpha
        scale = (
            np.append(np.ones(len(TERMS)), -1 / fit.params["alpha"]) if name == "nb" else np.ones(len(TERMS))
        )
        out[name] = {
            "terms": [*TERMS, "log_theta"][: len(scale)],
            "coefficients": [
                *fit.params[list(TERMS)],
                *([-np.log(fit.params["alpha"])] if name == "nb" else []),
            ],
            "log_likelihood": fit.llf,
            "aic": fit.aic,
            "model": (fit.cov_params().to_numpy() * np.outer(scale, scale)).tolist(),
            "robust": (robust.cov_params().to_numpy() * np.outer(scale, scale)).tolist(),
        }
    return out


if __name__ == "__main__":
    (HERE / "statsmodels.json").write_text(json.dumps(fitted(), indent=1) + "\n")
