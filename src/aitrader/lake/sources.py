"""Which of the sources in a lake a setting means."""

from collections.abc import Sequence

from aitrader.errors import ConfigError


def source_meant(stored: Sequence[str], wanted: str | None) -> str:
    """Return the one of the ``stored`` sources that ``wanted``, a vendor or a vendor's feed, means; None: the only one.

    Raises
    ------
    ConfigError
        It means none of them, or several.
    """
    if wanted in stored:
        return str(wanted)
    matching = [name for name in stored if wanted is None or name.startswith(f"{wanted}:")]
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(matching or stored)
    if not matching:
        raise ConfigError(
            f"The lake holds no bars of source {wanted!r}; it holds {listed}.",
            fix=f"Set data.source to one of these, or run `aitrader backfill --source {wanted}`.",
        )
    raise ConfigError(f"The lake holds bars of several sources: {listed}.", fix="Set data.source to one of them.")
