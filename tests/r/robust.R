# Reference sandwich covariances for fits of cohort.csv: `Rscript robust.R` writes robust.json again.
#
# Weighted fits repeat each row `people` times, which is what frequency weights mean (sandwich takes weights as
# precisions). Without theta: sandwich::vcovCL on pscl's or stats' fit. Negative binomial families: sandwich
# leaves log theta out of scores and bread, which is not the sandwich of the whole estimator; here the scores
# are five-point differences of R's own densities, by row, and the bread is the Hessian of the same sums.
# Few clusters: clubSandwich's CR2 with Satterthwaite's degrees of freedom, of the last weighted least squares
# step of the Poisson fit written as an unweighted regression (rows times sqrt(mu)); that of the glm itself
# stands beside it: it takes another square root of the same adjustment, and its standard errors differ by up to 1 %.
suppressMessages({
  library(pscl)
  library(MASS)
  library(sandwich)
  library(clubSandwich)
  library(jsonlite)
})

cohort <- read.csv("cohort.csv", stringsAsFactors = FALSE)
repeated <- cohort[rep(seq_len(nrow(cohort)), cohort$people), ]
stored <- read_json("fits.json", simplifyVector = TRUE)
exact <- glm.control(epsilon = 1e-15, maxit = 200)
ours <- function(names) gsub("\\(Intercept\\)", "Intercept", names)
matrix_of <- function(m) unname(as.matrix(m))

count_terms <- "contacts ~ age + imd + frail + nurses"
zero_terms <- "~ age + imd + frail"
results <- list()

entry <- function(key, family, weight, terms, coefficients, covariances, zero = NULL) {
  results[[key]] <<- c(
    list(
      family = family, formula = count_terms, zero_formula = zero, weight = weight,
      terms = ours(terms), coefficients = unname(as.numeric(coefficients))
    ),
    covariances
  )
}
# HC0 by person; by area and team with G / (G - 1), as vcovCL's cadjust.
from_scores <- function(psi, bread, data) {
  clustered <- function(by) {
    s <- rowsum(psi, data[[by]])
    bread %*% crossprod(s) %*% bread * nrow(s) / (nrow(s) - 1)
  }
  list(robust = matrix_of(bread %*% crossprod(psi) %*% bread), clustered_area = matrix_of(clustered("area")),
    clustered_team = matrix_of(clustered("team")))
}
by_sandwich <- function(fit, data) {
  list(
    robust = matrix_of(sandwich::sandwich(fit)),
    clustered_area = matrix_of(vcovCL(fit, data$area, type = "HC0", cadjust = TRUE)),
    clustered_team = matrix_of(vcovCL(fit, data$team, type = "HC0", cadjust = TRUE))
  )
}

