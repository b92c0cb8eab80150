"""What an external validation found for one endpoint in one population, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from evaluation.decision_curve import useful_thresholds
from evaluation.external_validation import FROZEN, INTERCEPT_AND_SLOPE, UPDATES
from evaluation.figures import interval_text, signed
from evaluation.predictions import NO_FEATURES
from evaluation.report_summary import CellKey, cell_key, cell_name

#: Corrected P below this counts.
ALPHA = 0.05


def summarise_validation(
    boards: Mapping[str, pd.DataFrame], comparisons: pd.DataFrame, decision_curves: Mapping[CellKey, pd.DataFrame]
) -> tuple[str, ...]:
    """From one question's rows of the boards (by update) and of the comparisons. ``decision_curves`` may hold other cells too."""
    done = {kind: board[board["status"] == "completed"] for kind, board in boards.items()}
    models = {kind: board[board["feature_set"] != NO_FEATURES] for kind, board in done.items()}
    if done[FROZEN].empty:
        return ("No model could be judged.",)
    return (
        *_over_all(done[FROZEN]),
        *_ranks(models[FROZEN], comparisons),
        *_calibration(models[FROZEN]),
        *_gain(models, comparisons),
        *_net_benefit(models[FROZEN], decision_curves),
    )


def _over_all(board: pd.DataFrame) -> Iterator[str]:
    """The null model's O/E is how much rarer or commoner the event is in the test cohort."""
    null = board[board["feature_set"] == NO_FEATURES]
    if len(null) and np.isfinite(null.iloc[0]["o_e"]):
        row = null.iloc[0]
        than = "rarer" if row["o_e"] < 1 else "commoner"
        yield (
            f"The event is {than} in the test cohort: the training cohort's overall risk, carried over, has an O/E of"
            f" {_with_interval(row, 'o_e')}."
        )


def _ranks(models: pd.DataFrame, comparisons: pd.DataFrame) -> Iterator[str]:
    estimated = models[models["auc"].notna()]
    if estimated.empty:
        yield "No AUC could be estimated."
        return
    best = estimated.iloc[int(estimated["auc"].argmax())]
    of = f", the highest of {len(estimated)} and for that an optimistic estimate" if len(estimated) > 1 else ""
    yield f"Frozen, the highest AUC has {cell_name(best)}: {_with_interval(best, 'auc')}{of}."
    if len(comparisons):
        first = comparisons[comparisons["update"] == FROZEN]["metric"].iloc[0]
        proven = _better(comparisons, FROZEN, first)
        name = "an AUC" if first == "auc" else "a C (Uno's)"
        yield f"{_count(proven, len(models))} {name} above that of the null model (corrected P below {ALPHA})."


def _calibration(models: pd.DataFrame) -> Iterator[str]:
    for metric, says in (("o_e", "O/E"), ("calibration_slope", "calibration slope")):
        known = models[models[metric].notna()]
        if len(known):
            right = int(((known[f"{metric}_ci_low"] <= 1) & (known[f"{metric}_ci_high"] >= 1)).sum())
            low, high = signed(known[metric].min()), signed(known[metric].max())
            span = f"is {low}" if low == high else f"ranges from {low} to {high}"
            yield f"Frozen, the {says} {span} (1 is right); the interval holds 1 in {right} of {len(known)} models."


def _gain(models: Mapping[str, pd.DataFrame], comparisons: pd.DataFrame) -> Iterator[str]:
    if comparisons.empty:
        return
    for kind in (FROZEN, INTERCEPT_AND_SLOPE):
        n = len(models[kind])
        proven = _better(comparisons, kind, "brier_skill")
        worse = _worse(comparisons, kind, "brier_skill")
        tail = f"; {worse} a higher one" if worse else ""
        yield (
            f"{UPDATES[kind]}: {_count(proven, n).lower()} a lower Brier score than the null model"
            f"{'' if kind == FROZEN else ' recalibrated alike'} (corrected P below {ALPHA}){tail}."
        )


def _net_benefit(models: pd.DataFrame, decision_curves: Mapping[CellKey, pd.DataFrame]) -> Iterator[str]:
    curves = [decision_curves[key] for _, cell in models.iterrows() if (key := cell_key(cell)) in decision_curves]
    if not curves:
        return
    for kind in (FROZEN, INTERCEPT_AND_SLOPE):
        of_kind = [curve[curve["update"] == kind] for curve in curves]
        useful = sum(bool(useful_thresholds(curve)) for curve in of_kind if len(curve))
        yield (
            f"{UPDATES[kind]}: {_count(useful, len(models)).lower()} a net benefit above that of treating all and of treating"
            " nobody at some threshold from 5% to 60% (interval of the difference above 0; not corrected for their number)."
        )


def _better(comparisons: pd.DataFrame, kind: str, metric: str) -> int:
    return int(_proven(comparisons, kind, metric)["difference"].gt(0).sum())


def _worse(comparisons: pd.DataFrame, kind: str, metric: str) -> int:
    return int(_proven(comparisons, kind, metric)["difference"].lt(0).sum())


def _proven(comparisons: pd.DataFrame, kind: str, metric: str) -> pd.DataFrame:
    chosen = (comparisons["update"] == kind) & (comparisons["metric"] == metric) & (comparisons["p_holm"] < ALPHA)
    return comparisons[chosen]


def _count(number: int, of: int) -> str:
    return f"{number or 'None'} of {of} models {'has' if number <= 1 else 'have'}"


def _with_interval(row: pd.Series, metric: str) -> str:
    interval = interval_text(row[f"{metric}_ci_low"], row[f"{metric}_ci_high"]) or "no interval"
    return f"{signed(row[metric])} ({interval})"
