"""Figures of stability: what is drawn is what was computed, and nobody is named."""

from __future__ import annotations

import numpy as np

from evaluation.figures import png
from evaluation.stability import instability, selection
from evaluation.stability_figures import selection_figure, stability_figure

from .refit_cases import made_up

REFITS = made_up(
    candidates=("age", "sex", "baseline_cea"), original_selected=("sex",), selected=(("sex",), *[("sex", "age")] * 2, *[()] * 5)
)


def test_stability_figure_draws_every_risk_every_patient_and_every_curve() -> None:
    unstable = instability(REFITS, 12.0)
    risks, distances, calibration, thresholds = stability_figure("Model", unstable, 12.0).axes

    np.testing.assert_array_equal(risks.lines[0].get_ydata(), unstable.resampled.ravel())
    np.testing.assert_array_equal(risks.lines[1].get_ydata(), unstable.low)
    np.testing.assert_array_equal(distances.lines[0].get_ydata(), unstable.mape)
    assert len(calibration.lines) == 8 + 1 + 1, "resample models, the original one, and the diagonal"
    np.testing.assert_array_equal(thresholds.lines[0].get_ydata(), 100 * unstable.reclassified)


def test_selection_figure_puts_the_most_frequent_on_top_and_fills_the_original_models() -> None:
    [axes] = selection_figure("Model", selection(REFITS)).axes
    bars = list(zip([t.get_text() for t in axes.get_yticklabels()], axes.patches, strict=True))[::-1]

    assert [label for label, _ in bars] == ["Sex", "Age at diagnosis of the metastases", "Baseline CEA"]
    assert [round(bar.get_width(), 1) for _, bar in bars] == [37.5, 25.0, 0.0]
    assert [bar.get_facecolor()[:3] == (1.0, 1.0, 1.0) for _, bar in bars] == [False, True, True]


def test_figures_are_pngs() -> None:
    for figure in (stability_figure("$x_1^{", instability(REFITS, 12.0), 12.0), selection_figure("Model", selection(REFITS))):
        assert png(figure).startswith(b"\x89PNG")
