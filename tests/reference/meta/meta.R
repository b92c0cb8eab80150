# Random-effects meta-analyses by metafor, of studies.csv: REML, Hartung and Knapp ("adhoc"), prediction interval on k - 2
# degrees of freedom, which metafor does not give with this test: by hand from its own error and tau2.
# Rscript meta.R studies.csv > pooled.csv
suppressPackageStartupMessages(library(metafor))
studies <- read.csv(commandArgs(trailingOnly = TRUE)[1])
rows <- lapply(split(studies, studies$example), function(s) {
  m <- rma(yi = estimate, sei = error, data = s, method = "REML", test = "adhoc", control = list(threshold = 1e-12, maxiter = 1000))
  half <- qt(0.975, m$k - 2) * sqrt(m$tau2 + m$se^2)
  data.frame(example = s$example[1], n_studies = m$k, mean = c(m$beta), error = m$se, ci_low = m$ci.lb, ci_high = m$ci.ub,
             prediction_low = c(m$beta) - half, prediction_high = c(m$beta) + half, tau2 = m$tau2, i2 = m$I2, q = m$QE,
             p_heterogeneity = m$QEp)
})
options(digits = 15)
write.csv(do.call(rbind, rows), row.names = FALSE)
