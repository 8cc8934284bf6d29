"""What was learned about one runtime, as a record and as the TOML file that ships it.

``prices-RUNTIME.toml`` is written by ``weighin device fit`` and by nothing else. Users who fit
their own runs keep theirs in ``devices/`` beside ``weighin.toml``, where it stands before the
shipped one.
The law, held by a property test: reading back what was written gives an equal record.

What this module does not do: it fits nothing and predicts nothing.
"""

import functools
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.holdout import Band
from weighin.gates.devices.prices import TERMS, Prior
from weighin.gates.devices.reach import Reach
from weighin.gates.errors import ConfigError
from weighin.gates.toml_table import Table

COMMAND = "weighin device fit --table ../shared/devices"
"""Reproduces every shipped figure, where the tables are."""

_SHIPPED = ("litert", "ncnn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that was learned from: its amounts, in the order of the terms."""

    name: str
    amounts: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The prior of one arithmetic, how wrong it was, and what it was learned from.

    Attributes:
        prior: How prices go together.
        item_bytes: Bytes of one value.
        known: Band for a network that other phones ran.
        new: Band for one whose whole family was never seen.
        transferred: Band for such a one that was measured on another phone.
        networks: What it was learned from.
        runs: How many runs.
        devices: The phones and boards that they were on.
        families: Of how many families of networks.
    """

    prior: Prior
    item_bytes: int
    known: Band
    new: Band
    transferred: Band
    networks: tuple[Network, ...]
    runs: int
    devices: tuple[str, ...]
    families: int

    @property
    def reach(self) -> Reach:
        """The mixes and sizes that it was learned from."""
        return Reach(networks=tuple(one.amounts for one in self.networks))

    def amounts(self, network: str) -> tuple[float, ...] | None:
        """The amounts of a network by name; ``None`` if it was not learned from."""
        return next((one.amounts for one in self.networks if one.name == network), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Everything learned about one runtime.

    Attributes:
        runtime: Its name, such as ``litert``.
        source: Whose runs they were.
        learned: One per arithmetic.
        operators: Operators that the networks consist of; empty where only counts are known.
    """

    runtime: str
    source: str
    learned: tuple[tuple[Arithmetic, Learned], ...]
    operators: tuple[str, ...] = ()

    def of(self, arithmetic: Arithmetic) -> Learned | None:
        """What was learned of one arithmetic; ``None`` if no run of it is known."""
        return dict(self.learned).get(arithmetic)


def file_name(runtime: str) -> str:
    """Name of a runtime's file."""
    return f"prices-{runtime}.toml"


def load_coefficients(runtime: str) -> Coefficients | None:
    """What is shipped about a runtime; ``None`` if nobody published runs of it."""
    return _shipped(runtime) if runtime in _SHIPPED else None


def own_coefficients(own: Path | None) -> tuple[Coefficients, ...]:
    """What the user fitted: every ``prices-RUNTIME.toml`` in the user's folder.

    Raises:
        ConfigError: a file cannot be read.
    """
    paths = sorted(own.glob(file_name("*"))) if own is not None and own.is_dir() else []
    found: list[Coefficients] = []
    for path in paths:
        try:
            found.append(parse_coefficients(path.read_text("utf-8"), str(path)))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
    return tuple(found)


@functools.cache
def _shipped(runtime: str) -> Coefficients:
    file = resources.files("weighin.gates.devices") / file_name(runtime)
    return parse_coefficients(file.read_text("utf-8"), file_name(runtime))


def parse_coefficients(text: str, where: str) -> Coefficients:
    """The record from the text of its file.

    Raises:
        ConfigError: it is not such a file; the message names the key.
    """
    try:
        table = Table(tomllib.loads(text))
        arithmetics = [a for a in Arithmetic if a.value in table.values]
        table.only("runtime", "source", "operators", *(a.value for a in arithmetics))
        return Coefficients(
            runtime=table.text("runtime"),
            source=table.text("source"),
            operators=tuple(str(one) for one in table.values.get("operators", ())),
            learned=tuple((a, _learned(table.table(a.value))) for a in arithmetics),
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}; write it anew with `weighin device fit`") from error


def _learned(table: Table) -> Learned:
    networks = table.table("networks")
    named = [(name, _numbers(networks, name, len(TERMS) + 1)) for name in networks.values]
    return Learned(
        prior=Prior(
            mean=_numbers(table, "mean", len(TERMS)),
            covariance=_square(table, "covariance"),
            noise=table.number("noise", 1e-4, 10),
            spread=table.number("spread", 1e-4, 10),
            effects=tuple((name, row[-1]) for name, row in named),
        ),
        item_bytes=table.whole("item_bytes", 1, 8),
        known=_band(table, "known"),
        new=_band(table, "new"),
        transferred=_band(table, "transferred"),
        networks=tuple(Network(name=name, amounts=row[:-1]) for name, row in named),
        runs=table.whole("runs", 1, 10**7),
        devices=tuple(str(name) for name in table.get("devices")),
        families=table.whole("families", 1, 10**5),
    )


def _band(table: Table, name: str) -> Band:
    below, above = _numbers(table, name, 2)
    return Band(below=below, above=above)


def _square(table: Table, name: str) -> tuple[tuple[float, ...], ...]:
    rows = table.get(name)
    if not isinstance(rows, list) or len(rows) != len(TERMS):
        raise ValueError(f"{table.key(name)} must be {len(TERMS)} rows of numbers")
    keyed = Table({str(i): row for i, row in enumerate(rows)}, table.key(name))
    return tuple(_numbers(keyed, str(i), len(TERMS)) for i in range(len(TERMS)))


def _numbers(table: Table, name: str, count: int) -> tuple[float, ...]:
    values = table.get(name)
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{table.key(name)} must be {count} numbers")
    keyed = Table({str(i): value for i, value in enumerate(values)}, table.key(name))
    return tuple(keyed.number(str(i), -1e12, 1e12) for i in range(count))


def render_coefficients(coefficients: Coefficients) -> str:
    """The text of the file; :func:`parse_coefficients` reads it back equal."""
    lines = [
        "# What a unit of work costs on phones. Written by `weighin device fit`; not by hand.",
        f"# Terms, in order: {', '.join(TERMS)}.",
        "# Networks: their amounts, then the logarithm of what they take beyond their terms.",
        "",
        f"runtime = {_text(coefficients.runtime)}",
        f"source = {_text(coefficients.source)}",
    ]
    if coefficients.operators:
        lines.append(f"operators = [{', '.join(map(_text, coefficients.operators))}]")
    for arithmetic, learned in coefficients.learned:
        lines += ["", *_lines(arithmetic, learned)]
    return "\n".join(lines) + "\n"


def _lines(arithmetic: Arithmetic, learned: Learned) -> Iterable[str]:
    prior = learned.prior
    effects = dict(prior.effects)
    yield f"[{arithmetic.value}]"
    yield f"item_bytes = {learned.item_bytes}"
    yield f"runs = {learned.runs}"
    yield f"devices = [{', '.join(map(_text, learned.devices))}]"
    yield f"families = {learned.families}"
    yield f"noise = {prior.noise!r}"
    yield f"spread = {prior.spread!r}"
    yield f"known = {_row((learned.known.below, learned.known.above))}"
    yield f"new = {_row((learned.new.below, learned.new.above))}"
    yield f"transferred = {_row((learned.transferred.below, learned.transferred.above))}"
    yield f"mean = {_row(prior.mean)}"
    yield "covariance = ["
    yield from (f"  {_row(row)}," for row in prior.covariance)
    yield "]"
    yield ""
    yield f"[{arithmetic.value}.networks]"
    for network in learned.networks:
        yield f"{_text(network.name)} = {_row((*network.amounts, effects[network.name]))}"


def _row(values: Sequence[float]) -> str:
    return f"[{', '.join(repr(float(v)) for v in values)}]"


def _text(value: str) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
