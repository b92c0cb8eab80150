"""What the fitted models look at: importance by permutation, SHAP values, partial dependence, formula and nomogram."""
