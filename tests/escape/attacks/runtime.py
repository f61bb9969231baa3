"""What Python itself may have left lying about: modules, frames, objects; and what it can be made to load."""

import gc
import importlib
import sys
import types

HOST = "pp_host"


def load(name):
    importlib.import_module(name)


def host_module():
    """The host's own code, imported and forgotten again."""
    importlib.import_module("pp_host.limits")
    return ()


def modules(*_):
    return sorted(name for name in sys.modules if name.partition(".")[0] == HOST)


def modules_in_memory():
    """Forgotten ones are still held by whoever imported them."""
    found = {each.__name__ for each in gc.get_objects() if isinstance(each, types.ModuleType)}
    return sorted(name for name in found if name.partition(".")[0] == HOST)


def objects():
    """Of the host's classes."""
    found = {type(each) for each in gc.get_objects()}
    return sorted(each.__name__ for each in found if str(each.__module__).partition(".")[0] == HOST)


def frames(through_host=False):
    """Who called this: the names of the host's functions that are still waiting."""
    return _called(through_host, lambda: [frame.f_code.co_name for frame in _host_frames()])


def paths_in_frames(through_host, *prefixes):
    """Host paths among what those functions hold."""
    return _called(through_host, lambda: _shown(prefixes))


def _shown(prefixes):
    values = [(name, repr(value)) for frame in _host_frames() for name, value in frame.f_locals.items()]
    return sorted({name for name, value in values for prefix in prefixes if prefix in value})


def _host_frames():
    frame = sys._getframe()
    while frame := frame.f_back:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == HOST:
            yield frame


def _called(through_host, look):
    """Outside nothing of the host's is waiting, unless it is asked to call back."""
    if not through_host:
        return look()
    path, seen = sys.prefix, []
    importlib.import_module("pp_host.sandbox.selfcheck")._errno_of(lambda: seen.extend(look()) or path)
    return seen


def paths(*prefixes):
    """Where Python itself would show a host path: modules, their functions, the sys module."""
    shown = [str(value) for value in vars(sys).values()]
    for module in list(sys.modules.values()):
        shown += [str(vars(module).get(name)) for name in ("__file__", "__path__", "__spec__", "__cached__")]
    shown += [each.__code__.co_filename for each in gc.get_objects() if isinstance(each, types.FunctionType)]
    return sorted({text for text in shown for prefix in prefixes if prefix in text})


def main_module():
    return sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__"))
