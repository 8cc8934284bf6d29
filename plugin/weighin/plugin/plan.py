"""What is to be done with one registered model: pure, and named by its digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from weighin.gates.fleet import Fleet
from weighin.gates.metric import Budget
from weighin.gates.variant import Format
from weighin.gates.weigh_in import DataDigest
from weighin.plugin.config import AUTO, Config, ModelConfig, SearchConfig
from weighin.plugin.recipe import Recipe, parse_recipe

SCHEMA = "weighin/plan/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One device, and what a variant must meet on it."""

    device: str
    budgets: tuple[Budget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which recipes, formats and devices a model gets, on which data, within which limits.

    Attributes:
        model: Registered model name.
        recipes: What to build in any case.
        search: What else to find, and within which limits; ``None`` without recipe ``auto``.
        formats: In which file formats.
        targets: For which devices, with their budgets.
        settings: The model's own table of the configuration.
        data: The data sets, by content.
        digest: Names this plan: changes when anything that decides the result changes.
        fleet: Which phones the users have, if that is known.
    """

    model: str
    recipes: tuple[Recipe, ...]
    search: SearchConfig | None
    formats: tuple[Format, ...]
    targets: tuple[Target, ...]
    settings: ModelConfig
    data: tuple[DataDigest, ...]
    digest: str
    fleet: Fleet | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        """The target devices, in order."""
        return tuple(target.device for target in self.targets)


def make_plan(
    config: Config,
    model: str,
    data: tuple[DataDigest, ...],
    tools: Mapping[str, str],
    fleet: Fleet | None = None,
) -> Plan:
    """Plan what ``config`` says about ``model``.

    Raises:
        ConfigError: the configuration does not describe the model.
    """
    settings = config.model(model)
    targets = tuple(
        Target(device=device, budgets=config.budgets_for(model, device))
        for device in settings.devices
    )
    return Plan(
        model=model,
        recipes=tuple(parse_recipe(text) for text in settings.recipes if text != AUTO),
        search=config.search if AUTO in settings.recipes else None,
        formats=tuple(Format(text) for text in settings.formats),
        targets=targets,
        settings=settings,
        data=data,
        digest=_digest(config, model, targets, data, tools, fleet),
        fleet=fleet,
    )


def _digest(
    config: Config,
    model: str,
    targets: tuple[Target, ...],
    data: tuple[DataDigest, ...],
    tools: Mapping[str, str],
    fleet: Fleet | None,
) -> str:
    """Everything that decides a result; not where it is published, nor how fast it is made."""
    build = config.build
    decides = {
        "schema": SCHEMA,
        "model": model,
        "settings": {k: v for k, v in asdict(config.model(model)).items() if k != "budgets"},
        "targets": [asdict(target) for target in targets],
        "gate": asdict(config.gate),
        "noise": {k: v for k, v in asdict(config.host).items() if k != "wait_seconds"},
        "evidence": {"valid_days": config.evidence.valid_days},
        "training": [
            *(build.seed, build.epochs, build.train_seconds, build.temperature),
            *(build.soft_weight, build.augment, build.report_lift, build.prune_steps),
        ],
        "limits": [build.time_limit_s, build.memory_limit_mib],
        "search": asdict(config.search) if AUTO in config.model(model).recipes else None,
        "data": [asdict(digest) for digest in data],
        "tools": dict(sorted(tools.items())),
    }
    if fleet is not None:
        decides["fleet"] = {**asdict(fleet), "as_of": fleet.as_of.isoformat()}
    text = json.dumps(decides, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
