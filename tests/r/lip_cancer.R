# Male lip cancer in the 56 districts of Scotland, 1975-80: cases, expected cases and the percentage of the work
# force in agriculture, fishing and forestry (Clayton & Kaldor 1987, Biometrics 43:671-681; data as in the
# examples of GeoBUGS). `Rscript lip_cancer.R` writes lip_cancer.json again: the gamma prior and its posterior by
# MASS::glm.nb, alone and on the covariate. The paper's model has shape nu and rate alpha: nu is theta, alpha is
# theta / exp(constant).
library(MASS)
library(jsonlite)

cases <- c(
  9, 39, 11, 9, 15, 8, 26, 7, 6, 20, 13, 5, 3, 8, 17, 9, 2, 7, 9, 7, 16, 31, 11, 7, 19, 15, 7, 10, 16, 11,
  5, 3, 7, 8, 11, 9, 11, 8, 6, 4, 10, 8, 2, 6, 19, 3, 2, 3, 28, 6, 1, 1, 1, 1, 0, 0
)
expected <- c(
  1.4, 8.7, 3.0, 2.5, 4.3, 2.4, 8.1, 2.3, 2.0, 6.6, 4.4, 1.8, 1.1, 3.3, 7.8, 4.6, 1.1, 4.2, 5.5, 4.4, 10.5, 22.7,
  8.8, 5.6, 15.5, 12.5, 6.0, 9.0, 14.4, 10.2, 4.8, 2.9, 7.0, 8.5, 12.3, 10.1, 12.7, 9.4, 7.2, 5.3, 18.8, 15.8,
  4.3, 14.6, 50.7, 8.2, 5.6, 9.3, 88.7, 19.6, 3.4, 3.6, 5.7, 7.0, 4.2, 1.8
)
outdoors <- c(
  16, 16, 10, 24, 10, 24, 10, 7, 7, 16, 7, 16, 10, 24, 7, 16, 10, 7, 7, 10, 7, 16, 10, 7, 1, 1, 7, 7, 10, 10, 7,
  24, 10, 7, 7, 0, 10, 1, 16, 0, 1, 16, 16, 0, 1, 7, 1, 1, 0, 1, 1, 0, 1, 1, 16, 10
)

tight <- glm.control(epsilon = 1e-14, maxit = 500)
posterior <- function(fit) {
  mu <- fitted(fit)
  list(
    theta = fit$theta,
    coefficients = unname(coef(fit)),
    relative_risk = unname(mu * (fit$theta + cases) / (fit$theta + mu) / expected),
    low = unname(mu * qgamma(0.025, fit$theta + cases, fit$theta + mu) / expected),
    high = unname(mu * qgamma(0.975, fit$theta + cases, fit$theta + mu) / expected)
  )
}
write_json(
  list(
    cases = cases, expected = expected, outdoors = outdoors,
    alone = posterior(glm.nb(cases ~ 1 + offset(log(expected)), control = tight)),
    on_outdoors = posterior(glm.nb(cases ~ outdoors + offset(log(expected)), control = tight)),
    made_with = list(R = R.version.string, MASS = as.character(packageVersion("MASS")))
  ),
  "lip_cancer.json", digits = NA, auto_unbox = TRUE, pretty = FALSE
)
