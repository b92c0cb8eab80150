# Reference values for the paper's analysis, from R. Base R and the package survival only:
#
#   Rscript tests/reference/paper.R [folder, by default the script's own]
#
# Reads data_*.csv beside it (see survival.R) and writes paper_tests.csv (test statistics), paper_zph.csv (proportional hazards),
# paper_medians.csv (Kaplan-Meier medians), paper_effects.csv (univariable and multivariable effects with Wald intervals),
# paper_firth.csv (penalised likelihood, maximised numerically, with profile intervals). Values committed: R 4.2.2, survival 3.5-3.

suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
self <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
here <- dirname(self)
folder <- if (length(given)) given[1] else here
save <- function(table, name) {
  number <- vapply(table, is.double, logical(1))
  table[number] <- lapply(table[number], function(x) sprintf("%.15g", x))
  write.csv(table, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
data <- lapply(c(veteran = "veteran", lung = "lung", colon = "colon"), function(n) read.csv(file.path(here, paste0("data_", n, ".csv"))))
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 60)

# ---- tests: log-rank of a grouping; McNemar and Wilcoxon of two columns read as pairs

tests <- list()
add <- function(data, test, what, statistic, p) {
  tests[[length(tests) + 1]] <<- data.frame(data = data, test = test, what = what, statistic = unname(statistic), p_value = unname(p))
}
groups <- list(veteran = c("treated", "prior"), lung = c("ecog", "female"), colon = c("nodes", "obstruct"))
for (name in names(groups)) for (g in groups[[name]]) {
  s <- survdiff(reformulate(g, "Surv(time, event)"), data[[name]])
  add(name, "log_rank", g, s$chisq, pchisq(s$chisq, sum(s$exp > 0) - 1, lower.tail = FALSE))
}
m <- mcnemar.test(table(data$veteran$karno >= 60, data$veteran$age >= 60))
add("veteran", "mcnemar", "karno>=60 age>=60", m$statistic, m$p.value)
m <- mcnemar.test(table(data$colon$male == 1, data$colon$obstruct == 1))
add("colon", "mcnemar", "male>=1 obstruct>=1", m$statistic, m$p.value)
for (pair in list(c("veteran", "karno", "age"), c("lung", "age", "karno"), c("veteran", "diagtime", "age"))) {
  w <- wilcox.test(data[[pair[1]]][[pair[2]]], data[[pair[1]]][[pair[3]]], paired = TRUE, exact = FALSE)
  add(pair[1], "wilcoxon", paste(pair[2], pair[3]), w$statistic, w$p.value)
}
few <- data$lung[1:12, ]
w <- wilcox.test(few$age + seq_len(12) / 7, few$karno, paired = TRUE)
add("lung", "wilcoxon_exact", "age karno", w$statistic, w$p.value)
save(do.call(rbind, tests), "paper_tests")

# ---- proportional hazards

sets <- list(
  veteran = list("karno", c("karno", "smallcell", "adeno", "large", "age")),
  lung = list(c("age", "female"), c("age", "female", "ecog", "karno")),
  colon = list("nodes", setdiff(names(data$colon), c("time", "event")))
)
zph <- list()
for (name in names(sets)) for (terms in sets[[name]]) {
  fit <- coxph(reformulate(terms, "Surv(time, event)"), data[[name]], control = tight)
  z <- cox.zph(fit)$table
  zph[[length(zph) + 1]] <- data.frame(
    data = name, covariates = paste(terms, collapse = " "), term = rownames(z), chi_squared = z[, 1], p_value = z[, 3]
  )
}
save(do.call(rbind, zph), "paper_zph")

# ---- medians with the log interval

medians <- list()
for (name in names(data)) for (g in c("all", groups[[name]])) {
  d <- data[[name]]
  d$all <- 1
  for (level in sort(unique(d[[g]]))) {
    s <- summary(survfit(Surv(time, event) ~ 1, d[d[[g]] == level, ]))$table
    medians[[length(medians) + 1]] <- data.frame(
      data = name, group = g, level = level, n = unname(s["records"]), median = unname(s["median"]),
      low = unname(s["0.95LCL"]), high = unname(s["0.95UCL"])
    )
  }
}
save(do.call(rbind, medians), "paper_medians")

# ---- effects: ratio, Wald interval and P of each covariate alone and of all together

effects <- list()
record <- function(name, kind, terms, fit) {
  b <- coef(fit)[terms]
  se <- sqrt(diag(vcov(fit)))[terms]
  effects[[length(effects) + 1]] <<- data.frame(
    data = name, kind = kind, covariates = paste(terms, collapse = " "), term = terms, estimate = exp(b),
    ci_low = exp(b - qnorm(.975) * se), ci_high = exp(b + qnorm(.975) * se), p_value = 2 * pnorm(-abs(b / se))
  )
}
for (name in names(data)) {
  d <- data[[name]]
  everything <- setdiff(names(d), c("time", "event"))
  d$early <- as.integer(d$event == 1 & d$time <= median(d$time))
  for (terms in c(as.list(everything), list(everything))) {
    record(name, "cox", terms, coxph(reformulate(terms, "Surv(time, event)"), d, control = tight))
    record(name, "logistic", terms, glm(reformulate(terms, "early"), binomial, d, control = glm.control(epsilon = 1e-14, maxit = 100)))
  }
}
save(do.call(rbind, effects), "paper_effects")

# ---- Firth: the penalised likelihoods, maximised by optim, and their profiles by uniroot

firth <- function(likelihood, p, size) {
  penalised <- function(b) { value <- tryCatch(suppressWarnings(likelihood(b)), error = function(e) NA); if (is.finite(value)) value else -1e6 }
  best <- optim(rep(0, size), function(b) -penalised(b), method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))
  best <- optim(best$par, function(b) -penalised(b), method = "BFGS", control = list(reltol = 1e-16, maxit = 5000))
  profile <- function(j, value) {
    if (size == 1) return(penalised(value))
    inner <- function(rest) { b <- numeric(size); b[j] <- value; b[-j] <- rest; -penalised(b) }
    -optim(best$par[-j], inner, method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))$value
  }
  do.call(rbind, lapply(seq_len(p), function(j) {
    drop <- function(value) 2 * (-best$value - profile(j, value)) - qchisq(.95, 1)
    data.frame(
      coefficient = best$par[j], low = uniroot(drop, c(best$par[j] - 1, best$par[j]), extendInt = "downX", tol = 1e-10)$root,
      high = uniroot(drop, c(best$par[j], best$par[j] + 1), extendInt = "upX", tol = 1e-10)$root,
      p_value = pchisq(2 * (-best$value - profile(j, 0)), 1, lower.tail = FALSE)
    )
  }))
}
# A covariate that separates: nobody with it had the event early; and one that does not.
d <- data$veteran[1:60, ]
d$early <- as.integer(d$event == 1 & d$time <= 60)
d$rare <- as.integer(d$early == 0 & d$karno > 70)
X <- cbind(d$rare, d$karno / 10, 1)
logistic <- firth(function(b) {
  eta <- X %*% b
  r <- plogis(eta)
  sum(d$early * eta - log1p(exp(eta))) + 0.5 * determinant(t(X * c(r * (1 - r))) %*% X)$modulus
}, 2, 3)
# Cox: nobody with the covariate had the event.
e <- data$veteran[data$veteran$treated == 1, ]
e <- e[order(e$time), ][1:40, ]
e$never <- as.integer(e$event == 0)
e$never[c(3, 9)] <- 0
Z <- cbind(e$never, e$karno / 10)
cox <- firth(function(b) {
  fit <- coxph(Surv(time, event) ~ Z, e, init = b, control = coxph.control(iter.max = 0), x = TRUE)
  fit$loglik[2] + 0.5 * determinant(solve(fit$var))$modulus
}, 2, 2)
save(rbind(cbind(kind = "logistic", term = c("rare", "karno"), logistic), cbind(kind = "cox", term = c("never", "karno"), cox)), "paper_firth")
