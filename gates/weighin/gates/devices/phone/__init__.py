"""Measuring on a phone over adb: what its tools print, what it is, and what a run on it tells."""