for (weight in c("none", "people")) {
  data <- if (weight == "none") cohort else repeated
  column <- if (weight == "none") NULL else "people"
  of <- function(name) if (weight == "none") name else paste0(name, "_weighted")
  plain <- contacts ~ age + imd + frail + nurses
  parted <- contacts ~ age + imd + frail + nurses | age + imd + frail
  y <- data$contacts
  X <- model.matrix(plain, data)
  Z <- model.matrix(~ age + imd + frail, data)

  poisson <- glm(plain, family = poisson(), data = data, control = exact)
  entry(of("poisson"), "poisson", column, paste0("count_", names(coef(poisson))), coef(poisson),
    by_sandwich(poisson, data))

  # The last step as least squares: w^(1/2) z on w^(1/2) X.
  mu <- fitted(poisson)
  z <- log(mu) + (y - mu) / mu
  step <- as.data.frame(sqrt(mu) * X)
  names(step) <- c("Intercept", "age", "imd", "frail", "nurses")
  step$z <- sqrt(mu) * z
  least <- lm(z ~ 0 + Intercept + age + imd + frail + nurses, data = step)
  few <- function(by) {
    cluster <- data[[by]]
    least_v <- vcovCR(least, cluster = cluster, type = "CR2")
    tested <- coef_test(least, vcov = least_v, test = "Satterthwaite")
    glm_v <- vcovCR(poisson, cluster = cluster, type = "CR2")
    glm_tested <- coef_test(poisson, vcov = glm_v, test = "Satterthwaite")
    list(
      covariance = matrix_of(least_v), degrees_of_freedom = tested[["df_Satt"]],
      glm_covariance = matrix_of(glm_v), glm_degrees_of_freedom = glm_tested[["df_Satt"]]
    )
  }
  results[[of("poisson")]]$bias_reduced_team <- few("team")
  results[[of("poisson")]]$bias_reduced_area <- few("area")

  zip <- zeroinfl(parted, data = data, EM = FALSE, reltol = 1e-14, maxit = 10000)
  entry(of("zip"), "zip", column, names(coef(zip)), coef(zip), by_sandwich(zip, data), zero_terms)
  hurdle <- hurdle(parted, data = data, reltol = 1e-14, maxit = 10000)
  entry(of("hurdle"), "hurdle", column, names(coef(hurdle)), coef(hurdle), by_sandwich(hurdle, data), zero_terms)

  # With log theta.
  p <- ncol(X)
  q <- ncol(Z)
  whole <- function(key, family, row, par, terms, zero = NULL) {
    # Newton by the same differences, so that the coefficients are those of the sums differenced.
    near <- c(1 / 12, -2 / 3, 2 / 3, -1 / 12)
    shifts <- c(-2, -1, 1, 2)
    h <- 2e-3
    scores <- function(par) sapply(seq_along(par), function(j) {
      along <- replace(numeric(length(par)), j, h)
      Reduce(`+`, Map(function(w, k) w * row(par + k * along), near, shifts)) / h
    })
    hessian <- function(par) sapply(seq_along(par), function(j) {
      along <- replace(numeric(length(par)), j, h)
      Reduce(`+`, Map(function(w, k) w * colSums(scores(par + k * along)), near, shifts)) / h
    })
    for (step in 1:4) par <- par - solve(hessian(par), colSums(scores(par)))
    psi <- scores(par)
    bread <- solve(-(hessian(par) + t(hessian(par))) / 2)
    entry(key, family, column, c(terms, "log_theta"), par,
      c(list(model = matrix_of(bread), gradient = max(abs(colSums(psi)))), from_scores(psi, bread, data)), zero)
  }
  nb <- glm.nb(plain, data = data, control = exact)
  whole(of("nb"), "nb", function(par)
    dnbinom(y, size = exp(par[p + 1]), mu = exp(drop(X %*% par[1:p])), log = TRUE),
    c(coef(nb), log(nb$theta)), paste0("count_", names(coef(nb))))
  zinb <- zeroinfl(parted, data = data, dist = "negbin", EM = FALSE, reltol = 1e-14, maxit = 10000)
  whole(of("zinb"), "zinb", function(par) {
    never <- plogis(drop(Z %*% par[p + 1:q]))
    counted <- dnbinom(y, size = exp(par[p + q + 1]), mu = exp(drop(X %*% par[1:p])))
    log(never * (y == 0) + (1 - never) * counted)
  }, c(coef(zinb), log(zinb$theta)), names(coef(zinb)), zero_terms)
  hnb <- hurdle(parted, data = data, dist = "negbin", reltol = 1e-14, maxit = 10000)
  whole(of("hurdle_nb"), "hurdle-nb", function(par) {
    any <- drop(Z %*% par[p + 1:q])
    size <- exp(par[p + q + 1])
    mu <- exp(drop(X %*% par[1:p]))
    some <- dnbinom(pmax(y, 1), size = size, mu = mu, log = TRUE) -
      pnbinom(0, size = size, mu = mu, lower.tail = FALSE, log.p = TRUE)
    ifelse(y == 0, plogis(-any, log.p = TRUE), plogis(any, log.p = TRUE) + some)
  }, c(coef(hnb), log(hnb$theta)), names(coef(hnb)), zero_terms)
}

results$made_with <- list(
  R = R.version.string,
  pscl = as.character(packageVersion("pscl")),
  sandwich = as.character(packageVersion("sandwich")),
  clubSandwich = as.character(packageVersion("clubSandwich"))
)
write_json(results, "robust.json", digits = I(16), auto_unbox = TRUE, null = "null")
