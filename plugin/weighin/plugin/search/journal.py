"""The answers of a search, kept on disk as they come: a line per round.

A run that is killed at any moment loses the round that it was in, no more. What this module does
not do: it keeps no files of models; those are kept by content, where builds are.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from weighin.gates.search import Round
from weighin.gates.search_wire import round_from_json, round_to_json


class Journal:
    """One search's file of rounds."""

    def __init__(self, path: Path) -> None:
        """Use a file; it is made with the first round."""
        self._path = path

    def read(self) -> tuple[Round, ...]:
        """The rounds so far; from a line on that is not whole, nothing is believed."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        rounds: list[Round] = []
        for line in lines:
            try:
                rounds.append(round_from_json(json.loads(line)))
            except ValueError:
                break
        return tuple(rounds)

    def write(self, rounds: Sequence[Round]) -> None:
        """Keep these rounds; the file is replaced as a whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.new")
        with draft.open("w", encoding="utf-8") as stream:
            for one in rounds:
                stream.write(json.dumps(round_to_json(one), allow_nan=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._path)
