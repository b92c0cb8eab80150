# Optimism by rms::validate and by hand, for tests/evaluation/test_optimism_reference.py. Needs the packages survival and rms:
#
#   Rscript tests/reference/optimism.R [folder to write to, by default the script's own]
#
# Reads data_colon.csv (its first 150 patients) and data_lung.csv beside it. Writes optimism_draws.csv (how often each patient is
# in each resample, a digit a patient after a "d"), optimism_validate.csv (rms) and optimism_hand.csv (what rms does not give, or defines otherwise).
# Values in the committed files: R 4.2.2, survival 3.5-3, rms 6.5-0 (Debian's r-cran-rms).
#
# rms draws inside validate: the same seed and the same calls of sample() before it give the resamples. That they are the same is
# checked here: the optimism by hand has to equal rms's.

suppressPackageStartupMessages({library(rms); library(survival)})
self <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
given <- commandArgs(trailingOnly = TRUE)
here <- dirname(self)
folder <- if (length(given)) given[1] else here
save <- function(table, name) {
  number <- vapply(table, is.double, logical(1))
  table[number] <- lapply(table[number], function(x) sprintf("%.15g", x))
  write.csv(table, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
resamples <- 40
seed <- 20240
covariates <- list(lung = c("age", "female", "ecog", "karno"), colon = c("lev", "lev5fu", "age", "male", "obstruct", "adhere", "nodes", "extent"))
horizon <- c(lung = 12, colon = 12)
data <- lapply(setNames(names(covariates), names(covariates)), function(name) read.csv(file.path(here, paste0("data_", name, ".csv"))))
data$colon <- data$colon[1:150, ]

auc <- function(p, y) { r <- rank(p); n1 <- sum(y); (sum(r[y == 1]) - n1 * (n1 + 1) / 2) / (n1 * (length(y) - n1)) }
tight <- glm.control(epsilon = 1e-14, maxit = 100)
plus <- function(apparent, outside, chance, lower) { # Efron and Tibshirani 1997
  sign <- if (lower) 1 else -1
  outside <- if (lower) min(outside, chance) else max(outside, chance)
  r <- if (sign * (outside - apparent) > 0 && sign * (chance - apparent) > 0) (outside - apparent) / (chance - apparent) else 0
  w <- (1 - exp(-1)) / (1 - exp(-1) * r)
  (1 - w) * apparent + w * outside
}
# Survival of censoring, read just before each time; deaths leave before those censored at the same time.
censoring <- function(time, event, at) {
  fit <- survfit(Surv(time + ifelse(event == 1, 0, 1e-6), 1 - event) ~ 1)
  vapply(at, function(t) { before <- fit$time < t - 1e-9; if (any(before)) tail(fit$surv[before], 1) else 1 }, numeric(1))
}
ipcw_brier <- function(d, p, h) {
  case <- d$time <= h & d$event == 1
  control <- d$time > h | (d$time == h & d$event == 0)
  w <- ifelse(case, 1 / censoring(d$time, d$event, d$time), ifelse(control, 1 / censoring(d$time, d$event, h), 0))
  sum(w * (case - p)^2) / nrow(d)
}
cox_risk <- function(fit, newdata, h) {
  base <- basehaz(fit, centered = FALSE)
  passed <- base$time <= h
  hazard <- if (any(passed)) tail(base$hazard[passed], 1) else 0
  1 - exp(-hazard * exp(as.matrix(newdata[, names(coef(fit))]) %*% coef(fit)))[, 1]
}
concordant <- function(d, x) concordance(Surv(time, event) ~ x, d, reverse = TRUE)$concordance
coxph_tight <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 60)

draws <- validated <- hand <- list()
for (name in names(data)) {
  d <- data[[name]]; n <- nrow(d)
  rhs <- covariates[[name]]
  set.seed(seed)
  index <- lapply(seq_len(resamples), function(b) sample(n, replace = TRUE))
  draws[[name]] <- data.frame(data = name, resample = seq_len(resamples), drawn = vapply(index, function(i) paste0("d", paste(tabulate(i, n), collapse = "")), ""))

  # Logistic: rms, then by hand with glm
  fit <- lrm(reformulate(rhs, "event"), d, x = TRUE, y = TRUE, eps = 1e-14, maxit = 50)
  set.seed(seed)
  v <- validate(fit, B = resamples)
  for (index_name in c("Dxy", "Slope", "B"))
    validated[[length(validated) + 1]] <- data.frame(data = name, model = "logistic", index = index_name, apparent = v[index_name, "index.orig"],
      optimism = v[index_name, "optimism"], corrected = v[index_name, "index.corrected"], n = v[index_name, "n"])
  measures <- function(eta, y) {
    p <- plogis(eta)
    c(auc = auc(eta, y), brier = mean((y - p)^2), scaled_brier = 1 - mean((y - p)^2) / (mean(y) * (1 - mean(y))),
      calibration_slope = unname(coef(glm(y ~ eta, family = binomial, control = tight))[2]),
      calibration_intercept = unname(coef(glm(y ~ offset(eta), family = binomial, control = tight))[1]), o_e = mean(y) / mean(p))
  }
  formula <- reformulate(rhs, "event")
  original <- glm(formula, binomial, d, control = tight)
  apparent <- measures(predict(original), d$event)
  inside <- whole <- outside <- NULL
  for (i in index) {
    f <- glm(formula, binomial, d[i, ], control = tight)
    eta <- predict(f, d)
    left <- setdiff(seq_len(n), i)
    inside <- rbind(inside, measures(eta[i], d$event[i])); whole <- rbind(whole, measures(eta, d$event))
    outside <- rbind(outside, measures(eta[left], d$event[left]))
  }
  p <- fitted(original); o <- mean(d$event)
  pairs <- outer(d$event, p, function(y, r) (y - r)^2)
  chance <- c(auc = 0.5, brier = mean(pairs), scaled_brier = 1 - mean(pairs) / (o * (1 - o)), calibration_slope = 0)
  optimism <- colMeans(inside - whole)
  stopifnot(abs(2 * optimism[["auc"]] - v["Dxy", "optimism"]) < 1e-7, abs(optimism[["brier"]] - v["B", "optimism"]) < 1e-7)
  for (m in names(apparent)) {
    out <- mean(outside[, m])
    hand[[length(hand) + 1]] <- data.frame(data = name, model = "logistic", metric = m, apparent = apparent[[m]], optimism = optimism[[m]],
      corrected = apparent[[m]] - optimism[[m]], estimate_632 = exp(-1) * apparent[[m]] + (1 - exp(-1)) * out,
      estimate_632_plus = if (m %in% names(chance)) plus(apparent[[m]], out, chance[[m]], m == "brier") else exp(-1) * apparent[[m]] + (1 - exp(-1)) * out)
  }

  # Cox: Dxy of rms; C and the Brier score at the horizon by hand
  fit <- cph(reformulate(rhs, "Surv(time, event)"), d, x = TRUE, y = TRUE, eps = 1e-12, tol = 1e-14)
  set.seed(seed)
  v <- validate(fit, B = resamples, dxy = TRUE)
  validated[[length(validated) + 1]] <- data.frame(data = name, model = "cox", index = "Dxy", apparent = v["Dxy", "index.orig"],
    optimism = v["Dxy", "optimism"], corrected = v["Dxy", "index.corrected"], n = v["Dxy", "n"])
  formula <- reformulate(rhs, "Surv(time, event)")
  h <- horizon[[name]]
  measures <- function(f, test) c(
    c_harrell = concordant(test, as.matrix(test[, rhs]) %*% coef(f)), brier = ipcw_brier(test, cox_risk(f, test, h), h)
  )
  original <- coxph(formula, d, ties = "efron", control = coxph_tight)
  apparent <- measures(original, d)
  inside <- whole <- outside <- NULL
  for (i in index) {
    f <- coxph(formula, d[i, ], ties = "efron", control = coxph_tight)
    inside <- rbind(inside, measures(f, d[i, ])); whole <- rbind(whole, measures(f, d))
    outside <- rbind(outside, measures(f, d[setdiff(seq_len(n), i), ]))
  }
  optimism <- colMeans(inside - whole)
  # rms ends the fits of the resamples at a change of 1e-4 in the log likelihood, which ranks a few pairs otherwise: so ended,
  # the sum by hand is rms's; the values saved are those of fits run to the maximum.
  loose <- mean(vapply(index, function(i) {
    f <- suppressWarnings(coxph(formula, d[i, ], ties = "efron", control = coxph.control(eps = 1e-4, toler.chol = 1e-14, iter.max = 10)))
    concordant(d[i, ], as.matrix(d[i, rhs]) %*% coef(f)) - concordant(d, as.matrix(d[, rhs]) %*% coef(f))
  }, numeric(1)))
  stopifnot(abs(2 * loose - v["Dxy", "optimism"]) < 1e-9)
  o <- 1 - summary(survfit(Surv(time, event) ~ 1, d), times = h)$surv
  p <- cox_risk(original, d, h)
  chance <- c(c_harrell = 0.5, brier = mean(o * (1 - p)^2 + (1 - o) * p^2))
  for (m in names(apparent)) {
    out <- mean(outside[, m])
    hand[[length(hand) + 1]] <- data.frame(data = name, model = "cox", metric = m, apparent = apparent[[m]], optimism = optimism[[m]],
      corrected = apparent[[m]] - optimism[[m]], estimate_632 = exp(-1) * apparent[[m]] + (1 - exp(-1)) * out,
      estimate_632_plus = plus(apparent[[m]], out, chance[[m]], m == "brier"))
  }
}
save(do.call(rbind, draws), "optimism_draws")
save(do.call(rbind, validated), "optimism_validate")
save(do.call(rbind, hand), "optimism_hand")
