"""Where compiled kernels are kept between runs."""

import os
from collections.abc import MutableMapping
from hashlib import sha256
from pathlib import Path
from typing import Final

VARIABLE: Final = "NUMBA_CACHE_DIR"
_SHARED: Final = Path(__file__).parents[1] / "panel" / "kernels" / "kernel.py"


def use_kernel_cache(env: MutableMapping[str, str]) -> None:
    """Name a private folder of this user in ``env`` unless one is named; call it before numba is imported.

    The folder depends on what all kernels are compiled with, because the compiler's cache sees changes of a kernel's
    own file only. Without a folder that belongs to this user alone nothing is named: machine code is run from there.
    """
    if env.get(VARIABLE):
        return
    home = env.get("XDG_CACHE_HOME") or (Path(env["HOME"], ".cache") if env.get("HOME") else None)
    places = [Path(home)] if home else []
    for place in (*places, Path("/var/tmp", f"aitrader-{os.getuid()}")):  # noqa: S108 - made private, or not used
        folder = place / "aitrader" / f"kernels-{sha256(_SHARED.read_bytes()).hexdigest()[:12]}"
        if _private(folder):
            env[VARIABLE] = str(folder)
            return


def _private(folder: Path) -> bool:
    """Make the folder, and say whether it is ours alone to write."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError:
        return False
    writable = os.access(folder, os.W_OK | os.X_OK)
    return writable and facts.st_uid == os.getuid() and not facts.st_mode & 0o022 and not folder.is_symlink()
