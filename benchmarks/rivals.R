# One peer of the fit on one file of persons or cells:
#   Rscript rivals.R PEER FILE.csv "contacts ~ age + …"
# prints a line of JSON. Packages are loaded before the clock starts. The column `people` is how many each row
# stands for. Peers: pscl (its defaults), pscl_em, pscl_tight (BFGS to reltol 1e-14), glmmTMB (its defaults),
# glmmTMB_longer (as many evaluations as nlminb asks for), glm (Poisson without a zero part).
arguments <- commandArgs(TRUE)
peer <- arguments[1]
of <- sub("_.*", "", peer)
package <- if (of == "glm") "stats" else of
if (!requireNamespace(package, quietly = TRUE)) {
  cat(sprintf('{"absent": "R has no package %s"}\n', package))
  quit()
}
suppressMessages(library(package, character.only = TRUE))
rows <- read.csv(arguments[2])
formula <- as.formula(arguments[3])

inflated <- function(...) zeroinfl(formula, rows, weights = people, dist = "poisson", control = zeroinfl.control(...))
mixed <- function(...)
  glmmTMB(
    formula, rows, weights = people, ziformula = formula[-2], family = poisson,
    control = glmmTMBControl(parallel = 1, ...)
  )

fits <- list(
  pscl = function() inflated(),
  pscl_em = function() inflated(EM = TRUE),
  pscl_tight = function() inflated(reltol = 1e-14),
  glmmTMB = function() mixed(),
  glmmTMB_longer = function() mixed(optCtrl = list(iter.max = 10000, eval.max = 20000)),
  glm = function() glm(formula, poisson, rows, weights = people)
)
took <- system.time(fit <- tryCatch(fits[[peer]](), error = conditionMessage), gcFirst = TRUE)
if (is.character(fit)) {
  cat(sprintf('{"failed": "%s"}\n', gsub('["\n]', "", fit)))
  quit()
}

one <- function(x) sprintf("[%s]", paste(ifelse(is.finite(x), sprintf("%.17g", x), "null"), collapse = ", "))
if (of == "glmmTMB") {
  estimates <- unlist(fixef(fit)[c("cond", "zi")])
  errors <- sqrt(unlist(lapply(vcov(fit)[c("cond", "zi")], diag)))
  says <- if (fit$fit$convergence == 0 && isTRUE(fit$sdr$pdHess)) "converged" else fit$fit$message
} else {
  estimates <- coef(fit)
  errors <- sqrt(diag(vcov(fit)))
  says <- if (fit$converged) "converged" else "did not converge"
}
answer <- paste0(
  '{"CPU seconds": %.3f, "seconds": %.3f, "says": "%s", "log_likelihood": %.16g, ',
  '"coefficients": %s, "errors": %s, "version": "R %s, %s %s"}\n'
)
cat(sprintf(
  answer,
  sum(took[1:2]), took[3], says, as.numeric(logLik(fit)), one(estimates), one(errors),
  getRversion(), package, packageVersion(package)
))
