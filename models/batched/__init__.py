"""Logistic and Cox regression of many resamples and many covariate sets at once.

A bootstrap is whole-number weights over rows that are sorted once: nothing is re-sorted or copied, and a fit with weights is the
fit of the duplicated rows. ``kernels`` has the compiled likelihoods and Newton's method, ``regression`` what calls them from
Python, ``two_stage`` the paper's whole procedure. ``models.logistic`` and ``models.cox`` are the same code for one fit.
"""
