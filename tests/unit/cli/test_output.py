"""What every command checks and says alike."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest
from pp_host.cli.output import existing
from pp_host.errors import OperatorError

NOBODY = 65_534


@contextmanager
def closed(folder):
    """`folder` lets nobody in who is no administrator, and we are none."""
    folder.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


def refused(path):
    with pytest.raises(OperatorError) as caught:
        existing(path, "name it")
    return str(caught.value), caught.value.hint


def test_what_may_not_be_looked_at_is_not_called_missing(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    (file := folder / "a.ppz").touch()
    let_in = "every folder on the way must be a folder, and let you in"
    with closed(folder):
        assert refused(file) == (f"{file}: cannot be read: Permission denied", let_in)
    existing(file, "name it")
    assert refused(file / "x") == (f"{file / 'x'}: cannot be read: Not a directory", let_in)
    missing = f"{folder / 'b.ppz'}: cannot be read: No such file or directory"
    assert refused(folder / "b.ppz") == (missing, "name it")
