"""The report's words on method: how to read each number, the protocol in a paragraph, the settings line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evaluation.metrics.smooth_calibration import MOST_RESAMPLES

HOW_TO_READ: tuple[tuple[str, str], ...] = (
    (
        "AUC",
        "The probability that, of two patients, one with the event by the horizon and one without, the one with it had the"
        " higher predicted risk. 0.5 is a coin, 1 is perfect.",
    ),
    (
        "Harrell's C, Uno's C",
        "The same for the order of the events over time. Harrell's leans on how patients were censored; Uno's corrects for it.",
    ),
    (
        "Brier score",
        "The mean squared distance between predicted risk and what happened. Lower is better, but only against the null"
        " model, which gives everybody the same risk: a model that does not beat it is of no use.",
    ),
    (
        "Scaled Brier score",
        "The share of that distance which the model takes away from a risk that is right on average and the same for everybody."
        " 1 is perfect; 0 or below, the model is of no use.",
    ),
    (
        "Calibration intercept",
        "Whether risks are right on average, on the logit scale. 0 is right; below 0, risks are too high.",
    ),
    (
        "Calibration slope",
        "Whether risks spread as they should. 1 is right; below 1 they are too extreme, at 0 they carry nothing; above 1 they"
        " are too timid.",
    ),
    ("O/E", "Observed over expected events. 1 is right; below 1, risk is overestimated."),
    (
        "ICI, E50, E90",
        "The mean, the median and the 90th percentile of the distance between a patient's predicted risk and what was observed"
        " among patients of such risk, read from a smooth calibration curve. 0 is right. Chance alone keeps them above 0 (the"
        " ICI of true risks is about 0.04 among 270 patients): their intervals lie high and cannot reach it.",
    ),
    (
        "Log loss",
        "The surprise at what happened: minus the log of the probability that the model gave to it, on average. Lower is better;"
        " it punishes sure errors harder than the Brier score. Risks count as at least 0.1% and at most 99.9%.",
    ),
    (
        "Average precision",
        "Of those whose risk is as high as that of a patient with the event, the share that has the event too, on average. Higher"
        " is better, but only against the null model, where it is the share of all who have the event.",
    ),
    (
        "Sensitivity, specificity",
        "If a risk that reaches the threshold is called high: of patients with the event, the share called high; of those"
        " without, the share not called so. One is bought with the other: judge them together. The thresholds are the observed"
        " risk (the Kaplan-Meier risk of the patients evaluated, the same for every model) and 50%.",
    ),
    (
        "PPV, NPV",
        "Predictive values: of those called high, the share that has the event; of those not called so, the share that has not."
        " Without information they are the share of all patients with, and without, the event.",
    ),
    (
        "Net benefit",
        "Per patient, those treated rightly less those treated needlessly, these at the rate of exchange that the threshold"
        " states: who treats from a risk of 20% on gives four needless treatments for one right one. A model is of use at a"
        " threshold where it does better than treating all and than treating nobody (0).",
    ),
)

#: What a setting says in the methods; a setting that is absent is passed over.
_PROTOCOL: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("n_folds", "n_repeats"),
        "Every patient is predicted by fits that never saw them, in {n_folds}-fold cross-validation repeated {n_repeats} times"
        " and stratified by the time of the event; encoding, imputation, selection and tuning happen inside the training folds.",
    ),
    (
        ("n_trials", "n_inner_folds"),
        "Models with something to tune try {n_trials} settings in {n_inner_folds} inner folds (0: their default settings),"
        " judged by the Brier score.",
    ),
    (
        ("n_bootstraps",),
        "Intervals are 95% percentile intervals over {n_bootstraps} resamples of patients, the out-of-fold predictions held"
        " fixed: they speak of these predictions in such patients, not of fitting anew in other samples.",
    ),
    (
        ("n_refits",),
        "Optimism and stability come from {n_refits} bootstrap resamples of the patients in which whole procedures, with"
        " imputation, selection and tuning, are learned again (0: not examined).",
    ),
    (("seed",), "Random numbers start from seed {seed}."),
)

#: What the setting ``missing`` does.
MISSING_HANDLING: Mapping[str, str] = {
    "single": "Missing predictors are given the training median and an indicator of the gap; XGBoost meets gaps itself, and the"
    " paper's models fit each regression on the patients complete in it and fill in medians to predict.",
    "multiple": "Missing predictors are imputed several times by chained equations (predictive mean matching, without the"
    " outcome), learnt in training folds; risks are averaged on the scale of the linear predictor, and the paper's models screen"
    " by P values pooled by Rubin's rules.",
    "complete_case": "Training patients with a missing predictor are left out; a test patient's gap is filled with the median of"
    " the complete training patients.",
}

#: What the setting ``recalibration`` does.
RECALIBRATION: Mapping[str, str] = {
    "platt": "Risks are recalibrated by logistic regression on their logit, learned from inner test folds of the training"
    " patients.",
    "isotonic": "Risks are recalibrated by isotonic regression, learned from inner test folds of the training patients.",
}

_METHODS_ALWAYS = (
    "All metrics but two allow for censored patients by inverse-probability-of-censoring weights, with the survival of censoring"
    " read just before each event time; Harrell's C leaves out pairs whose order is unknown, O/E uses Kaplan-Meier. Ranks (AUC,"
    " C, average precision) are compared inside a test fold only, where risks come from one fit; all else takes a repeat's"
    " patients together. ICI, E50 and E90 rest on a weighted logistic regression on a restricted cubic spline, with three knots,"
    " of the logit of the risk (after Austin, Harrell and van Klaveren 2020), and their intervals on the first"
    f" {MOST_RESAMPLES} resamples at most."
    " Calibration plots group patients by their risk averaged over repeats. Decision"
    " curves give the net benefit (Vickers et al. 2008) of treating patients whose out-of-fold risk reaches a threshold from 5%"
    " to 60%, averaged over repeats, with Kaplan-Meier among those treated, and its difference to the better of treating all and"
    " treating nobody; their intervals hold for one threshold at a time. This is"
    " internal validation: it says nothing of other hospitals. In the same patients and resamples each model is compared with the"
    " null model, with the paper's model on the same features, and on pre-surgery features with itself on baseline ones; P values"
    " are those of the corrected resampled t test (Nadeau and Bengio 2003) over test folds and repeats, corrected by Holm within"
    " endpoint, population, metric and kind of comparison. Intervals are not corrected for multiplicity."
)


def methods(settings: Mapping[str, object]) -> str:
    """The protocol and how it is judged in a paragraph, its numbers from the configuration."""
    gaps = MISSING_HANDLING.get(str(settings.get("missing", "")), "")
    updated = RECALIBRATION.get(str(settings.get("recalibration", "")), "")
    return " ".join(part for part in (protocol(settings), gaps, updated, _METHODS_ALWAYS) if part)


def protocol(settings: Mapping[str, object]) -> str:
    """Splits, tuning, intervals and seed, as far as the settings name them."""
    return " ".join(text.format(**settings) for names, text in _PROTOCOL if all(name in settings for name in names))


def flat_settings(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and text."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", "not set" if value is None else str(value)
