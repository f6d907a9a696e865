"""Training as a course teaches it: estimators and search on top of modules and optimizers.

What needs scikit-learn, Optuna or Matplotlib (the extra ``train``) is imported from its own module.
"""
