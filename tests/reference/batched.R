# Reference values from R for models/batched: fits of the literally duplicated rows, for the weighted fits beside them.
#
#   Rscript tests/reference/batched.R [folder, by default the script's own]
#
# Reads data_*.csv of its own folder (survival.R writes them) and writes batched_fits.csv. Base R and the package survival only.
# Values in the committed file: R 4.2.2, survival 3.5-3. Iterations run to the last digit.
# Row i (from 1) is drawn (7 i + i %/% 3) %% 4 times; age is missing in every ninth row; "rare" is 1 in rows 3, 38, 73, ...;
# "sum" is age + the second covariate. "early" is an event by the median time. coefficient_average is coxph(weights =), in which a
# row of weight 3 is one event of average weight: another estimate.

suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
self <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(given)) given[1] else dirname(self)
tight <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 40)
exact <- glm.control(epsilon = 1e-30, maxit = 25)
second <- c(veteran = "karno", lung = "ecog", colon = "nodes")

rows <- list()
for (name in names(second)) {
  d <- read.csv(file.path(dirname(self), paste0("data_", name, ".csv")))
  i <- seq_len(nrow(d))
  d$weight <- (7 * i + i %/% 3) %% 4
  d$early <- as.integer(d$event == 1 & d$time <= median(d$time))
  d$age[i %% 9 == 0] <- NA
  d$rare <- as.integer(i %% 35 == 3)
  d$sum <- d$age + d[[second[[name]]]]
  drawn <- d[rep(i, d$weight), ]
  for (terms in list(second[[name]], "age", c("age", second[[name]], "rare"), c("age", second[[name]], "sum"))) {
    cox <- coxph(reformulate(terms, "Surv(time, event)"), drawn, ties = "efron", control = tight)
    average <- coxph(reformulate(terms, "Surv(time, event)"), subset(d, weight > 0), weights = weight, ties = "efron", robust = FALSE, control = tight)
    # glm's tolerance of collinearity falls with epsilon: what is aliased is asked of the usual one, and left out of the exact one.
    kept <- terms[!is.na(coef(glm(reformulate(terms, "early"), binomial, drawn))[terms])]
    logistic <- suppressWarnings(glm(reformulate(kept, "early"), binomial, drawn, control = exact))
    # Errors are those of the step before the last: steps from where it stands, until there is none.
    for (again in 1:3) logistic <- suppressWarnings(glm(reformulate(kept, "early"), binomial, drawn, control = exact, start = coef(logistic)))
    stopifnot(abs(coef(logistic)[kept]) < 10) # not separated
    errors <- sqrt(diag(vcov(logistic)))[terms]
    add <- function(kind, coefficient, error, null, fitted, n, intercept, other) rows[[length(rows) + 1]] <<- data.frame(
      data = name, kind, covariates = paste(terms, collapse = " "), term = terms, coefficient = unname(coefficient),
      standard_error = unname(error), null, fitted, n, intercept = unname(intercept), coefficient_average = unname(other)
    )
    add("cox", coef(cox), ifelse(is.na(coef(cox)), NA, sqrt(diag(vcov(cox)))), cox$loglik[1], cox$loglik[2], cox$n, 0, coef(average))
    used <- drawn[complete.cases(drawn[, terms, drop = FALSE]), ]
    null <- glm(early ~ 1, binomial, used, control = glm.control(epsilon = 1e-14))
    add("logistic", coef(logistic)[terms], errors, logLik(null), logLik(logistic), nobs(logistic), coef(logistic)[1], NA)
  }
}
table <- do.call(rbind, rows)
number <- vapply(table, is.double, logical(1))
table[number] <- lapply(table[number], function(x) ifelse(is.na(x), "", sprintf("%.15g", x)))
name <- "batched_fits"
write.csv(table, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE, na = "")
