"""The hook: MLflow registers as always, and weighin learns of it.

Entry point of group `mlflow.model_registry_store`. `weighin+sqlite:///mlflow.db` opens the
store that `sqlite:///mlflow.db` names, with MLflow's own builder, and overrides one method,
through which every registration goes: `create_model_version`. UI, REST, `log_model`,
`register_model` and `copy_model_version` all end there.

What this module does not do: it never decides what is weighed and never raises. MLflow loads
it in every process that has weighin installed, so it imports the standard library only, and
whatever fails in here becomes a warning while the registration succeeds.
"""

import functools
import inspect
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PREFIXES = ("weighin+", "weighin:")
_logger = logging.getLogger(__name__)


def plain_uri(uri: str) -> str:
    """The registry's own URI: `weighin+sqlite:///a.db` becomes `sqlite:///a.db`."""
    for prefix in _PREFIXES:
        if uri.startswith(prefix):
            return uri.removeprefix(prefix)
    return uri


def open_store(store_uri: str, tracking_uri: str | None = None) -> Any:
    """Open the registry that the prefixed URI names, with the hook in place.

    Args:
        store_uri: `weighin+` or `weighin:` before any registry URI that MLflow knows.
        tracking_uri: As MLflow gives it to every store.

    Returns:
        MLflow's own store object, an instance of a subclass of its own class.
    """
    inner_uri = plain_uri(store_uri)
    store = _open_inner(inner_uri, tracking_uri)
    try:
        _attach(store, inner_uri)
    except Exception:
        _logger.warning("weighin: the hook is off; run `weighin sync` instead", exc_info=True)
    return store


def _open_inner(inner_uri: str, tracking_uri: str | None) -> Any:
    """What MLflow does for an unprefixed URI, minus its lock, which is held already."""
    from mlflow.tracking._model_registry import utils

    stores = utils._get_store_registry()  # pyright: ignore[reportPrivateUsage]
    builder = stores.get_store_builder(inner_uri)
    if "tracking_uri" in inspect.signature(builder).parameters:
        return builder(store_uri=inner_uri, tracking_uri=tracking_uri)
    return builder(store_uri=inner_uri)


def _attach(store: Any, registry_uri: str) -> None:
    """Give the store a subclass of its own class, so that `isinstance` keeps its answers."""
    original = type(store)
    method = _announcing(original.create_model_version, _Announcer(registry_uri))
    overrides = {"create_model_version": method, "__doc__": original.__doc__}
    store.__class__ = type(f"Weighin{original.__name__}", (original,), overrides)


def _announcing(create: Callable[..., Any], announcer: "_Announcer") -> Callable[..., Any]:
    """`create`, with its own signature (MLflow inspects it), and a hint afterwards."""

    @functools.wraps(create)
    def create_model_version(store: Any, *args: Any, **kwargs: Any) -> Any:
        version = create(store, *args, **kwargs)
        try:
            announcer.announce(version)
        except Exception as error:  # noqa: BLE001 - outermost hook: the version is registered
            _logger.warning(
                "weighin: %s version %s is registered, but nobody was woken (%s: %s). "
                "The next `weighin sync` finds it.",
                getattr(version, "name", "a model"),
                getattr(version, "version", "?"),
                type(error).__name__,
                error,
            )
        return version

    return create_model_version


class _Announcer:
    """Leaves hints about one registry.

    It runs between MLflow's commit and the user's next line. What can be looked up once is
    looked up once: imports, and the outbox that belongs to the current folder.
    """

    def __init__(self, registry_uri: str) -> None:
        from weighin.plugin import event, outbox

        self._registry_uri = registry_uri
        self._event = event
        self._find_outbox = outbox.outbox_path
        self._writer = outbox.HintWriter()
        self._outbox = Path()
        self._found_for: tuple[str | None, str] | None = None

    def announce(self, version: Any) -> None:
        """Leave a hint about a version, unless it is a prompt or one of our own."""
        if not self._event.is_weighable(version.tags):
            return
        registration = self._event.registration_of(self._registry_uri, version)
        self._writer.record(
            self._here(),
            key=registration.key,
            label=registration.label,
            now_ms=time.time_ns() // 1_000_000,
        )

    def _here(self) -> Path:
        asked_for = (os.environ.get("WEIGHIN_OUTBOX"), os.getcwd())  # noqa: PTH109 - hot
        if asked_for != self._found_for:
            self._outbox = self._find_outbox(os.environ, Path(asked_for[1]))
            self._found_for = asked_for
        return self._outbox
