"""Two kinds of errors, and libraries: which are missing, which versions are there.

``AskedWrongly``: what was asked for cannot be, ask otherwise (exit code 2). ``WentWrong``: it was
asked rightly, and failed (exit code 1). The message of each says what to do.
"""

import importlib
import importlib.metadata
from types import ModuleType


class AskedWrongly(ValueError):
    """What was asked for does not exist or is not allowed."""


class WentWrong(RuntimeError):
    """What was asked for has failed."""


class Missing(WentWrong, ImportError):
    """A library is missing, or cannot be used."""


def needs(module: str, extra: str) -> ModuleType:
    """Import a module and return it, or name the extra of the package that brings it.

    Raises
    ------
    Missing
        If the module, or one that it needs, cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library, found = module.split(".")[0], error.name or module
        why = "is missing" if found.split(".")[0] == library else f"cannot be used ({error})"
        way = f'pip install -e ".[{extra}]", in the folder of the series'
        raise Missing(f"{library} {why}: {way}") from None


def version(library: str) -> str:
    """Return the version of an installed library; TensorFlow may be the one for processors alone.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If it is not installed.
    """
    if library == "tensorflow" and not any(importlib.metadata.distributions(name=library)):
        library = "tensorflow-cpu"
    return importlib.metadata.version(library)
