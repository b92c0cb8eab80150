"""A model card for every fit of a run, from its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from cohort.types import Cohort
from evaluation.model_card import CardData, model_card
from evaluation.predictions import NO_FEATURES
from evaluation.verdict import Verdict
from features.registry import FEATURE_SETS
from flows.cell_work import CellWork
from flows.folders import write_atomically
from flows.plan import Fit
from flows.run_directory import RunDirectory
from flows.work import predictors_of

FOLDER = "model_cards"


def write_model_cards(
    run: RunDirectory,
    work: CellWork,
    cohort: Cohort,
    board: pd.DataFrame,
    verdicts: Iterable[Verdict],
    settings: Mapping[str, object],
    provenance: Mapping[str, str],
) -> dict[str, str]:
    """One file a fit below ``model_cards/``; returns the cards by the fit's name. Fits of which a fold failed have one too."""
    (run.path / FOLDER).mkdir(exist_ok=True)
    verdicts, cards = tuple(verdicts), {}
    for fit in work.plan.fits:
        endpoints = {cell.endpoint for cell in work.plan.cells_of(fit)}
        summary = work.store.summary(work.keys[fit])
        data = CardData(
            model=fit.model,
            feature_set=fit.feature_set,
            trained_on=fit.trained_on,
            population=fit.population,
            cohort_title=cohort.title,
            cohort_name=cohort.name,
            evidence=cohort.evidence,
            citation=cohort.citation,
            digest=cohort.digest,
            n_patients=len(cohort.population(fit.population)),
            predictors=tuple(_known_at(cohort, fit)),
            params=summary.params,
            notes=summary.notes,
            board=_rows_of(board, fit, endpoints),
            verdicts=tuple(v for v in verdicts if v.population == fit.population and v.endpoint in endpoints),
            settings=settings,
            provenance=provenance,
        )
        cards[fit.name] = model_card(data)
        write_atomically(run.path / FOLDER / f"{fit.name.replace('/', '-')}.md", cards[fit.name])
    return cards


def _rows_of(board: pd.DataFrame, fit: Fit, endpoints: set[str]) -> pd.DataFrame:
    same = (board["population"] == fit.population) & (board["feature_set"] == fit.feature_set) & (board["model"] == fit.model)
    return board[same & board["endpoint"].isin(endpoints)]


def _known_at(cohort: Cohort, fit: Fit) -> Iterable[tuple[str, str]]:
    if fit.feature_set == NO_FEATURES:
        return
    given = set(predictors_of(cohort, fit).names)
    for feature in FEATURE_SETS[fit.feature_set].select(cohort.variables):
        if feature.name in given:
            yield feature.name, feature.known_at(cohort.variables).label
