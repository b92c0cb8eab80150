"""The embedded cohort: 268 patients rebuilt from published aggregate numbers. No patient's data, no clinical evidence.

Source: Moretto R, Germani MM, Borelli B, et al. Predicting early recurrence after resection of initially unresectable colorectal
liver metastases. ESMO Open 2024, doi 10.1016/j.esmoop.2024.102991, CC BY 4.0; its numbers are in ``published/``.

``crlm cohort reconstruct --seed 2024 --out FILE`` writes such a cohort in some minutes; other seeds give other, equally plausible
ones, and ``--start FILE`` cools one again. The one that ships, ``cohort/contracts/reconstructed.csv``, is the best of many:
cooled by an earlier version of this optimiser and, once it could exchange times, again. A single run ends some ten rows short.

The path of a number: ``published`` reads it, ``tables`` solves odds ratios for whole numbers, ``clinical``, ``imaging`` and
``outcomes`` hand them out to patients with the tools of ``assign``: a draft in which Tables 1 and 2 (categories) hold. Then two
simulated annealings move what print leaves free: ``outcome_fit`` what followed relapse, ``predictor_fit`` (scheduled by ``fit``)
who has which predictors, as the whole numbers of ``covariates``. ``targets`` is what is to be reached, ``problem`` how far it is,
``moves`` what may change of the predictors, ``course`` of the times. ``regressions`` fits one step anew; ``influence`` foretells
what a swap does to a regression on one covariate, in constant time. ``build`` puts the columns together.

Where published numbers contradict each other, Table 2's 2x2 tables and all counts win:

- Baseline CEA: the median "17" cannot stand beside 127 of 222 patients below 10.
- Lobes before surgery: Table 1 has 131 bilobar, Tables 2 and 3 have 131 unilobar; only the latter give the odds ratios.
- 149 relapses by 12 months (text) against 161 events (Table 2) and some 209 events in all (Table 3).
- Twelve of the 52 odds ratio rows are given by no whole-number table when every number is rounded: six have their last digits
  cut off, the others are misprinted. The nearest table is taken.

``evaluation/published_audit.py`` computes these and the other contradictions of print. The paper gives no counts per centre, no
site of relapse by time, no CEA range: these are assumptions, named where they are made.
"""

from cohort.reconstruct.build import SEED, reconstruct, refine, write_cohort
from cohort.reconstruct.fit import Fitted

__all__ = ["SEED", "Fitted", "reconstruct", "refine", "write_cohort"]
