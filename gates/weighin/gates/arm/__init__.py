"""A file's real ARM kernels, run on this machine in an emulator that first proves itself.

cores -> machine -> trust (instructions, known models) -> readings (disagreement)
"""
