"""Everything that makes variants, on real models: quantization beside other tools, reach over
sources and formats, search, pruning and distillation. The long trainings come last.
"""

from sections import run_and_write

if __name__ == "__main__":
    run_and_write(("quantization", "reach", "search", "pruning"), __doc__)
