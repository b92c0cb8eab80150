"""The report's section on leaving one centre out: the pooled numbers in a table, the centres in a forest plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS
from evaluation.figures import feature_set_label, interval_text, model_label, png, question_label, signed
from evaluation.internal_external import POOLED
from evaluation.internal_external_figures import SHOWN, centre_forest
from evaluation.metrics.registry import METRICS
from evaluation.report_tables import Footnotes, Shown, note_text
from evaluation.tables import of_question, questions

NOTES: tuple[str, ...] = (
    "Learned from all centres but one and judged in that one, for each centre; pooled by random effects (restricted maximum"
    " likelihood, Hartung and Knapp's interval) on the logit of AUC and the log of O/E. In brackets: where the truth of a further"
    " centre lies with 95% (prediction interval), which is somewhat too narrow with few centres.",
    "I² is the share of all variance that lies between centres; with few centres it is hardly known.",
)


@dataclass(frozen=True)
class PooledNumber:
    """A pooled metric: estimate and interval, ``beyond`` the prediction interval, ``i2`` in percent."""

    shown: Shown
    beyond: str
    i2: str


@dataclass(frozen=True)
class PooledRow:
    model: str
    features: str
    numbers: tuple[PooledNumber, ...]


@dataclass(frozen=True)
class CentresView:
    """One question. ``heads``: the metrics' labels. ``figure``: PNG of the centres."""

    heading: str
    heads: tuple[str, ...]
    rows: tuple[PooledRow, ...]
    footnotes: tuple[tuple[str, str], ...]
    figure: bytes


def internal_external_views(table: pd.DataFrame) -> tuple[CentresView, ...]:
    """From :func:`evaluation.internal_external.centre_table` of all cells, at each endpoint's primary horizon."""
    views = []
    for endpoint, population in questions(table):
        rows = of_question(table, endpoint, population)
        rows = rows[rows["horizon_months"] == ENDPOINTS[endpoint].primary_horizon_months]
        footnotes = Footnotes()
        pooled = rows[rows["centre"] == POOLED]
        told = tuple(
            PooledRow(
                model_label(str(model)),
                feature_set_label(str(feature_set)),
                tuple(_number(of_model, metric, footnotes) for metric in SHOWN),
            )
            for (feature_set, model), of_model in pooled.groupby(["feature_set", "model"], sort=False)
        )
        heading = question_label(endpoint, population)
        heads = tuple(METRICS[metric].label for metric in SHOWN)
        views.append(CentresView(heading, heads, told, footnotes.items(), png(centre_forest(rows, heading))))
    return tuple(views)


def _number(rows: pd.DataFrame, metric: str, footnotes: Footnotes) -> PooledNumber:
    row = rows[rows["metric"] == metric].iloc[0]
    mark = footnotes.mark(note) if (note := note_text(row["note"])) else ""
    if not np.isfinite(row["estimate"]):
        return PooledNumber(Shown("not estimable", mark=mark), "", "")
    beyond = interval_text(row["prediction_low"], row["prediction_high"])
    interval = interval_text(row["ci_low"], row["ci_high"])
    return PooledNumber(Shown(signed(row["estimate"]), interval, mark), f"[{beyond}]" if beyond else "", f"{row['i2']:.0f}%")
