# Reference fits of cohort.csv by pscl, MASS, stats and glmmTMB: `Rscript fits.R` writes fits.json again.
#
# pscl's optimiser (BFGS) runs without EM at reltol = 1e-14 from its own start, then twenty times from beside the
# best so far; the run with the smallest `gradient` is kept: the largest sum of scores, by sandwich::estfun.
# glmmTMB does not converge at its defaults to the digits wanted: it starts from pscl's optimum, runs nlminb
# with rel.tol = x.tol = 1e-15 (which ends with a warning of its rule, 7), and takes five Newton steps by its
# own gradient and the Hessian of that; `gradient` is TMB's own, below 1e-11.
suppressMessages({
  library(pscl)
  library(MASS)
  library(glmmTMB)
  library(sandwich)
  library(jsonlite)
})

cohort <- read.csv("cohort.csv", stringsAsFactors = FALSE)
cohort$setting <- factor(cohort$setting, levels = c("own", "shared", "home"))
cohort$counted <- 1
multiplied <- transform(cohort, counted = people)
repeated <- cohort[rep(seq_len(nrow(cohort)), cohort$people), ]
at <- c(1, 7, 50, 1000, 2400) # rows that are predicted

# A term as written in our formulas: "setting=home", "age:imd", "Intercept".
ours <- function(names) {
  names <- gsub("\\(Intercept\\)", "Intercept", names)
  gsub("setting(own|shared|home)", "setting=\\1", names)
}
named <- function(x) setNames(as.list(as.numeric(x)), ours(names(x)))
matrix_of <- function(m) unname(as.matrix(m))

tight <- function(fitter, formula, dist, data) {
  to <- function(start) fitter(formula, dist, data, list(EM = FALSE, reltol = 1e-14, maxit = 10000, start = start))
  fit <- to(NULL)
  slope <- function(fit) max(abs(colSums(estfun(fit))))
  for (again in 1:20) {
    # A step aside, since BFGS that starts on an optimum of its own does not look again.
    aside <- 1 + 1e-4 * (-1)^again
    from <- list(count = aside * fit$coefficients$count, zero = aside * fit$coefficients$zero)
    if (!is.null(fit$theta)) from$theta <- aside * fit$theta
    better <- to(from)
    if (slope(better) < slope(fit)) fit <- better
  }
  fit
}
zeroinfl_to <- function(formula, dist, data, how)
  zeroinfl(formula, data = data, weights = counted, dist = dist, control = do.call(zeroinfl.control, how))
hurdle_to <- function(formula, dist, data, how) {
  how$EM <- NULL
  hurdle(formula, data = data, weights = counted, dist = dist, control = do.call(hurdle.control, how))
}

two_parts <- function(fit, software, family) {
  new <- cohort[at, ]
  list(
    software = software,
    family = family,
    count = named(fit$coefficients$count),
    zero = named(fit$coefficients$zero),
    log_theta = if (is.null(fit$theta)) NULL else unname(log(fit$theta)),
    log_likelihood = as.numeric(logLik(fit)),
    aic = AIC(fit),
    terms = ours(names(coef(fit))),
    covariance = matrix_of(vcov(fit)),
    se_log_theta = if (is.null(fit$SE.logtheta)) NULL else unname(fit$SE.logtheta),
    mean = as.numeric(predict(fit, new, type = "response")),
    zero_part = as.numeric(predict(fit, new, type = "zero")),
    probability_of_none = as.numeric(predict(fit, new, type = "prob", at = 0:1)[, 1]),
    gradient = max(abs(colSums(estfun(fit))))
  )
}

one_part <- function(fit, software, family, log_theta = NULL, se_log_theta = NULL) {
  list(
    software = software,
    family = family,
    count = named(coef(fit)),
    log_theta = log_theta,
    log_likelihood = as.numeric(logLik(fit)),
    aic = AIC(fit),
    terms = ours(paste0("count_", names(coef(fit)))),
    covariance = matrix_of(vcov(fit)),
    se_log_theta = se_log_theta,
    mean = as.numeric(fitted(fit)[at]),
    deviance = deviance(fit),
    pearson_dispersion = sum(residuals(fit, "pearson")^2) / fit$df.residual,
    gradient = max(abs(colSums(estfun(fit))))
  )
}

