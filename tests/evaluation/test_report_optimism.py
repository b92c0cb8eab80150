"""The report's section on optimism and stability: every number or its reason, and no section without resamples."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from evaluation.optimism import correct
from evaluation.refits import Refits
from evaluation.report import render_report
from evaluation.report_optimism import KEYS, OPTIMISM_COLUMNS, STABILITY_COLUMNS, Resampled, optimism_view
from evaluation.stability import selection, stability

from .refit_cases import TWELVE, made_up
from .report_cases import report_data, text_of

CELL = {"population": "overall", "endpoint": "relapse_12m", "feature_set": "baseline", "model": "paper_logistic"}
KEY = tuple(CELL[name] for name in KEYS)
CHOSEN = {"candidates": ("age", "sex"), "original_selected": ("sex",)}


def _resampled(refits: Refits) -> Resampled:
    return Resampled(
        pd.DataFrame([CELL | asdict(row) for row in correct(refits, TWELVE)], columns=OPTIMISM_COLUMNS),
        pd.DataFrame([CELL | asdict(stability(refits, 12.0))], columns=STABILITY_COLUMNS),
        selection(refits).assign(**CELL),
        {KEY: b"unstable"},
        {KEY: b"chosen"},
    )


REFITS = made_up(n_resamples=100, selected=(("sex",),) * 60 + ((),) * 40, **CHOSEN)


def test_without_resamples_there_is_no_section() -> None:
    assert optimism_view(Resampled()) is None
    assert "Corrected for optimism" not in text_of(render_report(report_data()))


def test_section_gives_apparent_corrected_632_plus_interval_and_failures() -> None:
    text = text_of(render_report(report_data(resampled=_resampled(REFITS))))
    [auc] = correct(REFITS, TWELVE, ("auc",))

    assert (
        f"AUC {auc.apparent:.2f} {auc.corrected:.2f} ± {auc.mc_error:.3f} ({auc.ci_low:.2f} to {auc.ci_high:.2f})"
        f" {auc.estimate_632_plus:.2f} 0 of 100"
    ) in text
    assert "In 100 resamples, apparent AUC flatters by" in text


def test_section_gives_distances_in_points_and_what_is_chosen() -> None:
    text = text_of(render_report(report_data(resampled=_resampled(REFITS))))
    found = stability(REFITS, 12.0)

    assert f"{100 * found.mape_mean:.1f} {100 * found.mape_p90:.1f} {found.reclassified_observed:.0%}" in text
    assert "Chosen in half of the resamples or more: Sex (60%)." in text
    assert "in 60 of 100 resamples, is that of the original model: Sex." in text


def test_where_there_is_no_interval_a_footnote_says_why() -> None:
    text = text_of(render_report(report_data(resampled=_resampled(made_up(n_resamples=8)))))

    assert "(no interval)" in text
    assert "1 no interval below 100 resamples." in text


def test_too_many_failures_stand_in_the_place_of_the_estimates() -> None:
    view = optimism_view(_resampled(made_up(n_resamples=7, failures=("ValueError: singular",) * 3)))
    assert view is not None
    [model] = view.questions[0].models

    assert all(row.message.startswith("no estimate: 3 of 10 resamples failed") for row in model.rows)
    assert model.stability is not None
    assert "ValueError: singular" in model.stability.message
    assert view.sentence == "In 10 resamples; no AUC could be corrected, for the reasons given in the tables."


def test_an_empty_set_is_called_no_predictor() -> None:
    view = optimism_view(_resampled(made_up(n_resamples=4, selected=((),) * 4, **CHOSEN)))

    assert view is not None
    assert view.questions[0].models[0].selected.endswith("in 4 of 4 resamples: no predictor.")


def test_figures_are_shown_in_the_page_with_a_text_beside() -> None:
    view = optimism_view(_resampled(REFITS))
    assert view is not None
    (unstable, text), (chosen, _) = view.questions[0].models[0].figures

    assert unstable.startswith("data:image/png;base64,")
    assert unstable != chosen
    assert "Two-stage logistic" in text


def test_only_the_primary_horizon_is_in_the_report() -> None:
    resampled = _resampled(REFITS)
    both = pd.concat([resampled.optimism.assign(horizon_months=6.0, apparent=np.nan), resampled.optimism])
    view = optimism_view(Resampled(both, resampled.stability))

    assert view is not None
    assert view.questions[0].caption.startswith("At 12 months")
    assert len(view.questions[0].models[0].rows) == 4
