"""The one module that speaks adb, through adbutils: phones of an adb server that is running.

What this module does not do: it starts no adb server, because a server would inherit the keys and
tokens of this process's environment; and it trusts no answer that ends early: a command's exit
status always comes with it.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.devices.phone.link import Answer
from weighin.gates.errors import ConfigError, PhoneError, PhoneGone

HOST = "127.0.0.1"
PORT = 5037
"""Where an adb server listens if nobody says otherwise."""

_CONNECT_S = 3.0
_PUSH_S = 600.0
_ENDED = "WEIGHIN-EXIT:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An adb server."""

    host: str = HOST
    port: int = PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A phone as the server lists it: its serial, and ``device``, ``offline``, ``unauthorized``."""

    serial: str
    state: str


def server_of(environment: Mapping[str, str]) -> Server:
    """The server that adb's own variables name.

    Raises:
        ConfigError: the port is no number.
    """
    port = environment.get("ANDROID_ADB_SERVER_PORT", str(PORT))
    if not port.isdigit():
        raise ConfigError(f"ANDROID_ADB_SERVER_PORT: a port is needed, not '{port}'")
    names = ("ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_HOST")
    host = next((environment[name] for name in names if environment.get(name)), HOST)
    return Server(host=host, port=int(port))


def list_phones(server: Server) -> tuple[Listed, ...]:
    """Every phone that the server knows.

    Raises:
        PhoneError: there is no server, or it does not answer as one.
    """
    from weighin.gates.devices.phone.adb_client import Client

    with _told(server, "the adb server"):
        text = Client(host=server.host, port=server.port).listed(_CONNECT_S)
    pairs = (line.split("\t", maxsplit=1) for line in text.splitlines() if "\t" in line)
    return tuple(Listed(serial=serial, state=state.strip()) for serial, state in pairs)


def choose(phones: Sequence[Listed], serials: Sequence[str]) -> tuple[str, ...]:
    """The serials to use: those asked for, or the only phone there is.

    Raises:
        PhoneError: one is not there, is not ready, or nobody said which.
    """
    ready = [phone.serial for phone in phones if phone.state == "device"]
    if not serials:
        if len(ready) == 1:
            return (ready[0],)
        raise PhoneError(f"say which phone with --serial; {_listed(phones)}")
    states = {phone.serial: phone.state for phone in phones}
    for serial in serials:
        if serial not in states:
            raise PhoneError(f"no phone '{serial}'; {_listed(phones)}")
        if states[serial] != "device":
            raise PhoneError(f"phone '{serial}' is {states[serial]}: {_help(states[serial])}")
    return tuple(dict.fromkeys(serials))


def _listed(phones: Sequence[Listed]) -> str:
    if not phones:
        return "adb lists no phone: switch on USB debugging and plug one in"
    return "adb lists " + ", ".join(f"{phone.serial} ({phone.state})" for phone in phones)


def _help(state: str) -> str:
    match state:
        case "unauthorized":
            return "unlock it and allow debugging from this computer"
        case "offline":
            return "unplug it and plug it in again"
        case _:
            return "start Android on it"


class AdbLink:
    """One phone behind an adb server."""

    def __init__(self, server: Server, serial: str) -> None:
        """Connects with every command anew, so that a phone may come back."""
        self._server = server
        self._serial = serial

    @property
    def serial(self) -> str:
        """As adb lists it."""
        return self._serial

    def run(self, command: str, timeout_s: float = 60.0) -> Answer:
        """Run a command line in the phone's shell, and wait for it.

        Raises:
            PhoneGone: the phone went away, or the answer broke off.
            PhoneError: it did not end in time.
        """
        from weighin.gates.devices.phone.adb_client import Client

        with _told(self._server, f"phone {self._serial}"):
            client = Client(host=self._server.host, port=self._server.port)
            wrapped = f"{command}; echo {_ENDED}$?"
            said = client.device(self._serial).shell(wrapped, timeout=timeout_s, rstrip=False)
        return _answer(str(said), self._serial, command)

    def push(self, local: Path, remote: str, mode: int) -> None:
        """Put a file there.

        Raises:
            PhoneGone: the phone went away.
            PhoneError: it refused, such as for want of space.
        """
        from weighin.gates.devices.phone.adb_client import Client

        with _told(self._server, f"phone {self._serial}, {remote}"):
            client = Client(host=self._server.host, port=self._server.port)
            client.push(self._serial, local, remote, mode, _PUSH_S)

    def pull(self, remote: str, local: Path) -> None:
        """Fetch a file from there.

        Raises:
            PhoneGone: the phone went away.
            PhoneError: there is no such file, or it may not be read.
        """
        from weighin.gates.devices.phone.adb_client import Client

        with _told(self._server, f"phone {self._serial}, {remote}"):
            client = Client(host=self._server.host, port=self._server.port)
            client.pull(self._serial, remote, local, _PUSH_S)


def _answer(said: str, serial: str, command: str) -> Answer:
    """An answer without its exit status broke off: the phone was unplugged in the middle."""
    text, found, status = said.replace("\r\n", "\n").rpartition(_ENDED)
    if not found or not status.strip().isdigit():
        raise PhoneGone(f"phone {serial} went away during `{command[:60]}`")
    return Answer(code=int(status), text=text)


_GONE = ("not found", "offline", "closed", "unauthorized", "no devices")


@contextmanager
def _told(server: Server, what: str) -> Generator[None]:
    """Every way in which a connection fails, as one of ours."""
    from adbutils.errors import AdbConnectionError, AdbError, AdbTimeout

    try:
        yield
    except AdbConnectionError as error:
        raise PhoneGone(
            f"no adb server at {server.host}:{server.port}; start it with `adb start-server`"
        ) from error
    except AdbTimeout as error:
        raise PhoneError(f"{what}: no answer in time") from error
    except AdbError as error:
        words = str(error)
        if "Unknown data" in words:
            raise PhoneGone(f"{what}: the adb server broke off the connection") from error
        if any(sign in words for sign in _GONE):
            raise PhoneGone(f"{what}: {words}") from error
        raise PhoneError(f"{what}: {words}") from error
    except (EOFError, ConnectionError, TimeoutError) as error:
        raise PhoneGone(f"{what}: the connection broke off") from error
