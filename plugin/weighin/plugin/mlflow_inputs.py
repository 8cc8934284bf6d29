"""What the numbers of a weigh-in were measured on, as MLflow links it: the model and the data.

A run names its data sets and its model; a number that is linked to both stands on the model's own
page. What this module does not do: it logs no model and no data, it only refers to them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from weighin.gates.data import Role
from weighin.gates.weigh_in import DataDigest

_CONTEXT_TAG = "mlflow.data.context"
_MODEL_ID = re.compile(r"models:/(m-[^/@]+)/?")
_LONGEST_DIGEST = 36
_LONGEST_NAME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The model and the data sets of a run.

    Attributes:
        model_id: MLflow's own id of the registered model; ``None`` if it has none.
        data: The data sets.
    """

    model_id: str | None
    data: tuple[DataDigest, ...]

    @property
    def measured(self) -> "Inputs":
        """The same with only the data that numbers were measured on."""
        return replace(self, data=tuple(one for one in self.data if one.role == Role.EVALUATION))

    @property
    def of_metrics(self) -> Mapping[str, str]:
        """How a metric names them; nothing without a model, which MLflow files metrics under."""
        if self.model_id is None:
            return {}
        names = {"model_id": self.model_id}
        for one in self.measured.data[:1]:
            names |= {"dataset_name": _name(one), "dataset_digest": _digest(one)}
        return names


def inputs_of(client: Any, source: str, data: tuple[DataDigest, ...]) -> Inputs:
    """What a weigh-in used.

    Args:
        client: `mlflow.MlflowClient`.
        source: Of the registered version: ``models:/m-…`` names a model that MLflow logged.
        data: The data sets.
    """
    named = _MODEL_ID.fullmatch(source)
    return Inputs(model_id=None if named is None else _known_model(client, named[1]), data=data)


def link_inputs(client: Any, run_id: str, inputs: Inputs) -> None:
    """Say what a run used; saying it twice changes nothing."""
    from mlflow.entities import LoggedModelInput

    datasets = [_dataset(one) for one in inputs.data]
    models = [] if inputs.model_id is None else [LoggedModelInput(inputs.model_id)]
    if datasets or models:
        client.log_inputs(run_id, datasets, models)


def _known_model(client: Any, model_id: str) -> str | None:
    """The id, if this server has the model; numbers cannot be linked to any other."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_logged_model(model_id).model_id)
    except MlflowException:  # deleted, or logged on another server
        return None


def _dataset(data: DataDigest) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=_name(data),
        digest=_digest(data),
        source_type="local",
        source=json.dumps({"uri": data.path}),
        profile=json.dumps({"num_rows": data.rows}),
    )
    return DatasetInput(dataset, [InputTag(_CONTEXT_TAG, data.role)])


def _name(data: DataDigest) -> str:
    return data.path[-_LONGEST_NAME:]


def _digest(data: DataDigest) -> str:
    return data.sha256[:_LONGEST_DIGEST]
