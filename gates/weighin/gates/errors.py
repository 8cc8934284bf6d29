"""Every error that weighin raises on purpose.

    WeighinError                 exit 1   something failed: says what, to which thing, what to do
    ├── ConfigError              exit 2   weighin.toml or the command line is wrong
    ├── DataError                exit 1   a data set broke its contract
    ├── SourceError              exit 1   the registered model cannot be used
    ├── EvidenceError            exit 1   a signed statement does not verify, match or hold
    ├── StoreError               exit 1   DVC or git did not keep what it was given
    ├── RegistryError            exit 1   MLflow refused or could not be reached
    ├── GitHubError              exit 1   GitHub refused or could not be reached
    ├── SetupError               exit 1   something that weighing needs could not be set up
    ├── PhoneError               exit 1   a phone cannot be read or measured
    │   └── PhoneGone            exit 1   it went away, and may come back
    └── PullError                exit 1   the base of what `weighin pull` and `verify` refuse
        ├── LockMismatch         exit 10  the file or the channel is not what model.lock says
        ├── IntegrityError       exit 11  bytes, hashes or signatures are wrong
        ├── RollbackError        exit 12  the channel offers something older than was seen before
        ├── ExpiredError         exit 13  the channel's metadata is past its date
        ├── NetworkError         exit 14  the channel cannot be reached
        └── NothingApproved      exit 15  no released variant fits this device

What this module does not do: it never prints and never exits. The command line maps
``exit_code`` to the process's exit status, in one place.
"""


class WeighinError(Exception):
    """Something failed. Caught once, at the command line, and shown without a traceback."""

    exit_code = 1


class ConfigError(WeighinError):
    """The configuration or the command line is wrong; nothing was done."""

    exit_code = 2


class DataError(WeighinError):
    """A data set broke its contract; nothing was spent on it."""


class SourceError(WeighinError):
    """The registered model cannot be used as a source of variants."""


class EvidenceError(WeighinError):
    """A signed statement does not verify, does not match, or has expired."""


class StoreError(WeighinError):
    """DVC or git did not keep what it was given."""


class RegistryError(WeighinError):
    """The MLflow registry refused or could not be reached."""


class GitHubError(WeighinError):
    """GitHub refused or could not be reached; what was written before stays."""


class SetupError(WeighinError):
    """Something that weighing needs could not be set up; nothing half-made was left behind."""


class PhoneError(WeighinError):
    """A phone cannot be read or measured; what was measured before is kept."""


class PhoneGone(PhoneError):  # noqa: N818 - it may come back
    """The phone does not answer: unplugged, restarted, or its adb server ended."""


class PullError(WeighinError):
    """A pull or a verification was refused; the files on disk were left as they were."""


class LockMismatch(PullError):  # noqa: N818 - the word people search for
    """The file or the channel is not what ``model.lock`` says."""

    exit_code = 10


class IntegrityError(PullError):
    """Bytes, hashes or signatures are wrong."""

    exit_code = 11


class RollbackError(PullError):
    """The channel offers something older than was seen before."""

    exit_code = 12


class ExpiredError(PullError):
    """The channel's metadata is past its date."""

    exit_code = 13


class NetworkError(PullError):
    """The channel cannot be reached."""

    exit_code = 14


class NothingApproved(PullError):  # noqa: N818 - reads as the sentence it is
    """No released variant fits this device."""

    exit_code = 15
