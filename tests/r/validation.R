# What six families of cohort.csv expect, by pscl, MASS and stats: `Rscript validation.R` writes validation.json.
#
# The same terms in both parts. `people` are expected with 0 to 11 contacts, the sum of predict(type = "prob")
# over persons; criteria are R's own AIC() and BIC().
suppressMessages({
  library(pscl)
  library(MASS)
  library(jsonlite)
})

cohort <- read.csv("cohort.csv", stringsAsFactors = FALSE)
terms <- contacts ~ age + imd + frail + nurses
parts <- contacts ~ age + imd + frail + nurses | age + imd + frail + nurses
upto <- 0:11

# BFGS stops early even so; a second run from the optimum of the first goes on.
twice <- function(fitter, dist, control) {
  how <- list(reltol = 1e-14, maxit = 10000)
  first <- fitter(parts, data = cohort, dist = dist, control = do.call(control, how))
  how$start <- c(first$coefficients, if (is.null(first$theta)) NULL else list(theta = first$theta))
  how$start <- lapply(how$start, function(x) x * (1 + 1e-4))
  second <- fitter(parts, data = cohort, dist = dist, control = do.call(control, how))
  if (logLik(second) > logLik(first)) second else first
}
zip <- function(...) zeroinfl.control(EM = FALSE, ...)

plain <- glm(terms, data = cohort, family = poisson, control = glm.control(epsilon = 1e-14))
nb <- glm.nb(terms, data = cohort, control = glm.control(epsilon = 1e-14, maxit = 100))
fits <- list(
  poisson = plain,
  nb = nb,
  zip = twice(zeroinfl, "poisson", zip),
  zinb = twice(zeroinfl, "negbin", zip),
  hurdle = twice(hurdle, "poisson", hurdle.control),
  "hurdle-nb" = twice(hurdle, "negbin", hurdle.control)
)

chances <- function(fit) {
  mu <- fitted(fit)
  if (inherits(fit, "negbin")) return(sapply(upto, function(y) sum(dnbinom(y, size = fit$theta, mu = mu))))
  if (inherits(fit, "glm")) return(sapply(upto, function(y) sum(dpois(y, mu))))
  colSums(predict(fit, type = "prob", at = 0:max(cohort$contacts)))[upto + 1]
}

write_json(
  c(
    lapply(fits, function(fit) list(
      log_likelihood = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit),
      contacts = sum(fitted(fit)), people = as.numeric(chances(fit))
    )),
    list(made_with = list(R = as.character(getRversion()), pscl = as.character(packageVersion("pscl")),
                          MASS = as.character(packageVersion("MASS"))))
  ),
  "validation.json", auto_unbox = TRUE, digits = NA, pretty = TRUE
)
