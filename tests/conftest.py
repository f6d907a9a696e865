"""Hypothesis profiles: `ci`, the default, draws the same examples in every run; `deep` draws many more, fresh ones.

Choose one with `pytest --hypothesis-profile=deep`. Only `deep` keeps failing examples on disk, to try them first.
"""

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("deep", settings.get_profile("default"), max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("ci")
