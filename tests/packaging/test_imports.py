"""What stands in `sys.modules` after the packages are imported."""

import subprocess
import sys
from importlib.metadata import packages_distributions


def installed_packages_loaded_by(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return {name.partition(".")[0] for name in output.split()} & packages_distributions().keys()


def test_the_engine_loads_numpy_only() -> None:
    assert installed_packages_loaded_by("import autodiff") - {"autodiff"} == {"numpy"}


def test_nothing_optional_is_loaded_before_its_first_use() -> None:
    assert installed_packages_loaded_by("import autodiff.data, nn, optim") - {"autodiff", "nn", "optim"} == {"numpy"}


def test_training_loads_no_library_before_its_first_use() -> None:
    assert installed_packages_loaded_by("import autodiff.training") - {"autodiff", "nn", "optim"} == {"numpy"}


def test_the_transforms_are_loaded_when_first_used() -> None:
    program = "import sys, autodiff; print(*(name for name in sys.modules if 'transforms' in name)); autodiff.vmap"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.split() == []
