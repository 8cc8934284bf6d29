"""A weigh-in on the terminal, and its page in a browser."""

from pathlib import Path

from weighin.gates.report.context import PLAIN, Context
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.console import say, warn


def show_weigh_in(weigh_in: WeighIn, context: Context = PLAIN) -> None:
    """Print the result as tables; plain text where the output is not a terminal."""
    from rich.console import Console

    from weighin.gates.report.terminal import print_report

    print_report(weigh_in, Console(), context)


def open_page(page: Path) -> None:
    """Say where a page is, and show it in the user's browser if there is one."""
    import webbrowser

    say(str(page))
    if not webbrowser.open(page.resolve().as_uri()):
        warn("no browser could be opened here; open the file above in one")
