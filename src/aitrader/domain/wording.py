"""What every message words alike."""


def counted(number: int, name: str) -> str:
    """Return a number of things, in the plural unless it is one.

    >>> counted(1, "order"), counted(0, "fill")
    ('1 order', '0 fills')
    """
    return f"{number:,} {name}{'' if number == 1 else 's'}"
