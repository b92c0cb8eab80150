"""What one endpoint in one population came to, in sentences that a reader can quote, and flags that must not be missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.figures import feature_set_label, model_label, signed
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.metrics.registry import METRICS
from evaluation.predictions import NO_FEATURES
from evaluation.report_tables import NO_INTERVAL

TOO_GOOD = "above what the field has reached: treat as a leak until shown otherwise"

_KEY = ["population", "endpoint", "feature_set", "model"]


@dataclass(frozen=True)
class Summary:
    """What one endpoint in one population came to: ``sentences``, and ``flags`` that a reader must not miss."""

    sentences: tuple[str, ...]
    flags: tuple[str, ...]


def summarise(board: pd.DataFrame, metrics: pd.DataFrame) -> Summary:
    """In words, from one endpoint's and population's rows of the leaderboard and of the metrics (for the other horizons)."""
    models = board[board["feature_set"] != NO_FEATURES]
    estimated = models[models["auc"].notna()]
    return Summary(
        sentences=(*_discrimination(estimated), _brier_against_null(board, models), *_not_completed(board)),
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


def cell_name(cell: pd.Series) -> str:
    """The model and its features, for people."""
    if cell["feature_set"] == NO_FEATURES:
        return model_label(cell["model"])
    return f"{model_label(cell['model'])}, {_features(cell)}"


def _features(cell: pd.Series) -> str:
    label = feature_set_label(cell["feature_set"])
    return label[:1].lower() + label[1:]
