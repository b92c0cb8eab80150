"""What one endpoint in one population came to, in sentences that a reader can quote, and flags that must not be missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.decision_curve import useful_in_words, useful_thresholds
from evaluation.figures import feature_set_label, model_label, signed
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.metrics.registry import METRICS
from evaluation.predictions import NO_FEATURES
from evaluation.report_tables import NO_INTERVAL

TOO_GOOD = "above what the field has reached: treat as a leak until shown otherwise"

_KEY = ["population", "endpoint", "feature_set", "model"]

CellKey = tuple[str, str, str, str]
"""population, endpoint, feature_set, model"""


@dataclass(frozen=True)
class Summary:
    """What one endpoint in one population came to: ``sentences``, and ``flags`` that a reader must not miss."""

    sentences: tuple[str, ...]
    flags: tuple[str, ...]


def summarise(board: pd.DataFrame, metrics: pd.DataFrame, decision_curves: Mapping[CellKey, pd.DataFrame]) -> Summary:
    """In words, from one endpoint's and population's rows of the leaderboard and of the metrics (for the other horizons).

    ``decision_curves`` may hold other cells too.
    """
    models = board[board["feature_set"] != NO_FEATURES]
    estimated = models[models["auc"].notna()]
    return Summary(
        sentences=(
            *_discrimination(estimated),
            _brier_against_null(board, models),
            *_net_benefit(models, decision_curves),
            *_not_completed(board),
        ),
        flags=tuple(_too_good(board, metrics)),
    )


def _discrimination(estimated: pd.DataFrame) -> Iterator[str]:
    if estimated.empty:
        yield "No AUC could be estimated. No model is shown to discriminate."
        return
    best = estimated.iloc[int(estimated["auc"].argmax())]
    of = f", the highest of {len(estimated)} and for that an optimistic estimate" if len(estimated) > 1 else ""
    yield f"Best by AUC: {cell_name(best)}: {_inline(best, 'auc')}{of}."
    above, below = int((estimated["auc_ci_low"] > 0.5).sum()), int((estimated["auc_ci_high"] < 0.5).sum())
    if above:
        yield f"{above} of {len(estimated)} models {'has' if above == 1 else 'have'} an AUC interval that lies above 0.5."
    else:
        yield f"No model is shown to discriminate: of {len(estimated)} AUC intervals none lies above 0.5."
    if below:
        yield f"AUC intervals that lie below 0.5, ranks running the wrong way: {below} of {len(estimated)}."


def _brier_against_null(board: pd.DataFrame, models: pd.DataFrame) -> str:
    null = board.loc[board["feature_set"] == NO_FEATURES, "brier"].dropna()
    briers = models["brier"].dropna()
    if null.empty or briers.empty:
        return "Brier scores cannot be compared with the null model's: one side is missing."
    reference = float(null.iloc[0])
    better = int((briers < reference).sum())
    shown = f"the null model's Brier score ({reference:.3f}) by its point estimate"
    if not better:
        return f"No model beats {shown}; the nearest has {briers.min():.3f}."
    return f"{better} of {len(briers)} models beat{'s' if better == 1 else ''} {shown}; the lowest is {briers.min():.3f}."


def _net_benefit(models: pd.DataFrame, decision_curves: Mapping[CellKey, pd.DataFrame]) -> Iterator[str]:
    """How many models are worth acting on, and each of them with its thresholds."""
    drawn = [(cell, decision_curves[cell_key(cell)]) for _, cell in models.iterrows() if cell_key(cell) in decision_curves]
    if not drawn:
        return
    useful = [f"{cell_name(cell)}: {_lower_first(useful_in_words(curve))}" for cell, curve in drawn if useful_thresholds(curve)]
    if useful:
        yield (
            f"Net benefit: {len(useful)} of {len(drawn)} models {'is' if len(useful) == 1 else 'are'} better than treating all"
            f" and treating nobody at some threshold. Each of {len(drawn[0][1])} thresholds is judged alone, so some pass by"
            f" chance. {'; '.join(useful)}."
        )
    else:
        yield f"Net benefit: of {len(drawn)} models none is shown to be better than treating all and treating nobody."


def _not_completed(board: pd.DataFrame) -> Iterator[str]:
    counts = {status: int((board["status"] == status).sum()) for status in ("failed", "skipped")}
    text = " and ".join(f"{count} {status}" for status, count in counts.items() if count)
    if text:
        yield f"Of {len(board)} cells {text}."


def _too_good(board: pd.DataFrame, metrics: pd.DataFrame) -> Iterator[str]:
    """AUC estimates above the field's best, at any horizon, each once."""
    primary = board.rename(columns={"auc": "estimate"})
    others = metrics[metrics["metric"] == "auc"]
    both = pd.concat([table[[*_KEY, "horizon_months", "estimate"]] for table in (primary, others)], ignore_index=True)
    suspects = both[both["estimate"] > FIELD_BEST_AUC].drop_duplicates([*_KEY, "horizon_months"])
    for _, cell in suspects.sort_values("estimate", ascending=False, kind="stable").iterrows():
        yield f"{cell_name(cell)}: AUC {cell['estimate']:.2f} at {cell['horizon_months']:g} months is {TOO_GOOD}."


def _inline(cell: pd.Series, metric: str) -> str:
    low, high = cell[f"{metric}_ci_low"], cell[f"{metric}_ci_high"]
    interval = f"95% CI {signed(low)} to {signed(high)}" if np.isfinite(low) else NO_INTERVAL
    return f"{METRICS[metric].label} {signed(cell[metric])} ({interval})"


def cell_key(cell: pd.Series) -> CellKey:
    population, endpoint, feature_set, model = (str(cell[name]) for name in _KEY)
    return population, endpoint, feature_set, model


def cell_name(cell: pd.Series) -> str:
    """The model and its features, for people."""
    if cell["feature_set"] == NO_FEATURES:
        return model_label(cell["model"])
    return f"{model_label(cell['model'])}, {_features(cell)}"


def _features(cell: pd.Series) -> str:
    return _lower_first(feature_set_label(cell["feature_set"]))


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
