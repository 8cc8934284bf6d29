"""The one place that writes to the terminal."""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager


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
    if quiet:
        yield lambda _step, _done, _total: None
    elif sys.stderr.isatty():
        with _live_bar(title) as report:
            yield report
    else:
        yield _plain_steps(title)


@contextmanager
def _live_bar(title: str) -> Generator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, object] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(f"{title}: {step}", total=total)
            bar.update(tasks[step], completed=done, total=total)  # type: ignore[arg-type]

        yield report


def _plain_steps(title: str) -> Progress:
    """One line per finished step: a log wants to be short."""
    finished: set[str] = set()

    def report(step: str, done: int, total: int) -> None:
        if done >= total and step not in finished:
            finished.add(step)
            warn(f"{title}: {step}" + (f" {total}/{total}" if total > 1 else ""))

    return report
