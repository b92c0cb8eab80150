"""What each question came to: is any model of use? In words, with the numbers that the words stand on.

A model is *useful* if, at the question's primary horizon,

1. it discriminates: better than the null model, P corrected by Holm over all models below 0.05, and the whole interval of its
   AUC (endpoints by a horizon) or Uno's C (time endpoints) above 0.5;
2. it is calibrated: the intervals of O/E and of the calibration slope both contain 1, or lie whole within 0.8 to 1.25 (near
   enough, where a large cohort makes them narrow); and the slope's lies above 0, for one that holds both 0 and 1 says nothing.
   Risks that are true miss one of the two intervals in up to a tenth of cohorts;
3. acting on it pays: at some threshold its net benefit is better than treating all and than treating nobody, the lower bound of
   the difference above 0.

False claims of all three together are no more frequent than of the first, which is to hold them to 5 % of questions, however
many models were tried and at however many thresholds the third is asked. *Promising* is a model that discriminates but lacks
one of the others; without one there is *no useful model*: a finding, with its uncertainty. Where no model could be tested the
question could *not be judged*.

The level is approximate, for it leans on the corrected resampled t test. In 200 simulated cohorts of 268 patients and 30
predictors that know nothing, cross-validated twice in 5 folds, it claimed of one of four models that it discriminates in 12; bare
intervals, which hold the fits fixed, would have in 57 (``benchmarks/null_claims.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS, EVIDENCE_LABELS, Evidence
from evaluation.auc_sample_size import POWER, patients_to_see_auc, patients_to_see_difference
from evaluation.comparison import MEASURES, PAPER_MODEL, Comparison, Measure
from evaluation.decision_curve import useful_in_words, useful_thresholds
from evaluation.figures import model_label, p_text, question_label, signed
from evaluation.metrics.registry import METRICS
from evaluation.predictions import NO_FEATURES
from evaluation.report_summary import CellKey, cell_key, cell_name
from evaluation.tables import of_question, questions

SIGNIFICANT = 0.05
#: Intervals of O/E and of the slope that lie whole in here are near enough to 1.
NEAR_ENOUGH = (0.8, 1.25)
#: Differences in AUC that a larger study might be planned to see.
PRACTICAL_DIFFERENCES = (0.02, 0.05)

CRITERIA = (
    "A model is called useful if, at the last horizon of its endpoint, (1) it discriminates: it is better than the null model,"
    f" P below {SIGNIFICANT:g} after Holm's correction for all models of the question, and the whole interval of its AUC"
    " (endpoints by a horizon) or Uno's C (survival endpoints) lies above 0.5; (2) it is calibrated: the intervals of O/E and of"
    " the calibration slope both contain 1, or lie whole within"
    f" {NEAR_ENOUGH[0]:g} to {NEAR_ENOUGH[1]:g}, the slope's above 0; (3) it pays: at some threshold its net benefit is better"
    " than treating all and than treating nobody, the lower bound of the difference above 0. Promising but not proven is a model"
    " that discriminates and lacks one of the others."
)

Conclusion = Literal["useful", "promising", "none", "not_judged"]
CONCLUSIONS: dict[Conclusion, str] = {
    "useful": "A useful model",
    "promising": "Promising but not proven",
    "none": "No useful model",
    "not_judged": "Could not be judged",
}

_NUMBERS = (
    "estimate",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
    *(f"{m}{s}" for m in ("calibration_slope", "o_e") for s in ("", "_ci_low", "_ci_high")),
)
_COUNTS = ("n", "n_events", "n_models", "n_discriminating", "n_promising", "n_useful")
_NEEDED = tuple(
    f"n_needed_{kind}_{difference:g}" for kind in ("auc_above_half", "auc_above_paper") for difference in PRACTICAL_DIFFERENCES
)
VERDICT_COLUMNS = [
    *("population", "endpoint", "conclusion", "evidence", "headline", "feature_set", "model", "metric", *_NUMBERS),
    *("net_benefit", *_COUNTS, *_NEEDED, "text"),
]


@dataclass(frozen=True)
class Verdict:
    """One question's conclusion. ``headline`` says it in a line, ``sentences`` with all that belongs to it.

    ``numbers`` : columns of :data:`VERDICT_COLUMNS` beyond these, of the model that the headline names.
    """

    population: str
    endpoint: str
    conclusion: Conclusion
    evidence: Evidence
    headline: str
    sentences: tuple[str, ...] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)

    @property
    def question(self) -> str:
        return question_label(self.endpoint, self.population)


def verdict_table(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """``verdict.csv``: one row a question, columns :data:`VERDICT_COLUMNS`."""
    rows = [
        {name: getattr(v, name) for name in ("population", "endpoint", "conclusion", "evidence", "headline")}
        | {"text": " ".join(v.sentences)}
        | dict(v.numbers)
        for v in verdicts
    ]
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS).astype(dict.fromkeys((*_COUNTS, *_NEEDED), "Int64"))


def judge(
    board: pd.DataFrame, comparisons: pd.DataFrame, decision_curves: Mapping[CellKey, pd.DataFrame], evidence: Evidence
) -> tuple[Verdict, ...]:
    """A verdict for each question of the leaderboard (:func:`evaluation.tables.leaderboard`).

    ``comparisons`` are all questions' rows of :func:`evaluation.comparison.compare_models`.
    """
    asked = [question for question in questions(board) if question[0] in ENDPOINTS]
    tables = (tuple(of_question(table, *question) for table in (board, comparisons)) for question in asked)
    return tuple(
        _judge_question(question, cells, compared, decision_curves, evidence)
        for question, (cells, compared) in zip(asked, tables, strict=True)
    )


# ---- a model


@dataclass(frozen=True, eq=False)
class Judged:
    """A model that was tested against the null model: which of the three it meets."""

    cell: pd.Series
    p_value: float
    p_holm: float
    discriminates: bool
    calibrated: bool
    pays: bool
    net_benefit: str

    @property
    def useful(self) -> bool:
        return self.discriminates and self.calibrated and self.pays

    @property
    def promising(self) -> bool:
        return self.discriminates and not self.useful


def is_calibrated(cell: pd.Series) -> bool:
    """The second criterion, from a row of the leaderboard."""
    slope_low, slope_high, o_e_low, o_e_high = (
        float(cell[f"{metric}_ci_{bound}"]) for metric in ("calibration_slope", "o_e") for bound in ("low", "high")
    )
    return slope_low > 0 and _near_1(slope_low, slope_high) and _near_1(o_e_low, o_e_high)


def _near_1(low: float, high: float) -> bool:
    return low <= 1 <= high or (NEAR_ENOUGH[0] <= low and high <= NEAR_ENOUGH[1])


def _judged(cell: pd.Series, test: pd.Series, measure: Measure, curve: pd.DataFrame | None) -> Judged:
    # An interval that lies above 0.5 says which way the difference goes.
    discriminates = test["p_holm"] < SIGNIFICANT and cell[f"{measure.name}_ci_low"] > measure.metric.reference
    return Judged(
        cell,
        float(test["p_value"]),
        float(test["p_holm"]),
        discriminates=bool(discriminates),
        calibrated=is_calibrated(cell),
        pays=curve is not None and bool(useful_thresholds(curve)),
        net_benefit="No decision curve could be drawn" if curve is None else useful_in_words(curve),
    )


# ---- a question


def _judge_question(
    question: tuple[str, str],
    board: pd.DataFrame,
    comparisons: pd.DataFrame,
    decision_curves: Mapping[CellKey, pd.DataFrame],
    evidence: Evidence,
) -> Verdict:
    endpoint, population = question
    measure = MEASURES[ENDPOINTS[endpoint].kind][0]
    models = board[board["feature_set"] != NO_FEATURES]
    against_null = _rows(comparisons, "null_model", measure.name).set_index(["feature_set", "model"])
    judged = [
        _judged(cell, against_null.loc[key], measure, decision_curves.get(cell_key(cell)))
        for _, cell in models.iterrows()
        if (key := (cell["feature_set"], cell["model"])) in against_null.index
        and np.isfinite([against_null.loc[key, "p_value"], cell[f"{measure.name}_ci_low"]]).all()
    ]
    label = "" if evidence == "real" else f" ({evidence} cohort, no clinical evidence)"
    if not judged:
        headline = f"{CONCLUSIONS['not_judged']}{label}: {_why_not(board, against_null, measure)}."
        caution = (_evidence_sentence(evidence),) if label else ()
        return Verdict(population, endpoint, "not_judged", evidence, headline, caution, {"n_models": len(models)})
    conclusion, best = _conclude(judged, measure)
    needed = dict(_patients_needed(best, _rows(comparisons, "paper_model", "auc")))
    headline = f"{CONCLUSIONS[conclusion]}{label}: {_grounds(conclusion, best, judged, measure)}."
    sentences = (
        *((_evidence_sentence(evidence),) if label else ()),
        *_uncertainty(conclusion, best, judged, measure),
        *_unjudged(board, len(judged), len(models)),
        *_needed_in_words(needed, best),
        *_against_paper(_rows(comparisons, "paper_model", measure.name), endpoint, measure),
        *_against_published(_rows(comparisons, "published_score", measure.name), measure),
        *_added_information(_rows(comparisons, "added_information", measure.name), measure),
    )
    return Verdict(population, endpoint, conclusion, evidence, headline, sentences, _numbers(best, judged, measure) | needed)


def _conclude(judged: list[Judged], measure: Measure) -> tuple[Conclusion, Judged]:
    """The conclusion, and of the models that it rests on the one that discriminates best."""
    useful, promising = [j for j in judged if j.useful], [j for j in judged if j.promising]
    conclusion: Conclusion = "useful" if useful else "promising" if promising else "none"
    return conclusion, max(useful or promising or judged, key=lambda j: float(j.cell[measure.name]))


def _numbers(best: Judged, judged: list[Judged], measure: Measure) -> dict[str, object]:
    of_cell = ("feature_set", "model", "n", "n_events", *(name for name in _NUMBERS if name.startswith(("calibration", "o_e"))))
    return {name: best.cell[name] for name in of_cell} | {
        "metric": measure.name,
        "estimate": best.cell[measure.name],
        "ci_low": best.cell[f"{measure.name}_ci_low"],
        "ci_high": best.cell[f"{measure.name}_ci_high"],
        "p_value": best.p_value,
        "p_holm": best.p_holm,
        "net_benefit": best.net_benefit,
        "n_models": len(judged),
        "n_discriminating": sum(j.discriminates for j in judged),
        "n_promising": sum(j.promising for j in judged),
        "n_useful": sum(j.useful for j in judged),
    }


# ---- in words


def _grounds(conclusion: Conclusion, best: Judged, judged: list[Judged], measure: Measure) -> str:
    name, of = cell_name(best.cell), f"of {_models(len(judged))}"
    proof = f"{_inline(best.cell, measure.name)}, corrected {p_in_words(best.p_holm)}"
    if conclusion == "none":
        highest = f"the highest {measure.label}" if len(judged) > 1 else f"its {measure.label}"
        value = _inline(best.cell, measure.name).removeprefix(f"{measure.label} ")
        return (
            f"{of} none is shown to discriminate; {highest} is {value}, {p_in_words(best.p_value)}, corrected"
            f" {p_in_words(best.p_holm)} ({name})"
        )
    calibration = f"{_inline(best.cell, 'calibration_slope')}, {_inline(best.cell, 'o_e')}"
    pays = best.net_benefit[:1].lower() + best.net_benefit[1:]
    if conclusion == "useful":
        count = sum(j.useful for j in judged)
        return f"{count} {of}; best: {name}. It discriminates ({proof}), is calibrated ({calibration}), and pays: {pays}"
    lacks = [] if best.calibrated else [f"is not shown to be calibrated ({calibration})"]
    lacks += [] if best.pays else [f"is not shown to pay ({pays})"]
    count = sum(j.promising for j in judged)
    return f"{count} {of} discriminate{'s' if count == 1 else ''}; best: {name} ({proof}), but it {' and '.join(lacks)}"


def _why_not(board: pd.DataFrame, against_null: pd.DataFrame, measure: Measure) -> str:
    models, null = board[board["feature_set"] != NO_FEATURES], board[board["feature_set"] == NO_FEATURES]
    if models.empty:
        return "no model with predictors was run"
    completed = models[models["status"] == "completed"]
    if completed.empty:
        return f"no model was completed; {models.iloc[0]['status']}: {models.iloc[0]['note']}"
    if not (null["status"] == "completed").any():
        return "the null model, against which models are judged, was not run to its end"
    notes = [note for note in against_null["note"] if note]
    missing = notes[0] if notes else str(completed.iloc[0]["note"]) or "no reason was recorded"
    return f"no model has both an interval of {measure.label} and a P value; {missing}"


def _uncertainty(conclusion: Conclusion, best: Judged, judged: list[Judged], measure: Measure) -> Iterator[str]:
    if conclusion == "none":
        highest = max(float(j.cell[f"{measure.name}_ci_high"]) for j in judged)
        yield (
            f"This is a finding with uncertainty, not a proof that nothing can be predicted: the intervals reach up to"
            f" {measure.label} {signed(highest)}."
        )
        above = sum(j.cell[f"{measure.name}_ci_low"] > measure.metric.reference for j in judged)
        if above:
            yield (
                f"Without correction for {_models(len(judged))}, {above} of their intervals"
                f" {'lies' if above == 1 else 'lie'} above {measure.metric.reference:g}."
            )
    else:
        if len(judged) > 1:
            yield "The estimate is the highest of several, and for that optimistic."
        yield "This is internal validation: it says nothing of other hospitals."
        others = [cell_name(j.cell) for j in judged if j.discriminates and j is not best]
        if others:
            yield f"Also shown to discriminate: {'; '.join(others)}."


def _unjudged(board: pd.DataFrame, n_judged: int, n_models: int) -> Iterator[str]:
    if n_judged < n_models:
        counts = board.loc[board["feature_set"] != NO_FEATURES, "status"].value_counts()
        why = ", ".join(f"{counts[status]} {status}" for status in ("failed", "skipped") if status in counts)
        yield f"{n_models - n_judged} of {_models(n_models)} could not be judged{f' ({why})' if why else ''}."


def _patients_needed(best: Judged, against_paper: pd.DataFrame) -> Iterator[tuple[str, int]]:
    share = float(best.cell["n_events"] / best.cell["n"])
    known = against_paper[np.isfinite(against_paper["ci_low"]) & (against_paper["ci_high"] > against_paper["ci_low"])]
    for difference in PRACTICAL_DIFFERENCES:
        yield f"n_needed_auc_above_half_{difference:g}", patients_to_see_auc(0.5 + difference, share)
    if len(known):
        width = known["ci_high"] - known["ci_low"]
        typical = known.iloc[int((width - width.median()).abs().argmin())]
        for difference in PRACTICAL_DIFFERENCES:
            needed = patients_to_see_difference(difference, typical["ci_low"], typical["ci_high"], int(typical["n"]))
            yield f"n_needed_auc_above_paper_{difference:g}", needed


def _needed_in_words(needed: Mapping[str, int], best: Judged) -> Iterator[str]:
    def told(kind: str, above: float) -> str:
        return ", ".join(f"{needed[f'n_needed_{kind}_{d:g}']:,} for {above + d:g}" for d in PRACTICAL_DIFFERENCES)

    share = best.cell["n_events"] / best.cell["n"]
    yield (
        f"Patients needed ({POWER:.0%} power, two-sided 5%, one model fixed beforehand) to tell its AUC from 0.5, {share:.0%}"
        f" having the event as here: {told('auc_above_half', 0.5)}. This cohort has {best.cell['n']:.0f}."
    )
    if any("paper" in name for name in needed):
        yield (
            "Patients needed to see a gain in AUC over the paper's model, differences spread as here:"
            f" {told('auc_above_paper', 0)}."
        )


def _against_paper(rows: pd.DataFrame, endpoint: str, measure: Measure) -> Iterator[str]:
    paper = f"the paper's model ({model_label(PAPER_MODEL[ENDPOINTS[endpoint].kind])})"
    tested = rows[np.isfinite(rows["p_value"])]
    if tested.empty:
        yield f"Nothing could be compared with {paper}."
        return
    yield f"Against {paper} on the same features, {_how_many_better(tested)}; {_largest(tested, measure)}."


def _against_published(rows: pd.DataFrame, measure: Measure) -> Iterator[str]:
    tested = rows[np.isfinite(rows["p_value"])]
    if tested.empty:
        return
    scores = ", ".join(dict.fromkeys(model_label(name) for name in tested["reference_model"]))
    yield (
        f"Against the best of the published scores on the same features ({scores}), {_how_many_better(tested)};"
        f" {_largest(tested, measure)}."
    )


def _added_information(rows: pd.DataFrame, measure: Measure) -> Iterator[str]:
    tested = rows[np.isfinite(rows["p_value"])]
    if tested.empty:
        return
    does = "is" if len(_shown_better(tested)) else "is not"
    yield (
        f"What is known before surgery {does} shown to add to what is known at baseline: on it {_how_many_better(tested)} than on"
        f" baseline features; {_largest(tested, measure)}."
    )


def _how_many_better(tested: pd.DataFrame) -> str:
    count = len(_shown_better(tested))
    return f"{count or 'none'} of {_models(len(tested))} {'are' if count > 1 else 'is'} shown to be better"


def _largest(tested: pd.DataFrame, measure: Measure) -> str:
    best = tested.iloc[int(tested["difference"].argmax())]
    return f"the largest difference is {_gain(best, measure)}"


def _shown_better(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["p_holm"] < SIGNIFICANT) & (rows["ci_low"] > 0)]


def _gain(row: pd.Series, measure: Measure) -> str:
    interval = f"95% CI {signed(row['ci_low'])} to {signed(row['ci_high'])}, " if np.isfinite(row["ci_low"]) else ""
    return f"{signed(row['difference'])} in {measure.label} ({interval}corrected {p_in_words(row['p_holm'])}; {cell_name(row)})"


def _evidence_sentence(evidence: Evidence) -> str:
    return f"The cohort is {EVIDENCE_LABELS[evidence]}. The verdict shows how the method judges, and says nothing about patients."


def p_in_words(p: float) -> str:
    """``P < 0.001``, ``P = 0.012``, ``P = 0.34``."""
    text = p_text(p, smallest=0.001)
    return f"P < {text[1:]}" if text.startswith("<") else f"P = {text}"


def _inline(cell: pd.Series, metric: str) -> str:
    label = METRICS[metric].label
    label = label if label.startswith(("AUC", "O/E", "Uno")) else label.lower()
    if not np.isfinite(cell[metric]):
        return f"{label} not estimable"
    low, high = (signed(cell[f"{metric}_ci_{bound}"]) for bound in ("low", "high"))
    return f"{label} {signed(cell[metric])} (95% CI {low} to {high})"


def _models(count: int) -> str:
    return f"{count} model{'' if count == 1 else 's'}"


def _rows(comparisons: pd.DataFrame, comparison: Comparison, metric: str) -> pd.DataFrame:
    return comparisons[(comparisons["comparison"] == comparison) & (comparisons["metric"] == metric)]
