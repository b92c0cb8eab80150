# Rubin's rules by R's mice, for tests/models/test_rubin.py:
#
#   Rscript tests/reference/missing/missing.R [folder, by default the script's own]
#
# Writes nhanes.csv (the data set that ships with mice), imputations.csv (its m = 5 imputations: coefficients and errors of a
# linear regression in each) and rubin.csv (the pooled values, with and without finite complete-data degrees of freedom).
# Values in the committed files: R 4.2.2, mice 3.15.0.

suppressPackageStartupMessages(library(mice))
given <- commandArgs(trailingOnly = TRUE)
self <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(given)) given[1] else dirname(self)
save <- function(table, name) {
  number <- vapply(table, is.double, logical(1))
  table[number] <- lapply(table[number], function(x) sprintf("%.15g", x))
  write.csv(table, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}

imputed <- mice(nhanes, m = 5, seed = 1, printFlag = FALSE)
fits <- with(imputed, lm(chl ~ age + bmi + hyp))
single <- do.call(rbind, lapply(seq_along(fits$analyses), function(i) {
  table <- coef(summary(fits$analyses[[i]]))
  data.frame(imputation = i, term = rownames(table), estimate = table[, 1], standard_error = table[, 2])
}))
pooled <- function(dfcom, name) {
  p <- pool(fits, dfcom = dfcom)
  s <- summary(p, conf.int = TRUE)
  data.frame(
    complete_freedom = name, term = as.character(s$term), estimate = s$estimate, standard_error = s$std.error, df = s$df,
    p_value = s$p.value, ci_low = s[["2.5 %"]], ci_high = s[["97.5 %"]], fmi = p$pooled$fmi
  )
}
residual <- df.residual(fits$analyses[[1]])
save(single, "imputations")
save(rbind(pooled(residual, as.character(residual)), pooled(Inf, "inf")), "rubin")

# What multiple imputation by predictive mean matching makes of a mean and a regression, for the imputer here to meet within its
# own error: means over 200 imputations, so that the draws' own noise is small.
many <- mice(nhanes2, m = 200, maxit = 10, method = "pmm", seed = 2, printFlag = FALSE)
regression <- summary(pool(with(many, lm(chl ~ bmi))))
means <- function(name) mean(vapply(seq_len(200), function(i) mean(as.numeric(complete(many, i)[[name]])), 0))
save(data.frame(
  what = c("mean_bmi", "mean_chl", "mean_hyp", "slope_bmi", "slope_error"),
  value = c(means("bmi"), means("chl"), means("hyp"), regression$estimate[2], regression$std.error[2])
), "pmm")
save(transform(nhanes, age = as.double(age)), "nhanes")
