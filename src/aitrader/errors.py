"""The exception tree: what can go wrong, and the exit code the shell sees.

::

    AitraderError                     1  a bug, or an error nobody classified
    ├── UsageError                    2  a wrong command line, or a wrong argument of a command
    │   ├── ConfigError               2  a wrong setting; names file, line and key
    │   ├── InvalidSymbolError        2  text that is not a ticker
    │   └── UnknownNameError          2  a name that no table knows; lists the known ones
    ├── DataError                     3  data, lake or model are not fit for the job
    │   ├── DataFetchError            3  a source refused, failed or timed out after its retries
    │   ├── InsufficientDataError     3  less history than the job needs (``needed``, ``got``)
    │   ├── ClusterError              3  a cluster does not answer, lost its workers, or would give other bits
    │   ├── LakeError                 3  a file is missing, damaged or of another version
    │   ├── JournalError              3  the record of trading cannot be used, read or written
    │   │   └── LostJournalError      3  it is missing, damaged or of another account: it can be rebuilt
    │   ├── DataLeakageError          3  a model would decide on what it was trained on
    │   ├── ModelTrainingError        3  nothing could be fitted, or nothing passed
    │   └── ModelStoreError           3  a stored model is damaged, missing or of another feature set
    ├── RefusedError                  4  risk, a halt or stale input forbids the action
    ├── BrokerError                   5  the broker failed, or an order's fate is unknown
    │   └── UnknownFillError          5  the account has no fill of that id
    ├── LockHeldError                 6  another instance holds the lock
    ├── UnverifiedError              11  nobody could see whether an account is flat
    └── Stopped                 130/143  a signal, obeyed at a safe point
"""

from typing import ClassVar


class AitraderError(Exception):
    """What happened to which input, and what to do about it.

    ``str(error)`` is the first line that a person sees, ``fix`` the second.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class UsageError(AitraderError):
    """A wrong command line, or a wrong argument of a command."""

    exit_code = 2


class ConfigError(UsageError):
    """A wrong setting; the message names file, line and key."""


class InvalidSymbolError(UsageError):
    """Text that is not a ticker."""


class UnknownNameError(UsageError):
    """A name that no table knows; the message lists the known ones."""


class DataError(AitraderError):
    """Data, lake or model are not fit for the job."""

    exit_code = 3


class DataFetchError(DataError):
    """A source refused, failed or timed out after its retries."""


class InsufficientDataError(DataError):
    """Less history than the job needs."""

    def __init__(self, message: str, *, needed: int, got: int, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.needed = needed
        self.got = got


class ClusterError(DataError):
    """The machines that should compute do not answer, went away, or would not give the bits of this one."""


class LakeError(DataError):
    """A lake file or catalog is missing, damaged or of another version."""


class JournalError(DataError):
    """The record of a book cannot be used: it is lost, was written by a newer version, or the disk failed."""


class LostJournalError(JournalError):
    """The record of a book is missing, damaged or of another account; the broker's word can rebuild it."""


class DataLeakageError(DataError):
    """A model would decide on sessions that it was trained on."""


class ModelTrainingError(DataError):
    """Nothing could be fitted, or nothing that was fitted passed its gate."""


class ModelStoreError(DataError):
    """A stored model is damaged, missing, or was trained on other features."""


class RefusedError(AitraderError):
    """Risk, a halt or stale input forbids the action."""

    exit_code = 4


class BrokerError(AitraderError):
    """The broker failed, or the fate of an order is unknown."""

    exit_code = 5


class UnknownFillError(BrokerError):
    """The account has no fill of the id that was asked after: it is not the one that the journal was written with."""


class LockHeldError(AitraderError):
    """Another instance holds the lock."""

    exit_code = 6


class UnverifiedError(AitraderError):
    """An emergency shutdown could not see whether an account is flat."""

    exit_code = 11


class Stopped(AitraderError):
    """A signal arrived and was obeyed at a safe point.

    ``code`` is 130 after SIGINT and 143 after SIGTERM.
    """

    def __init__(self, message: str, *, code: int = 130, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.code = code


def exit_code_of(error: AitraderError) -> int:
    """Return the exit code that the shell sees for ``error``."""
    return error.code if isinstance(error, Stopped) else error.exit_code
