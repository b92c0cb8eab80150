# Reference values from R, for the tests beside them. Base R and the package survival only:
#
#   Rscript tests/reference/survival.R [folder, by default the script's own]
#
# Writes data_*.csv (public data sets that ship with survival; complete rows; the columns used), and the values
# cox_coefficients.csv, cox_likelihoods.csv, cox_risks.csv, kaplan_meier.csv, concordance.csv, logistic.csv, recalibration.csv,
# net_benefit.csv, further_metrics.csv, delong.csv.
# Values in the committed files: R 4.2.2, survival 3.5-3. Iterations run to 1e-12, so that what is compared is the maximum.

suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
self <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(given)) given[1] else dirname(self)
save <- function(table, name) {
  number <- vapply(table, is.double, logical(1))
  table[number] <- lapply(table[number], function(x) sprintf("%.15g", x))
  write.csv(table, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 60)

# ---- data: event is 0/1, time as the data set has it (days), factors as 0/1 columns

veteran_ <- with(veteran, data.frame(
  time, event = status, karno, age, diagtime, prior = as.integer(prior == 10), treated = as.integer(trt == 2),
  smallcell = as.integer(celltype == "smallcell"), adeno = as.integer(celltype == "adeno"), large = as.integer(celltype == "large")
))
# Months, rounded up: ties of deaths with deaths and with censorings everywhere.
lung_ <- with(na.omit(lung[, c("time", "status", "age", "sex", "ph.ecog", "ph.karno")]), data.frame(
  time = ceiling(time / 30), event = status - 1L, age = as.integer(age), female = as.integer(sex == 2), ecog = as.integer(ph.ecog),
  karno = as.integer(ph.karno)
))
deaths <- na.omit(subset(colon, etype == 2, c("time", "status", "rx", "age", "sex", "obstruct", "adhere", "nodes", "extent")))
colon_ <- with(deaths[1:400, ], data.frame(
  time = ceiling(time / 91), event = as.integer(status), lev = as.integer(rx == "Lev"), lev5fu = as.integer(rx == "Lev+5FU"),
  age = as.integer(age), male = as.integer(sex), obstruct = as.integer(obstruct), adhere = as.integer(adhere), nodes = as.integer(nodes),
  extent = as.integer(extent)
))
data <- list(veteran = veteran_, lung = lung_, colon = colon_)
for (name in names(data)) save(data[[name]], paste0("data_", name))

# ---- Cox, Efron's ties, and the risk 1 - S(horizon | x) with Efron's baseline hazard

sets <- list(
  veteran = list("karno", c("karno", "smallcell", "adeno", "large"), setdiff(names(veteran_), c("time", "event"))),
  lung = list("ecog", c("age", "female"), c("age", "female", "ecog", "karno")),
  colon = list("nodes", c("lev", "lev5fu"), setdiff(names(colon_), c("time", "event")))
)
horizons <- list(veteran = c(30, 90, 180, 365), lung = c(3, 6, 12, 24), colon = c(2, 6, 12, 24))
patients <- c(1, 2, 10, 50, 100, 137)
coefficients <- likelihoods <- risks <- list()
for (name in names(sets)) for (number in seq_along(sets[[name]])) {
  terms <- sets[[name]][[number]]
  fit <- coxph(reformulate(terms, "Surv(time, event)"), data[[name]], ties = "efron", control = tight)
  key <- data.frame(data = name, covariates = paste(terms, collapse = " "))
  coefficients[[length(coefficients) + 1]] <- cbind(
    key, term = terms, coefficient = unname(coef(fit)), standard_error = unname(sqrt(diag(vcov(fit))))
  )
  likelihoods[[length(likelihoods) + 1]] <- cbind(key, null = fit$loglik[1], fitted = fit$loglik[2])
  curve <- summary(survfit(fit, newdata = data[[name]][patients, ]), times = horizons[[name]])$surv
  risks[[length(risks) + 1]] <- cbind(
    key, row = rep(patients - 1L, each = length(horizons[[name]])), horizon = rep(horizons[[name]], length(patients)),
    risk = as.vector(1 - curve)
  )
}
save(do.call(rbind, coefficients), "cox_coefficients")
save(do.call(rbind, likelihoods), "cox_likelihoods")
save(do.call(rbind, risks), "cox_risks")

# ---- Kaplan-Meier of the event, and of the censoring. For the latter event and censoring change places; events are moved a little
# earlier, since at one time they leave before those censored (survfit alone would keep them at risk of being censored)

curves <- list()
for (name in names(data)) {
  d <- data[[name]]
  forward <- summary(survfit(Surv(time, event) ~ 1, d), times = horizons[[name]])$surv
  shifted <- d$time - ifelse(d$event == 1, 1e-3, 0)
  reverse <- summary(survfit(Surv(shifted, 1 - d$event) ~ 1), times = horizons[[name]])$surv
  curves[[length(curves) + 1]] <- data.frame(data = name, time = horizons[[name]], survival = forward, censoring = reverse)
}
save(do.call(rbind, curves), "kaplan_meier")

# ---- concordance of a marker. timewt "n/G2" is Uno's weight 1 / G(t)^2, with G just before t; ymax is tau (inclusive)

markers <- list(veteran = "karno", lung = "karno", colon = "nodes")
rising <- list(veteran = FALSE, lung = FALSE, colon = TRUE) # whether danger rises with the marker
agreement <- list()
for (name in names(data)) for (tau in horizons[[name]][3:4]) {
  d <- data[[name]]
  model <- reformulate(markers[[name]], "Surv(time, event)")
  share <- function(weight) concordance(model, d, timewt = weight, ymax = tau, reverse = rising[[name]])$concordance
  agreement[[length(agreement) + 1]] <- data.frame(
    data = name, marker = markers[[name]], rising = as.integer(rising[[name]]), tau = tau, harrell = unname(share("n")),
    uno = unname(share("n/G2"))
  )
}
save(do.call(rbind, agreement), "concordance")

# ---- logistic regression of the status at a horizon (patients censored before it left out), and recalibration of given risks

exact <- glm.control(epsilon = 1e-14, maxit = 100)
status_at <- function(d, h) ifelse(d$event == 1 & d$time <= h, 1, ifelse(d$time >= h, 0, NA))
logistic <- recalibration <- list()
for (name in names(sets)) {
  h <- horizons[[name]][2]
  d <- data[[name]]
  d$status <- status_at(d, h)
  d <- d[!is.na(d$status), ]
  for (terms in sets[[name]]) {
    fit <- glm(reformulate(terms, "status"), binomial, d, control = exact)
    logistic[[length(logistic) + 1]] <- data.frame(
      data = name, covariates = paste(terms, collapse = " "), horizon = h, term = c("intercept", terms),
      coefficient = unname(coef(fit)), standard_error = unname(sqrt(diag(vcov(fit))))
    )
  }
  # Risks with an error of level and of spread: any fixed formula of the row number will do.
  d$risk <- plogis(0.4 + 1.3 * sin(seq_len(nrow(d))) + 0.8 * (d$status - 0.5))
  d$logit <- qlogis(d$risk)
  level <- glm(status ~ offset(logit), binomial, d, control = exact)
  both <- glm(status ~ logit, binomial, d, control = exact)
  recalibration[[length(recalibration) + 1]] <- data.frame(
    data = name, horizon = h, intercept_in_the_large = unname(coef(level)), intercept = unname(coef(both)[1]), slope = unname(coef(both)[2])
  )
}
save(do.call(rbind, logistic), "logistic")
save(do.call(rbind, recalibration), "recalibration")

# ---- net benefit at a horizon of treating those whose risk reaches a threshold, and of treating all (Vickers et al. 2008)

benefit <- list()
for (name in names(data)) {
  h <- horizons[[name]][3]
  d <- data[[name]]
  risk <- plogis(-0.5 + 1.2 * sin(seq_len(nrow(d)))) # any fixed formula of the row number will do
  of_treating <- function(treated, threshold) {
    survival <- summary(survfit(Surv(time, event) ~ 1, d[treated, ]), times = h)$surv
    mean(treated) * (1 - survival) - mean(treated) * survival * threshold / (1 - threshold)
  }
  for (threshold in seq(5, 60, 5) / 100) benefit[[length(benefit) + 1]] <- data.frame(
    data = name, horizon = h, threshold = threshold, model = of_treating(risk >= threshold, threshold),
    treat_all = of_treating(rep(TRUE, nrow(d)), threshold)
  )
}
save(do.call(rbind, benefit), "net_benefit")

# ---- further metrics at a horizon, by weights of inverse probability of censoring: 1 / G just before the event, or before the horizon
# for who is event-free. G is the Kaplan-Meier survival of censoring, with events moved a little earlier as above

suppressPackageStartupMessages(library(splines))
further <- list()
for (name in names(data)) {
  h <- horizons[[name]][3]
  d <- data[[name]]
  event <- as.numeric(status_at(d, h) %in% 1)
  known <- !is.na(status_at(d, h))
  shifted <- d$time - ifelse(d$event == 1, 1e-3, 0)
  censoring <- survfit(Surv(shifted, 1 - d$event) ~ 1)
  g <- stepfun(censoring$time, c(1, censoring$surv))
  weight <- ifelse(known, 1 / g(pmin(d$time, h) - 2e-3), 0)
  observed <- 1 - summary(survfit(Surv(time, event) ~ 1, d), times = h)$surv
  # Any fixed formula of the row number and status will do.
  logit <- qlogis(observed) - 0.3 + 1.1 * sin(seq_len(nrow(d))) + 0.5 * (event - 0.5)
  risk <- plogis(logit)

  brier <- sum(weight * (event - risk)^2) / nrow(d)
  null <- sum(weight * (event - observed)^2) / nrow(d)
  log_loss <- -sum(weight * (event * log(risk) + (1 - event) * log(1 - risk))) / nrow(d)

  levels <- sort(unique(risk), decreasing = TRUE)
  recall <- sapply(levels, function(l) sum((weight * event)[risk >= l]) / sum(weight * event))
  precision <- sapply(levels, function(l) sum((weight * event)[risk >= l]) / sum(weight[risk >= l]))
  average_precision <- sum(diff(c(0, recall)) * precision, na.rm = TRUE)

  # A natural cubic spline with the outer knots as its boundary is the restricted cubic spline, in another basis.
  knots <- quantile(logit, c(0.1, 0.5, 0.9), type = 1)
  basis <- ns(logit, knots = knots[2], Boundary.knots = knots[c(1, 3)])
  curve <- glm(event ~ basis, quasibinomial, weights = weight, control = exact)
  distance <- abs(fitted(curve) - risk)

  values <- c(
    brier = brier, scaled_brier = 1 - brier / null, log_loss = log_loss, average_precision = average_precision, ici = mean(distance),
    e50 = unname(quantile(distance, 0.5, type = 1)), e90 = unname(quantile(distance, 0.9, type = 1))
  )
  for (at in c("observed", "50")) {
    high <- risk >= if (at == "50") 0.5 else observed
    count <- function(who) sum(weight[who])
    shares <- c(
      sensitivity = count(high & event == 1) / count(event == 1), specificity = count(!high & event == 0) / count(event == 0),
      ppv = count(high & event == 1) / count(high), npv = count(!high & event == 0) / count(!high)
    )
    names(shares) <- paste0(names(shares), "_at_", at)
    values <- c(values, shares)
  }
  further[[name]] <- data.frame(data = name, horizon = h, metric = names(values), value = unname(values))
}
save(do.call(rbind, further), "further_metrics")

# ---- DeLong's variance of an AUC and of the difference of two, placements by counting pairs; patients in order go into strata in
# turn, pairs are formed inside a stratum, and strata weigh by their pairs. Status: the event in data without censoring by then.

compared <- list(list("veteran", 60, "karno", "diagtime"), list("veteran", 60, "age", "karno"), list("lung", 6, "karno", "ecog"))
delong <- list()
for (item in compared) for (n_strata in c(1, 3)) {
  d <- data[[item[[1]]]]
  d <- d[d$time > item[[2]] | d$event == 1, ]
  case <- d$time <= item[[2]]
  stratum <- seq_len(nrow(d)) %% n_strata
  pairs <- sapply(0:(n_strata - 1), function(s) sum(case & stratum == s) * sum(!case & stratum == s))
  values <- c(first = 0, second = 0, variance_first = 0, variance_difference = 0)
  for (s in 0:(n_strata - 1)) {
    placed <- lapply(item[3:4], function(name) {
      x <- d[[name]]
      outer(x[case & stratum == s], x[!case & stratum == s], function(a, b) (a > b) + (a == b) / 2)
    })
    variance <- function(wins) var(rowMeans(wins)) / nrow(wins) + var(colMeans(wins)) / ncol(wins)
    weight <- pairs[s + 1] / sum(pairs)
    values <- values + c(
      weight * mean(placed[[1]]), weight * mean(placed[[2]]), weight^2 * variance(placed[[1]]),
      weight^2 * variance(placed[[1]] - placed[[2]])
    )
  }
  delong[[length(delong) + 1]] <- data.frame(
    data = item[[1]], horizon = item[[2]], first = item[[3]], second = item[[4]], strata = n_strata, auc_first = values[[1]],
    auc_second = values[[2]], variance_first = values[[3]], variance_difference = values[[4]]
  )
}
save(do.call(rbind, delong), "delong")
