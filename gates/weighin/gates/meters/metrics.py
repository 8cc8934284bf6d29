"""By which number a model's quality is judged: names, and what each of them reads.

A name is one of the built-in ones, ``sklearn:NAME`` (a function of ``sklearn.metrics``),
``torchmetrics:NAME`` (a function of ``torchmetrics.functional``), or ``module:function`` of the
user's own.

Pure, and light: the configuration imports this. What this module does not do: it computes nothing;
see :mod:`weighin.gates.meters.score_functions`.
"""

import difflib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from weighin.gates.errors import ConfigError

ACCURACY = "accuracy"
SKLEARN = "sklearn"
TORCHMETRICS = "torchmetrics"
LABEL = "label"
"""The column that every data set has: its class."""

LIBRARIES = (SKLEARN, TORCHMETRICS)

Argument = str | float | bool


class Reads(StrEnum):
    """What of a model's outputs a metric reads.

    ``classes``: the class with the largest output, [n]. ``scores``: one probability per class,
    [n, classes]. ``values``: the outputs as they are, [n] or [n, k].
    """

    CLASSES = "classes"
    SCORES = "scores"
    VALUES = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityMetric:
    """A metric by its name.

    Attributes:
        name: As configured.
        reads: What of the outputs it reads.
        right_among: For shares of right answers: among how many of the largest outputs the label
            must be. Such a metric is judged by exact paired counts.
        larger_is_better: Whether more of it is good.
        numbers: Whether labels are numbers rather than classes.
        arguments: Given to a function that is not built in.
    """

    name: str
    reads: Reads
    right_among: int | None = None
    larger_is_better: bool = True
    numbers: bool = False
    arguments: tuple[tuple[str, Argument], ...] = ()

    @property
    def library(self) -> str | None:
        """``sklearn``, ``torchmetrics``, the user's module, or ``None`` for a built-in one."""
        return self.name.partition(":")[0] if ":" in self.name else None

    @property
    def function(self) -> str:
        """Name of the function, or the built-in name itself."""
        return self.name.partition(":")[2] or self.name

    @property
    def words(self) -> str:
        """What people call it."""
        return self.name.replace("_", " ")

    def code(self, root: Path) -> Path | None:
        """The file of the user's own function; ``None`` if it is not the user's.

        Raises:
            ConfigError: there is no such file below the project's root.
        """
        if self.library is None or self.library in LIBRARIES:
            return None
        inside = Path(*self.library.split("."))
        for path in (inside.with_suffix(".py"), inside / "__init__.py"):
            if (root / path).is_file():
                return root / path
        raise ConfigError(
            f"metric '{self.name}': there is no {inside.with_suffix('.py')} in {root}"
        )


_CLASSES = ("balanced_accuracy", "f1", "f1_macro", "f1_weighted", "matthews")
_SCORES = ("roc_auc", "average_precision")
_LOSSES = ("log_loss", "brier")
_NUMBERS = ("r2", "pearson", "spearman")
_ERRORS = ("mae", "mse", "rmse", "median_error")

BUILT_IN: dict[str, QualityMetric] = {
    ACCURACY: QualityMetric(name=ACCURACY, reads=Reads.SCORES, right_among=1),
    "top5_accuracy": QualityMetric(name="top5_accuracy", reads=Reads.SCORES, right_among=5),
    **{name: QualityMetric(name=name, reads=Reads.CLASSES) for name in _CLASSES},
    **{name: QualityMetric(name=name, reads=Reads.SCORES) for name in _SCORES},
    **{
        name: QualityMetric(name=name, reads=Reads.SCORES, larger_is_better=False)
        for name in _LOSSES
    },
    **{name: QualityMetric(name=name, reads=Reads.VALUES, numbers=True) for name in _NUMBERS},
    **{
        name: QualityMetric(name=name, reads=Reads.VALUES, numbers=True, larger_is_better=False)
        for name in _ERRORS
    },
}
"""The metrics that need no more than their name."""


def quality_metric(
    name: str,
    *,
    reads: str | None = None,
    larger_is_better: bool = True,
    numbers: bool = False,
    arguments: tuple[tuple[str, Argument], ...] = (),
) -> QualityMetric:
    """The metric of a name; everything beside the name is for functions that are not built in.

    Raises:
        ConfigError: no such metric, or something is said about a built-in one.
    """
    said = bool(reads or arguments or numbers or not larger_is_better)
    module, colon, function = name.partition(":")
    if not colon:
        if name not in BUILT_IN:
            raise ConfigError(_unknown(name))
        if said:
            raise ConfigError(f"metric '{name}': is built in and takes nothing beside its name")
        return BUILT_IN[name]
    dotted = all(part.isidentifier() for part in module.split("."))
    if not dotted or not function.isidentifier():
        raise ConfigError(f"metric '{name}': must be module:function, such as mymetrics:dice")
    default = Reads.CLASSES if module == SKLEARN else Reads.SCORES
    if numbers or module not in LIBRARIES:
        default = Reads.VALUES
    if reads is not None and reads not in tuple(Reads):
        raise ConfigError(f"metric '{name}': reads must be one of {', '.join(Reads)}")
    return QualityMetric(
        name=name,
        reads=default if reads is None else Reads(reads),
        larger_is_better=larger_is_better,
        numbers=numbers,
        arguments=arguments,
    )


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, BUILT_IN, n=1)
    meant = f" (did you mean '{near[0]}'?)" if near else ""
    return (
        f"metric '{name}': unknown{meant}; allowed: {', '.join(BUILT_IN)}, sklearn:NAME, "
        "torchmetrics:NAME, or module:function of your own"
    )
