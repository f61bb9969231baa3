"""A plugin's own modules, imported from memory."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import linecache
import pkgutil
import sys
import traceback

import pytest
from pp_sdk.archive_import import ArchiveFinder, ShadowError, refuse_shadows

FILES = {
    "alpha.py": "import pkg_beta.deep as deep\nfrom pkg_beta import VALUE\n\ndef fail():\n    raise KeyError('here')\n",
    "pkg_beta/__init__.py": "from .gamma import VALUE\nfrom . import deep\n",
    "pkg_beta/gamma.py": "VALUE = 7\n\n\ndef double(x):\n    '''Twice.'''\n    return 2 * x\n",
    "pkg_beta/deep/__init__.py": "from ..gamma import VALUE as UP\n",
    "pkg_beta/deep/data.txt": "gr\u00fc\u00dfe\n",
    "pkg_beta/data/one.json": "1",
    "latin.py": "# -*- coding: latin-1 -*-\nNAME = 'gr\u00fc\u00dfe'\n",
    "broken.py": "def (:\n",
    "loose/part.py": "X = 1\n",
}


@pytest.fixture
def finder():
    files = {
        name: memoryview(text.encode("latin-1" if name == "latin.py" else "utf-8"))
        for name, text in FILES.items()
    }
    finder = ArchiveFinder(files)
    sys.meta_path.append(finder)
    yield finder
    sys.meta_path.remove(finder)
    for name in [name for name, module in sys.modules.items() if finder.made(module)]:
        del sys.modules[name]
    for name in [name for name in linecache.cache if name.startswith("ppz:/")]:
        del linecache.cache[name]


@pytest.mark.usefixtures("finder")
class TestImport:
    def test_modules_packages_and_relative_imports(self):
        alpha = importlib.import_module("alpha")
        assert (alpha.VALUE, alpha.deep.UP) == (7, 7)
        assert alpha.__file__ == "ppz:/alpha.py"
        assert alpha.deep.__name__ == "pkg_beta.deep"
        assert alpha.deep.__path__ == ["ppz:/pkg_beta/deep"]
        assert alpha.__spec__.origin == "ppz:/alpha.py"

    def test_a_missing_module_is_not_found(self):
        with pytest.raises(ModuleNotFoundError, match="No module named 'absent'"):
            importlib.import_module("absent")
        with pytest.raises(ModuleNotFoundError, match=r"No module named 'pkg_beta\.absent'"):
            importlib.import_module("pkg_beta.absent")

    def test_a_folder_without_init_is_no_package(self):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("loose.part")

    def test_the_declared_encoding_counts(self):
        assert importlib.import_module("latin").NAME == "gr\u00fc\u00dfe"

    def test_the_source_of_an_object_is_found(self):
        gamma = importlib.import_module("pkg_beta.gamma")
        assert inspect.getsource(gamma.double) == "def double(x):\n    '''Twice.'''\n    return 2 * x\n"
        assert inspect.getsource(gamma) == FILES["pkg_beta/gamma.py"]

    def test_a_traceback_shows_the_line(self):
        alpha = importlib.import_module("alpha")
        with pytest.raises(KeyError) as caught:
            alpha.fail()
        text = "".join(traceback.format_exception(caught.value))
        assert "File \"ppz:/alpha.py\", line 5, in fail\n    raise KeyError('here')" in text

    def test_a_syntax_error_names_file_and_line(self):
        with pytest.raises(SyntaxError) as caught:
            importlib.import_module("broken")
        assert (caught.value.filename, caught.value.lineno) == ("ppz:/broken.py", 1)

    def test_resources_are_read(self):
        deep = importlib.resources.files("pkg_beta.deep")
        assert deep.joinpath("data.txt").read_text() == "gr\u00fc\u00dfe\n"
        assert (deep / "data.txt").read_bytes() == "gr\u00fc\u00dfe\n".encode()
        with deep.joinpath("data.txt").open() as file:
            assert file.read() == "gr\u00fc\u00dfe\n"
        with deep.joinpath("data.txt").open("rb") as file:
            assert file.read(2) == b"gr"
        with pytest.raises(FileNotFoundError):
            deep.joinpath("absent").read_text()

    def test_folders_of_resources_are_listed(self):
        package = importlib.resources.files("pkg_beta")
        assert [entry.name for entry in package.iterdir()] == ["__init__.py", "data", "deep", "gamma.py"]
        data = package.joinpath("data")
        assert data.is_dir()
        assert not data.is_file()
        assert data.joinpath("one.json").is_file()

    def test_pkgutil_reads_data_and_refuses_what_is_absent(self):
        assert pkgutil.get_data("pkg_beta", "data/one.json") == b"1"
        with pytest.raises(FileNotFoundError):
            pkgutil.get_data("pkg_beta", "data/two.json")


def test_what_the_finder_made_is_told_apart(finder):
    assert finder.made(importlib.import_module("alpha"))
    assert not finder.made(inspect)


@pytest.mark.parametrize(
    "name",
    [
        "json.py",
        "json/__init__.py",
        "msgspec.py",
        "pp_sdk/__init__.py",
        "pluggy.py",
        "sys.py",
        "__main__.py",
        "_socket.py",
    ],
)
def test_a_name_of_ours_or_of_the_standard_library_is_refused(name):
    with pytest.raises(ShadowError, match="a plugin may not bring its own"):
        refuse_shadows(["momentum.py", name])


@pytest.mark.parametrize(
    "name",
    ["momentum.py", "jsonish.py", "momentum/json.py", "json.txt", "tests/test_it.py", "lib/json/__init__.py"],
)
def test_other_names_are_fine(name):
    refuse_shadows([name])


def test_the_standard_library_wins_in_any_case():
    finder = ArchiveFinder({"colorsys.py": memoryview(b"STOLEN = True")})
    sys.meta_path.append(finder)
    try:
        sys.modules.pop("colorsys", None)
        assert not hasattr(importlib.import_module("colorsys"), "STOLEN")
    finally:
        sys.meta_path.remove(finder)
