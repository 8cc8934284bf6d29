"""A weigh-in on the terminal."""

from weighin.gates.weigh_in import WeighIn


def show_weigh_in(weigh_in: WeighIn) -> None:
    """Print the result as a table; plain text where the output is not a terminal."""
    from rich.console import Console

    from weighin.gates.report.terminal import print_report

    print_report(weigh_in, Console())
