"""The embedded cohort: 268 patients rebuilt from published aggregate numbers. No patient's data, no clinical evidence.

Source: Moretto R, Germani MM, Borelli B, et al. Predicting early recurrence after resection of initially unresectable colorectal
liver metastases. ESMO Open 2024, doi 10.1016/j.esmoop.2024.102991, CC BY 4.0; its numbers are in ``published/``.

``python -m cohort.reconstruct --seed 2024 --out FILE`` writes the cohort that ships as ``cohort/contracts/reconstructed.csv``.

The path of a number: ``published`` reads it, ``tables`` solves odds ratios for whole numbers, ``clinical``, ``imaging`` and
``outcomes`` hand them out to patients with the tools of ``assign``, and ``build`` puts the columns together.
Where published numbers contradict each other, Table 2's 2x2 tables and all counts win:

- Baseline CEA: the median "17" cannot stand beside 127 of 222 patients below 10.
- Lobes before surgery: Table 1 has 131 bilobar, Tables 2 and 3 have 131 unilobar; only the latter give the odds ratios.
- 149 relapses by 12 months (text) against 161 events (Table 2) and some 209 events in all (Table 3).
- Twelve of the 52 odds ratio rows are given by no whole-number table when every number is rounded: six have their last digits
  cut off, the others are misprinted. The nearest table is taken; ``tests/cohort/test_reconstruct.py`` lists and proves them.

The paper gives no counts per centre, no site of relapse by time, no CEA range: these are assumptions, named where they are made.
"""

from cohort.reconstruct.build import SEED, reconstruct, write_cohort

__all__ = ["SEED", "reconstruct", "write_cohort"]
