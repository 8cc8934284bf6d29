"""Reads ``weighin.toml``.

Every mistake becomes one line that names the file, the key, what is wrong and what is allowed; all
mistakes of a file are told at once.
"""

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from weighin.gates.errors import ConfigError
from weighin.gates.meters.metrics import LABEL
from weighin.gates.profile import OWN_FOLDER
from weighin.gates.variant import Format
from weighin.plugin.config import AUTO, FILE_NAME, Config, MetricConfig, ModelConfig, UsageConfig
from weighin.plugin.config_budget import BUDGET_TABLE_FORM, budget_mistakes, name_mistakes, near
from weighin.plugin.config_devices import KnownDevices, device_mistakes, known_devices, resolved
from weighin.plugin.describe import Preprocessing, check_preprocessing
from weighin.plugin.recipe import needs_classes, parse_recipe

_OLD_RATE = "inferences_per_hour"
_UNION_BRANCHES = frozenset({"float", "dict[str,union[float,str]]", "str", "MetricConfig"})


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
    return _with_labels(parse_config(document, file=path.name, own=path.parent / OWN_FOLDER), path)


def parse_config(
    document: Mapping[str, object], *, file: str = FILE_NAME, own: Path | None = None
) -> Config:
    """Turn a parsed TOML document into records, in which devices are named one by one.

    Args:
        document: The file.
        file: Its name, for complaints.
        own: The user's folder of device profiles.

    Raises:
        ConfigError: one line per mistake.
    """
    try:
        # As JSON, because strict parsing takes arrays and tables for records only there.
        config = TypeAdapter(Config).validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        details = (one for one in error.errors(include_url=False) if not _is_other_form(one))
        lines = [_explain(file, detail) for detail in details]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error
    known = known_devices(config, own)
    lines = [f"{file}: {line}" for line in _mistakes(config, known)]
    if lines:
        raise ConfigError("\n".join(lines))
    return resolved(config, known)


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


def _mistakes(config: Config, known: KnownDevices) -> Iterable[str]:
    """What the types cannot see: names that must exist, units, bounds."""
    if (config.evidence.key is None) != (config.evidence.public_key is None):
        yield "evidence.key: needs evidence.public_key, the file with its public half, beside it"
    if config.fleet.at_least_percent is not None and config.fleet.file is None:
        yield "fleet.at_least_percent: needs fleet.file, which says who the users are"
    yield from budget_mistakes("budgets", config.budgets)
    yield from device_mistakes(config, known)
    for name, model in config.models.items():
        where = f"models.{name}"
        yield from budget_mistakes(f"{where}.budgets", model.budgets)
        yield from name_mistakes(f"{where}.formats", model.formats, tuple(Format))
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


def _is_other_form(detail: ErrorDetails) -> bool:
    """A table where a name would do as well: what is wrong with the table is said, and enough."""
    wanted_a_name = detail["type"] == "string_type" and detail["loc"][-1] == "str"
    return wanted_a_name and isinstance(detail["input"], dict)


def _explain(file: str, detail: ErrorDetails) -> str:
    """One line for one mistake that the types found."""
    location = [str(part) for part in detail["loc"] if str(part) not in _UNION_BRANCHES]
    where, value = ".".join(location), detail["input"]
    match detail["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden" if location[-1] == _OLD_RATE:
            return f"{file}: {where}: {_new_rate(location[:-1], value)}"
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{file}: {where}: unknown key{near(location[-1], _keys_at(location[:-1]))}"
        case "missing" | "missing_argument":
            return f"{file}: {where}: is missing, and must be set"
        case _ if "budgets" in location and len(location) > 2:
            metric = ".".join(location[: location.index("budgets") + 3])
            return f"{file}: {metric}: must be a finite number or {BUDGET_TABLE_FORM}, not {value}"
        case _:
            message = detail["msg"][0].lower() + detail["msg"][1:]
            return f"{file}: {where}: {message}, not {value!r}"


def _new_rate(location: list[str], value: object) -> str:
    """How the rate of use is written since there is a time of use beside it."""
    rate = f"{value / 3600:g}" if isinstance(value, int | float) else "NUMBER"
    return f"is now written [{'.'.join(location)}.usage] inferences_per_second = {rate}"


def _keys_at(location: list[str]) -> tuple[str, ...]:
    """The keys that the table at ``location`` may have."""
    record: type = Config
    if location[:1] == ["models"]:
        tables = {
            "preprocessing": Preprocessing,
            "metric": MetricConfig,
            "usage": UsageConfig,
        }
        record = tables[location[2]] if location[2:] and location[2] in tables else ModelConfig
    elif location:
        record = get_type_hints(Config)[location[0]]
    return tuple(field.name for field in dataclasses.fields(record))