# The covariance of glm.nb takes theta as known; the covariance of all of it is the inverse of the Hessian
# here, by the second derivatives of the negative binomial log-likelihood (Lawless 1987), written out.
negative_binomial <- function(fit, family) {
  X <- model.matrix(fit)
  y <- fit$y
  w <- fit$prior.weights
  mu <- fitted(fit)
  th <- fit$theta
  u <- (y - mu) * th / (mu + th)
  h_bb <- -mu * th * (th + y) / (mu + th)^2
  s_t <- digamma(y + th) - digamma(th) + log(th / (th + mu)) + 1 - (y + th) / (mu + th)
  d_t <- trigamma(y + th) - trigamma(th) + 1 / th - 2 / (mu + th) + (y + th) / (mu + th)^2
  h_bt <- th * (y - mu) * mu / (mu + th)^2 # d2 / d eta d log theta
  h_tt <- th * s_t + th^2 * d_t
  H <- rbind(cbind(crossprod(X, w * h_bb * X), crossprod(X, w * h_bt)), c(crossprod(X, w * h_bt), sum(w * h_tt)))
  V <- solve(-H)
  out <- one_part(fit, "MASS::glm.nb", family, log(th), sqrt(V[nrow(V), ncol(V)]))
  out$covariance <- matrix_of(V[-nrow(V), -ncol(V)])
  out$covariance_with_log_theta <- matrix_of(V)
  out$gradient <- max(abs(c(colSums(w * u * X), sum(w * th * s_t))))
  out$deviance <- NULL
  out$pearson_dispersion <- NULL
  out
}

main <- contacts ~ age + imd + female + frail + setting + nurses + age:imd
both <- contacts ~ age + imd + female + frail + nurses + age:imd | age + imd + female + frail + nurses + age:imd
parted <- contacts ~ age + imd + female + frail + setting + nurses + age:imd | age + imd + frail + nurses
exposed <- contacts ~ age + imd + frail + nurses + offset(log(days / 365)) | age + imd + frail
exposed_both <- contacts ~ age + imd + frail + nurses + offset(log(days / 365)) |
  age + imd + frail + offset(log(days / 365))
exact <- glm.control(epsilon = 1e-15, maxit = 200)

nb_to <- function(formula, data) {
  fit <- glm.nb(formula, data = data, weights = counted, control = exact)
  # glm.nb's own rule stops theta near 1e-8; its two steps are repeated from there until theta stands still.
  for (again in 1:50) {
    th <- fit$theta
    beta <- glm(formula, family = negative.binomial(th), data = data, weights = counted, control = exact, start = coef(fit))
    fit$theta <- as.numeric(theta.ml(beta$y, fitted(beta), sum(beta$prior.weights), beta$prior.weights,
      limit = 200, eps = 1e-15))
    for (part in c("coefficients", "fitted.values", "linear.predictors", "residuals", "weights"))
      fit[[part]] <- beta[[part]]
    if (abs(fit$theta / th - 1) < 1e-14) break
  }
  mu <- fit$fitted.values
  fit$twologlik <- 2 * sum(fit$prior.weights * dnbinom(fit$y, size = fit$theta, mu = mu, log = TRUE))
  fit
}
with_formula <- function(entry, formula, zero = NULL, ...) c(list(formula = formula, zero_formula = zero, ...), entry)

count_main <- "contacts ~ age + imd + female + frail + setting + nurses + age:imd"
count_both <- "contacts ~ age + imd + female + frail + nurses + age:imd"
zero_main <- "~ age + imd + frail + nurses"
count_exposed <- "contacts ~ age + imd + frail + nurses"
zero_exposed <- "~ age + imd + frail"

results <- list()

# Poisson, quasi-Poisson, negative binomial.
poisson <- glm(main, family = poisson(), data = cohort, control = exact)
results$poisson <- with_formula(one_part(poisson, "stats::glm", "poisson"), count_main)
weighted <- glm(main, family = poisson(), data = cohort, weights = people, control = exact)
results$poisson_weighted <- with_formula(one_part(weighted, "stats::glm", "poisson"), count_main, weight = "people")
off <- glm(contacts ~ age + imd + frail + nurses + offset(log(days / 365)), family = poisson(), data = cohort,
  control = exact)
results$poisson_exposure <- with_formula(one_part(off, "stats::glm", "poisson"), count_exposed, exposure = "days")
quasi <- glm(hours ~ age + imd + frail + nurses, family = quasipoisson(), data = cohort, control = exact)
entry <- one_part(quasi, "stats::glm", "quasi")
entry$aic <- entry$log_likelihood <- NULL
entry$covariance <- matrix_of(vcov(quasi) / summary(quasi)$dispersion) # at dispersion 1
results$quasi <- with_formula(entry, "hours ~ age + imd + frail + nurses")
results$nb <- with_formula(negative_binomial(nb_to(main, cohort), "nb"), count_main)
results$nb_weighted <- with_formula(
  negative_binomial(nb_to(main, multiplied), "nb"), count_main, weight = "people")

