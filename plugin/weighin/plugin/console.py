"""The one place that writes to the terminal."""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from weighin.gates.plain import plain

_TITLE = 24
_BAR = 16


def say(text: str) -> None:
    """Write a line for people to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Write a line for people to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(document: object) -> None:
    """Write one JSON document to standard output. NaN is refused, not written."""
    say(json.dumps(document, indent=2, allow_nan=False))


Progress = Callable[[str, int, int], None]
"""``progress(step, done, total)``: called as work goes on."""


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Generator[Progress]:
    """A live bar on a terminal, one line per step elsewhere; on standard error."""
    name = plain(title)
    if quiet:
        yield lambda _step, _done, _total: None
    elif sys.stderr.isatty():
        with _live_bar(name if len(name) <= _TITLE else name[: _TITLE - 1] + "…") as report:
            yield report
    else:
        yield _plain_steps(name)


@contextmanager
def _live_bar(title: str) -> Generator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    named = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}", markup=False, table_column=named),
        BarColumn(bar_width=_BAR),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), expand=True) as bar:
        tasks: dict[str, object] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(f"{title}: {plain(step)}", total=total)
            bar.update(tasks[step], completed=done, total=total)  # type: ignore[arg-type]

        yield report


def _plain_steps(title: str) -> Progress:
    """One line per finished step: a log wants to be short."""
    finished: set[str] = set()

    def report(step: str, done: int, total: int) -> None:
        if done >= total and step not in finished:
            finished.add(step)
            warn(f"{title}: {plain(step)}" + (f" {total}/{total}" if total > 1 else ""))

    return report
