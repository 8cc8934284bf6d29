"""``weighin.toml``, parsed once into records.

The tables below are the file's format. Every mistake becomes one line that names the file,
the key, what is wrong and what is allowed; all mistakes of a file are told at once.
"""

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from weighin.gates.errors import ConfigError
from weighin.gates.meters.metrics import ACCURACY, LABEL, QualityMetric, quality_metric
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.profile import HOST, profile_names
from weighin.gates.variant import Format
from weighin.plugin.describe import Meaning, Preprocessing, check_preprocessing
from weighin.plugin.recipe import needs_classes, parse_recipe

FILE_NAME = "weighin.toml"
STATE_DIR = ".weighin"
DEFAULT = "default"
AUTO = "auto"
"""The recipe that stands for whatever a search finds."""

FIXED_RECIPES = (
    "float32",
    "fp16",
    "dynamic_int8",
    "int8",
    "prune50",
    "distill50",
    "prune50+distill+int8",
)
"""What is built if a model's table does not say; also the first candidates of a search."""

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_Positive = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Percent = Annotated[float, Field(ge=0, le=100)]
_BudgetValue = float | dict[str, float | str]
_BudgetTable = dict[str, dict[str, _BudgetValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowConfig:
    """``[mlflow]``: where runs and registered models live."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    tracking_uri: str = "sqlite:///mlflow.db"
    registry_uri: str = "weighin+sqlite:///mlflow.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """``[channel]``: what ``weighin promote`` publishes into."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w-]*$")] = "dev"
    path: str = f"{STATE_DIR}/channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceConfig:
    """``[evidence]``: how long a signed measurement may be believed, and whose signature.

    ``key`` is a PEM file or a signer URI, ``public_key`` the file with its public half; without
    them the development key signs. ``trusted_keys`` are the public key files that promotion
    believes; without it, the key that signs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    valid_days: _Count = 30
    key: Annotated[str, Field(min_length=1)] | None = None
    public_key: str | None = None
    trusted_keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """``[gate]``: how sure the gate must be, and how it looks at the evaluation rows.

    Attributes:
        confidence: One-sided: how sure each end of every interval must be on its own side.
        sequential: Whether accuracy is looked at while rows come in, and stops when decided.
        seed: Of the order in which rows are looked at.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    sequential: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcConfig:
    """``[dvc]``: whether the pointers of variants are committed to git."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    commit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """``[build]``: limits of one child process, and how long fine-tuning may take."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    time_limit_s: _Positive = 900.0
    memory_limit_mib: _Count = 8192
    workers: _Count = 2
    seed: int = 0
    epochs: _Count = 4
    train_seconds: _Positive = 120.0
    temperature: _Positive = 4.0
    soft_weight: Annotated[float, Field(ge=0, le=1)] = 0.9
    augment: Literal["none", "flip", "shift", "flip+shift"] = "none"
    report_lift: bool = False
    prune_steps: _Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """``[search]``: how long recipe ``auto`` may look, and how much of it the gate judges."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    minutes: Annotated[float, Field(ge=0)] = 20.0
    winners: _Count = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricConfig:
    """``[models.NAME.metric]``: a metric that is not built in, and how to use it.

    Attributes:
        name: ``sklearn:NAME``, ``torchmetrics:NAME`` or ``module:function``.
        reads: What of the outputs it reads: ``classes``, ``scores`` or ``values``.
        larger_is_better: Whether more of it is good.
        labels: Whether ``y`` holds ``classes`` or ``numbers``.
        arguments: Given to the function.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: str
    reads: str | None = None
    larger_is_better: bool = True
    labels: Literal["classes", "numbers"] = "classes"
    arguments: dict[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """``[models.NAME]``: one registered model, its data and what to make of it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    evaluation: str
    calibration: str
    training: str | None = None
    unlabelled: str | None = None
    tuning: str | None = None
    teacher: Annotated[str, Field(pattern=r"^[^/]+/\d+$")] | None = None
    student: Annotated[str, Field(pattern=r"^[^/]+/\d+$")] | None = None
    recipes: tuple[str, ...] = FIXED_RECIPES
    formats: tuple[str, ...] = (Format.LITERT.value, Format.ONNX.value)
    devices: tuple[str, ...] = (HOST,)
    inferences_per_hour: _Positive | None = None
    trust_pickle: bool = False
    classes: _Count | None = None
    min_rows: _Count = 50
    min_class_share: _Share = 0.01
    metric: str | MetricConfig = ACCURACY
    slices: tuple[str, ...] = ()
    max_near_duplicate_percent: _Percent | None = None
    value_range: tuple[float, float] | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    labels: tuple[str, ...] = ()
    labels_file: str | None = None
    budgets: _BudgetTable = field(default_factory=dict)

    @property
    def meaning(self) -> Meaning:
        """What is written into every variant about its inputs and outputs."""
        return Meaning(preprocessing=self.preprocessing, labels=self.labels)

    @property
    def quality_metric(self) -> QualityMetric:
        """The metric whose drop is budgeted.

        Raises:
            ConfigError: there is no such metric.
        """
        said = self.metric
        if isinstance(said, str):
            return quality_metric(said)
        return quality_metric(
            said.name,
            reads=said.reads,
            larger_is_better=said.larger_is_better,
            numbers=said.labels == "numbers",
            arguments=tuple(sorted(said.arguments.items())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole ``weighin.toml``.

    Attributes:
        mlflow: Where the registry is.
        channel: Where releases go.
        gate: How sure the gate must be.
        evidence: How long measurements hold.
        dvc: How variants are kept.
        build: Limits of the child processes.
        search: Limits of recipe ``auto``.
        budgets: Budgets of every model, by device name or ``default``.
        models: What to do with each registered model, by name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    mlflow: MlflowConfig = MlflowConfig()
    channel: ChannelConfig = ChannelConfig()
    gate: GateConfig = GateConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    dvc: DvcConfig = DvcConfig()
    build: BuildConfig = BuildConfig()
    search: SearchConfig = SearchConfig()
    budgets: _BudgetTable = field(default_factory=dict)
    models: dict[str, ModelConfig] = field(default_factory=dict)

    def model(self, name: str) -> ModelConfig:
        """What to do with a registered model.

        Raises:
            ConfigError: the file says nothing about it.
        """
        if name in self.models:
            return self.models[name]
        known = ", ".join(sorted(self.models)) or "none"
        raise ConfigError(
            f"{FILE_NAME}: no table [models.{name}]; it describes: {known}. "
            f"Add [models.{name}] with its evaluation and calibration data."
        )

    def budgets_for(self, name: str, device: str) -> tuple[Budget, ...]:
        """The budgets of one model on one device; the most specific table wins per metric."""
        own = self.models[name].budgets
        merged: dict[str, _BudgetValue] = {}
        for table in (self.budgets, own):
            for scope in (DEFAULT, device):
                merged |= table.get(scope, {})
        return tuple(_budget(metric, value) for metric, value in sorted(merged.items()))


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds a ``weighin.toml``.

    Raises:
        ConfigError: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise ConfigError(f"no {FILE_NAME} in {start} or above it; run `weighin init` there first")


def load_config(path: Path) -> Config:
    """Read and check a ``weighin.toml``.

    Raises:
        ConfigError: one line per mistake, each naming the file, the key and what is allowed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    return _with_labels(parse_config(document, file=path.name), path)


def parse_config(document: Mapping[str, object], *, file: str = FILE_NAME) -> Config:
    """Turn a parsed TOML document into records.

    Raises:
        ConfigError: one line per mistake.
    """
    try:
        # As JSON, because strict parsing takes arrays and tables for records only there.
        config = TypeAdapter(Config).validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        lines = [_explain(file, detail) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error
    lines = [f"{file}: {line}" for line in _mistakes(config)]
    if lines:
        raise ConfigError("\n".join(lines))
    return config


def _with_labels(config: Config, path: Path) -> Config:
    """Read the label files, one label a line: what they say decides what is built.

    Raises:
        ConfigError: a file cannot be read.
    """
    models: dict[str, ModelConfig] = {}
    for name, model in config.models.items():
        models[name] = model
        if model.labels_file is not None:
            try:
                text = (path.parent / model.labels_file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                where = f"{path.name}: models.{name}.labels_file"
                raise ConfigError(f"{where}: cannot be read: {error}") from error
            labels = tuple(line.strip() for line in text.splitlines() if line.strip())
            models[name] = dataclasses.replace(model, labels=labels)
    return dataclasses.replace(config, models=models)


def _mistakes(config: Config) -> Iterable[str]:
    """What the types cannot see: names that must exist, units, bounds."""
    if (config.evidence.key is None) != (config.evidence.public_key is None):
        yield "evidence.key: needs evidence.public_key, the file with its public half, beside it"
    yield from _budget_mistakes("budgets", config.budgets)
    for name, model in config.models.items():
        where = f"models.{name}"
        yield from _budget_mistakes(f"{where}.budgets", model.budgets)
        yield from _name_mistakes(f"{where}.devices", model.devices, profile_names())
        yield from _name_mistakes(f"{where}.formats", model.formats, tuple(Format))
        yield from _recipe_mistakes(f"{where}.recipes", model)
        yield from _meaning_mistakes(where, model)
        yield from _quality_mistakes(where, model)


def _quality_mistakes(where: str, model: ModelConfig) -> Iterable[str]:
    """A metric that there is not, and recipes that need classes where there are numbers."""
    try:
        metric = model.quality_metric
    except ConfigError as error:
        yield f"{where}.{error}"
        return
    if len(set(model.slices)) < len(model.slices):
        yield f"{where}.slices: names a column twice"
    if not metric.numbers:
        return
    if LABEL in model.slices:
        yield f"{where}.slices: 'label' is no slice where labels are numbers ({metric.name})"
    for text in model.recipes:
        if text == AUTO or needs_classes(text):
            yield f"{where}.recipes: '{text}' needs classes, but {metric.name} judges numbers"


def _recipe_mistakes(where: str, model: ModelConfig) -> Iterable[str]:
    if not model.recipes:
        yield f"{where}: must name at least one recipe, such as 'int8'"
    for text in (text for text in model.recipes if text != AUTO):
        try:
            recipe = parse_recipe(text)
        except ConfigError as error:
            yield f"{where}: {error}"
            continue
        if recipe.student and model.student is None:
            yield f"{where}: '{text}' needs a model; set {where.rsplit('.', 1)[0]}.student"
        if recipe.trains and model.training is None and model.unlabelled is None:
            yield f"{where}: '{text}' needs training data; set {where.rsplit('.', 1)[0]}.training"


def _meaning_mistakes(where: str, model: ModelConfig) -> Iterable[str]:
    try:
        check_preprocessing(model.preprocessing)
    except ConfigError as error:
        yield f"{where}.{error}"
    if model.labels and model.labels_file is not None:
        yield f"{where}.labels_file: must not be set beside labels"
    if model.labels and model.classes is not None and len(model.labels) != model.classes:
        yield f"{where}.labels: are {len(model.labels)} for {model.classes} classes"


def _name_mistakes(where: str, names: Iterable[str], allowed: Iterable[str]) -> Iterable[str]:
    names, allowed = tuple(names), tuple(allowed)
    if not names:
        yield f"{where}: must not be empty; allowed: {', '.join(allowed)}"
    for name in names:
        if name not in allowed:
            yield f"{where}: unknown name '{name}'{_near(name, allowed)}"


def _budget_mistakes(where: str, table: _BudgetTable) -> Iterable[str]:
    devices = (DEFAULT, *profile_names())
    for scope, budgets in table.items():
        yield from _name_mistakes(f"{where}.{scope}", (scope,), devices)
        for metric, value in budgets.items():
            if metric not in tuple(Metric):
                yield (
                    f"{where}.{scope}.{metric}: unknown budget (the unit is part of the name)"
                    f"{_near(metric, tuple(Metric))}"
                )
                continue
            try:
                _budget(metric, value)
            except ValueError as error:
                yield f"{where}.{scope}.{error}"


def _budget(metric: str, value: _BudgetValue) -> Budget:
    """One budget from ``10`` or ``{ at_most = 10, least_origin = "device" }``."""
    table = value if isinstance(value, dict) else {"at_most": value}
    numbers = {name: n for name in _BUDGET_NUMBERS if isinstance(n := table.get(name), int | float)}
    if "at_most" not in numbers or set(table) - {"least_origin"} != set(numbers):
        raise ValueError(f"{metric}: must be a finite number or {_BUDGET_TABLE_FORM}")
    origin = table.get("least_origin", Origin.PREDICTED.value)
    if origin not in tuple(Origin):
        allowed = ", ".join(o for o in Origin if o is not Origin.SCALED)
        raise ValueError(f"{metric}.least_origin: unknown '{origin}'; allowed: {allowed}")
    rows = numbers.get("least_rows")
    if rows is not None and rows != int(rows):
        raise ValueError(f"{metric}.least_rows: must be a whole number, not {rows}")
    return Budget(
        metric=Metric(metric),
        at_most=float(numbers["at_most"]),
        least_origin=Origin(origin),
        floor=numbers.get("floor"),
        least_rows=None if rows is None else int(rows),
    )


def _near(name: str, allowed: Iterable[str]) -> str:
    """The rest of the sentence: what was probably meant, and what is allowed."""
    allowed = tuple(str(a) for a in allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    meant = f" (did you mean '{close[0]}'?)" if close else ""
    return f"{meant}; allowed: {', '.join(allowed)}"


def _explain(file: str, detail: ErrorDetails) -> str:
    """One line for one mistake that the types found."""
    location = [str(part) for part in detail["loc"] if str(part) not in _UNION_BRANCHES]
    where, value = ".".join(location), detail["input"]
    match detail["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{file}: {where}: unknown key{_near(location[-1], _keys_at(location[:-1]))}"
        case "missing" | "missing_argument":
            return f"{file}: {where}: is missing, and must be set"
        case _ if "budgets" in location and len(location) > 2:
            metric = ".".join(location[: location.index("budgets") + 3])
            return f"{file}: {metric}: must be a finite number or {_BUDGET_TABLE_FORM}, not {value}"
        case _:
            message = detail["msg"][0].lower() + detail["msg"][1:]
            return f"{file}: {where}: {message}, not {value!r}"


_BUDGET_NUMBERS = ("at_most", "floor", "least_rows")
_BUDGET_TABLE_FORM = "{ at_most = NUMBER, least_origin = 'predicted' }"
_UNION_BRANCHES = frozenset({"float", "dict[str,union[float,str]]", "str", "MetricConfig"})


def _keys_at(location: list[str]) -> tuple[str, ...]:
    """The keys that the table at ``location`` may have."""
    record: type = Config
    if location[:1] == ["models"]:
        tables = {"preprocessing": Preprocessing, "metric": MetricConfig}
        record = tables[location[2]] if location[2:] and location[2] in tables else ModelConfig
    elif location:
        record = get_type_hints(Config)[location[0]]
    return tuple(field.name for field in dataclasses.fields(record))
