"""``weighin.toml`` as records: the tables below are the file's format.

What this module does not do: it reads no file; see :mod:`weighin.plugin.config_file`.
"""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from weighin.gates.errors import ConfigError
from weighin.gates.meters.metrics import ACCURACY, QualityMetric, quality_metric
from weighin.gates.metric import Budget
from weighin.gates.profile import HOST
from weighin.gates.quiet import QuietLimits
from weighin.gates.usage import MINUTES_OF_A_DAY, Usage
from weighin.gates.variant import Format
from weighin.plugin.config_budget import DEFAULT, BudgetTable, BudgetValue, budget_of
from weighin.plugin.describe import Meaning, Preprocessing

FILE_NAME = "weighin.toml"
STATE_DIR = ".weighin"
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
        emulate: Whether latency on phones comes from the instructions that a file's ARM kernels
            execute, where that is known to be nearer (`weighin doctor --arm --counter` first).
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    sequential: bool = False
    seed: int = 0
    emulate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """``[host]``: how much noise is let through while this machine measures time.

    Attributes:
        on_noise: ``refuse`` gives no number where a latency on this machine is budgeted;
            ``label`` keeps the number and says what disturbed it.
        most_other_load: Share of the cores needed that other processes may take.
        most_steal: Share of a virtual machine's time that its host may take.
        most_pressure: Share of the time in which processes may wait for a core.
        least_clock: Share of its highest clock that every core must be allowed to run at.
        most_noise: How far the float32 reference may be from itself: 0.1 means 10 %.
        wait_seconds: How long to wait for quiet before giving up.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    on_noise: Literal["refuse", "label"] = "refuse"
    most_other_load: Annotated[float, Field(ge=0, le=1)] = QuietLimits().most_other_load
    most_steal: Annotated[float, Field(ge=0, le=1)] = QuietLimits().most_steal
    most_pressure: Annotated[float, Field(ge=0, le=1)] = QuietLimits().most_pressure
    least_clock: Annotated[float, Field(ge=0, le=1)] = QuietLimits().least_clock
    most_noise: _Positive = QuietLimits().most_noise
    wait_seconds: Annotated[float, Field(ge=0)] = QuietLimits().wait_seconds

    def limits(self, *, budgeted: bool) -> QuietLimits:
        """The same for the meters.

        Args:
            budgeted: Whether a latency on this machine is budgeted. A number that decides
                nothing is labelled, never waited for.
        """
        return QuietLimits(
            refuse=budgeted and self.on_noise == "refuse",
            most_other_load=self.most_other_load,
            most_steal=self.most_steal,
            most_pressure=self.most_pressure,
            least_clock=self.least_clock,
            most_noise=self.most_noise,
            wait_seconds=self.wait_seconds,
        )


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
class PhonesConfig:
    """``[phones]``: the tools that are pushed to phones, and which releases they were built from.

    Paths are relative to ``weighin.toml``. A tool without its version measures, but the gate does
    not use what it measured: it could be of any runtime.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    benchmark_model: str | None = None
    benchmark_model_version: str = ""
    onnxruntime_perf_test: str | None = None
    onnxruntime_perf_test_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetConfig:
    """``[fleet]``: which phones the users have, and how many of the users must be served.

    Attributes:
        file: Shares of users by device or class, see :mod:`weighin.gates.fleet_file`.
        at_least_percent: The share that must pass before anything is promoted; only reported
            where it is not set.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    file: Annotated[str, Field(min_length=1)] | None = None
    at_least_percent: Annotated[float, Field(gt=0, le=100)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewConfig:
    """``[review]``: where results are reviewed, and who may waive a budget.

    Attributes:
        repository: ``OWNER/NAME``; ``--repo`` or the workflow's own repository otherwise.
        base: The branch that reviewed versions are merged into; else the repository's default.
        api: The API's address; on GitHub Enterprise ``https://HOST/api/v3``.
        report_url: Where a report page can be looked at, with ``{model}`` and ``{version}``.
        waivers: Logins of the people who may waive a budget in a comment; nobody by default.
        waiver_days: How long a waiver holds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    base: Annotated[str, Field(min_length=1)] | None = None
    api: Annotated[str, Field(pattern=r"^https?://")] = "https://api.github.com"
    report_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    waivers: tuple[str, ...] = ()
    waiver_days: _Count = 14


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
class UsageConfig:
    """``[models.NAME.usage]``: how the app uses the model, for what it takes from the battery."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    inferences_per_second: _Positive
    minutes_per_day: Annotated[float, Field(gt=0, le=MINUTES_OF_A_DAY)] | None = None


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
    usage: UsageConfig | None = None
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
    budgets: BudgetTable = field(default_factory=dict)

    @property
    def meaning(self) -> Meaning:
        """What is written into every variant about its inputs and outputs."""
        return Meaning(preprocessing=self.preprocessing, labels=self.labels)

    @property
    def use(self) -> Usage | None:
        """How the app uses the model, if the file says it."""
        if self.usage is None:
            return None
        return Usage(
            inferences_per_second=self.usage.inferences_per_second,
            minutes_per_day=self.usage.minutes_per_day,
        )

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
        host: How much noise is let through where time is measured.
        dvc: How variants are kept.
        build: Limits of the child processes.
        search: Limits of recipe ``auto``.
        phones: What measures on phones.
        fleet: Which phones the users have.
        review: Where results are reviewed, and by whom.
        budgets: Budgets of every model, by device name or ``default``.
        models: What to do with each registered model, by name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    mlflow: MlflowConfig = MlflowConfig()
    channel: ChannelConfig = ChannelConfig()
    gate: GateConfig = GateConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    host: HostConfig = HostConfig()
    dvc: DvcConfig = DvcConfig()
    build: BuildConfig = BuildConfig()
    search: SearchConfig = SearchConfig()
    phones: PhonesConfig = PhonesConfig()
    fleet: FleetConfig = FleetConfig()
    review: ReviewConfig = ReviewConfig()
    budgets: BudgetTable = field(default_factory=dict)
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
        merged: dict[str, BudgetValue] = {}
        for table in (self.budgets, own):
            for scope in (DEFAULT, device):
                merged |= table.get(scope, {})
        return tuple(budget_of(metric, value) for metric, value in sorted(merged.items()))
