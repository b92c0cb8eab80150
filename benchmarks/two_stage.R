# The two-stage procedure as a loop in R, for two_stage.py, which writes the patients and resamples and says how it is called:
#
#   Rscript two_stage.R folder formulas|bare endpoint ...
#
# Writes seconds.txt (without R's start and reading) and selected.txt, a line an endpoint and resample.

suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
folder <- given[1]
bare <- given[2] == "bare"
x <- read.csv(file.path(folder, "x.csv"))
weights <- as.matrix(read.csv(file.path(folder, "weights.csv"), header = FALSE))
groups <- with(read.csv(file.path(folder, "factors.csv")), split(column, factor(factor, unique(factor))))
outcomes <- lapply(given[-(1:2)], function(name) read.csv(file.path(folder, paste0("outcome_", name, ".csv"))))
control <- coxph.control()

# Wald's P of each term; the level of a factor that nobody has is no covariate.
fit_formulas <- function(d, terms, binary) {
  if (binary) {
    fit <- glm(reformulate(terms, "status"), binomial, d)
    return(summary(fit)$coefficients[-1, 4])
  }
  summary(coxph(reformulate(terms, "Surv(time, status)"), d, ties = "efron"))$coefficients[, 5]
}
fit_bare <- function(d, terms, binary) {
  m <- as.matrix(d[terms])
  if (binary) {
    fit <- glm.fit(cbind(1, m), d$status, family = binomial())
    p <- fit$rank
    kept <- fit$qr$pivot[seq_len(p)]
    error <- sqrt(diag(chol2inv(fit$qr$qr[seq_len(p), seq_len(p), drop = FALSE])))
    return(2 * pnorm(-abs(fit$coefficients[kept] / error))[-1])
  }
  fit <- coxph.fit(m, Surv(d$time, d$status), NULL, NULL, NULL, control, NULL, "efron", NULL)
  2 * pnorm(-abs(fit$coefficients / sqrt(diag(fit$var))))
}
fit <- if (bare) fit_bare else fit_formulas

two_stages <- function(d, binary) {
  entered <- c()
  for (name in names(groups)) {
    known <- d[complete.cases(d[groups[[name]]]), ]
    varying <- groups[[name]][vapply(known[groups[[name]]], function(v) length(unique(v)) > 1, logical(1))]
    if (!length(varying) || !any(known$status == 1)) next
    if (any(round(fit(known, varying, binary), 2) <= 0.1, na.rm = TRUE)) entered[name] <- list(varying)
  }
  if (length(entered)) fit(d[complete.cases(d[unlist(entered)]), ], unlist(entered), binary)
  names(entered)
}

lines <- c()
begin <- proc.time()[["elapsed"]]
for (outcome in outcomes) {
  binary <- as.logical(outcome$binary[1])
  all <- cbind(outcome[c("time", "status")], x)
  for (b in seq_len(nrow(weights))) {
    d <- all[rep(seq_len(nrow(all)), weights[b, ]), ]
    d <- d[!is.na(d$status), ]
    lines <- c(lines, paste(suppressWarnings(two_stages(d, binary)), collapse = " "))
  }
}
writeLines(format(proc.time()[["elapsed"]] - begin), file.path(folder, "seconds.txt"))
writeLines(lines, file.path(folder, "selected.txt"))
