"""Modules that are loaded when a command first uses them, so that `huiyao --help` answers at once."""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType


def lazily(name: str) -> ModuleType:
    """The module, not yet executed (importlib.util.LazyLoader); a type checker sees a plain import instead."""
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name)
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
