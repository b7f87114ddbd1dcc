# Reference measures of made-up areas by stats, sandwich, clubSandwich and laeken: `Rscript inequality.R` writes
# inequality_areas.csv and inequality.json again. Nobody lives in these areas.
#
# Ranks are counted one by one from their definition; the slope is lm with weights, its errors HC3 of sandwich,
# that of slope over mean by numDeriv's gradient; those of fours of areas are CR3 of clubSandwich; covariances are
# cov.wt's; Gini is laeken's.
suppressMessages({
  library(sandwich)
  library(clubSandwich)
  library(laeken)
  library(numDeriv)
  library(jsonlite)
})

set.seed(20)
n <- 60
areas <- data.frame(area = sprintf("A%02d", 1:n), icb = rep(c("North", "South", "East"), c(30, 22, 8)))
areas$people <- round(rlnorm(n, 8, 0.5))
areas$imd <- round(rgamma(n, 4, 0.2)) # several areas tie
areas$need <- round(areas$people * exp(0.01 * areas$imd + rnorm(n, 0, 0.2)), 1)
areas$fte <- round(areas$need / 900 * exp(-0.012 * areas$imd + rnorm(n, 0, 0.35)), 2)
areas$fte[c(4, 40)] <- 0
write.csv(areas, "inequality_areas.csv", row.names = FALSE)

fractional <- function(by, weight) {
  sapply(by, function(own) sum(weight[by < own]) + sum(weight[by == own]) / 2) / sum(weight)
}
concentration <- function(y, by, weight, v = 2) {
  both <- cbind(y, (1 - fractional(by, weight))^(v - 1))
  -v * cov.wt(both, weight, method = "ML")$cov[1, 2] / weighted.mean(y, weight)
}

level <- areas$fte / areas$need
each <- areas$fte / areas$people
needed <- areas$need / areas$people
first <- -areas$imd # the most deprived have the highest score
r <- fractional(first, areas$need)
fit <- lm(level ~ r, weights = need, data = areas)
errors <- vcovHC(fit, type = "HC3")
# The mean of the line is that at r = 1/2.
relative <- function(b) b[2] / (b[1] + b[2] / 2)
gradient <- grad(relative, coef(fit))
relative_error <- sqrt(c(gradient %*% errors %*% gradient))
freedom <- df.residual(fit)
within <- function(value, error, of = freedom) {
  half <- qt(c(0.975, 0.999), of) * error
  list(value = value, low_95 = value - half[1], high_95 = value + half[1],
       low_99_8 = value - half[2], high_99_8 = value + half[2])
}

four <- (seq_len(n) - 1) %/% 4 # 15 of them
together <- as.matrix(vcovCR(fit, cluster = four, type = "CR3"))
of_fours <- within(unname(coef(fit)[2]), sqrt(together[2, 2]), 15 - 2)
relative_error_of_fours <- sqrt(c(gradient %*% together %*% gradient))
relative_of_fours <- within(relative(unname(coef(fit))), relative_error_of_fours, 15 - 2)

of_need <- concentration(needed, first, areas$people)
per_person <- concentration(each, first, areas$people)
share <- areas$fte / sum(areas$fte)
fair <- areas$need / sum(areas$need)

spread <- cov.wt(cbind(r), areas$need, method = "ML")$cov[1, 1]
answers <- list(
  software = paste(R.version.string, "sandwich", packageVersion("sandwich"), "clubSandwich",
    packageVersion("clubSandwich"), "laeken", packageVersion("laeken")),
  slope_index = within(unname(coef(fit)[2]), sqrt(errors[2, 2])),
  relative_index = within(relative(unname(coef(fit))), relative_error),
  concentration_index = within(concentration(level, first, areas$need), 2 * spread * relative_error),
  fours = list(slope_index = of_fours, relative_index = relative_of_fours),
  extended_concentration_index = concentration(level, first, areas$need, 3),
  concentration_index_per_person = per_person,
  concentration_index_of_need = of_need,
  horizontal_inequity = per_person - of_need,
  kakwani_by_need = concentration(each, needed, areas$people) - gini(needed, areas$people)$value / 100,
  gini = gini(level, areas$need)$value / 100,
  hoover = sum(pmax(share - fair, 0))
)
write(toJSON(answers, auto_unbox = TRUE, digits = NA, pretty = TRUE), "inequality.json")
