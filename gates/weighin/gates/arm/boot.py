"""Runs one of our modules in the emulated Python: ``python -I boot.py MODULE JOB``.

The emulated Python has numpy and the runtimes of its own; of ours it sees this one package, by
this file's place, and nothing else that is installed beside it for another processor.

What this module does not do: it is never imported. It uses the standard library only.
"""

import runpy
import sys
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    namespace = ModuleType("weighin")
    namespace.__path__ = [str(Path(__file__).parents[2])]
    sys.modules["weighin"] = namespace
    name = sys.argv[1]
    del sys.argv[1]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