# Zero-inflated and hurdle, both parts alike, parts of their own, weighted, with an exposure in one and in both.
for (dist in c("poisson", "negbin")) {
  zi <- if (dist == "poisson") "zip" else "zinb"
  hu <- if (dist == "poisson") "hurdle" else "hurdle-nb"
  add <- function(case, fitter, family, formula, written, zero, noted = list(), data = cohort) {
    fit <- tight(fitter, formula, dist, data)
    software <- paste0("pscl::", if (family %in% c("zip", "zinb")) "zeroinfl" else "hurdle")
    key <- paste(c(gsub("-", "_", family), case), collapse = "_")
    results[[key]] <<- do.call(with_formula, c(list(two_parts(fit, software, family), written, zero), noted))
    fit
  }
  fitted_zi <- add(NULL, zeroinfl_to, zi, parted, count_main, zero_main)
  add("same", zeroinfl_to, zi, both, count_both, sub("contacts", "", count_both))
  # The gradient of log theta in pscl 1.5.5's zero-inflated negative binomial leaves the weights out, so that
  # it stops beside the optimum: there each row is repeated instead.
  add("weighted", zeroinfl_to, zi, parted, count_main, zero_main, noted = list(weight = "people"),
    data = if (dist == "negbin") repeated else multiplied)
  add("exposure", zeroinfl_to, zi, exposed, count_exposed, zero_exposed, noted = list(exposure = "days"))
  add("exposure_both", zeroinfl_to, zi, exposed_both, count_exposed, zero_exposed,
    noted = list(exposure = "days", zero_exposure = "days"))
  add(NULL, hurdle_to, hu, parted, count_main, zero_main)
  add("weighted", hurdle_to, hu, parted, count_main, zero_main, noted = list(weight = "people"),
    data = multiplied)
  add("exposure", hurdle_to, hu, exposed, count_exposed, zero_exposed, noted = list(exposure = "days"))

  # glmmTMB, from pscl's optimum.
  start <- list(beta = fitted_zi$coefficients$count, betazi = fitted_zi$coefficients$zero)
  if (dist == "negbin") start[["betad"]] <- log(fitted_zi$theta)
  tmb <- glmmTMB(main, ziformula = ~ age + imd + frail + nurses, data = cohort,
    family = if (dist == "poisson") stats::poisson() else nbinom2(), start = start,
    control = glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-15, x.tol = 1e-15)))
  par <- tmb$fit$par
  H <- optimHess(par, tmb$obj$fn, tmb$obj$gr, control = list(ndeps = rep(1e-4, length(par))))
  for (polish in 1:5) par <- par - solve(H, as.numeric(tmb$obj$gr(par)))
  V <- solve(H)
  n_count <- length(fixef(tmb)$cond)
  n_zero <- length(fixef(tmb)$zi)
  labels <- c(paste0("count_", names(fixef(tmb)$cond)), paste0("zero_", names(fixef(tmb)$zi)))
  keep <- seq_len(n_count + n_zero)
  results[[paste0(zi, "_glmmTMB")]] <- with_formula(
    list(
      software = "glmmTMB::glmmTMB",
      family = zi,
      count = named(setNames(par[seq_len(n_count)], names(fixef(tmb)$cond))),
      zero = named(setNames(par[n_count + seq_len(n_zero)], names(fixef(tmb)$zi))),
      log_theta = if (dist == "negbin") unname(par[names(par) == "betad"]) else NULL,
      log_likelihood = -as.numeric(tmb$obj$fn(par)),
      terms = ours(labels),
      covariance = matrix_of(V[keep, keep]),
      se_log_theta = if (dist == "negbin") sqrt(V[nrow(V), ncol(V)]) else NULL,
      gradient = max(abs(tmb$obj$gr(par)))
    ),
    count_main, zero_main
  )
}

results$made_with <- list(
  R = R.version.string,
  pscl = as.character(packageVersion("pscl")),
  MASS = as.character(packageVersion("MASS")),
  glmmTMB = as.character(packageVersion("glmmTMB")),
  predicted_rows = at
)
write_json(results, "fits.json", digits = I(16), auto_unbox = TRUE, null = "null")
for (key in setdiff(names(results), "made_with"))
  cat(sprintf("%-22s %16.8f gradient %.1e\n", key, c(results[[key]]$log_likelihood, NA)[1], results[[key]]$gradient))
