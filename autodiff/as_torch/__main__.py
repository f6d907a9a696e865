"""Run a program written for PyTorch on this engine: ``python -m autodiff.as_torch script.py arguments``."""

import runpy
import sys
from pathlib import Path

from autodiff.as_torch.modules import install

USAGE = "usage: python -m autodiff.as_torch script.py [arguments], or python -m autodiff.as_torch -m module [arguments]"


def main() -> None:
    arguments = sys.argv[1:]
    as_module = arguments[:1] == ["-m"]
    sys.argv = arguments[as_module:]
    if not sys.argv or sys.argv[0] in ("-h", "--help"):
        sys.exit(USAGE)
    install()
    if as_module:
        # Python itself puts the working directory first on the path for -m, as it did for this module.
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    if not Path(sys.argv[0]).is_file():
        sys.exit(f"there is no program {sys.argv[0]}; {USAGE}")
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
