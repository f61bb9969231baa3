"""The proofs against transparency-dev/merkle's vectors, where the shared data is present."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from pp_host.errors import RecordError
from pp_host.record import merkle

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def cases(name):
    path = SHARED / "vectors" / "merkle" / f"{name}.json"
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{name} vectors are not here"))]
    found = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["file"]) for case in found]


def raw(text):
    return base64.b64decode(text or "")


def check(case, verify):
    if case["wantErr"]:
        with pytest.raises(RecordError, match="proof"):
            verify()
    else:
        verify()


@pytest.mark.parametrize("case", cases("inclusion"))
def test_inclusion(case):
    proof = [raw(each) for each in case["proof"] or []]
    leaf, root = raw(case["leafHash"]), raw(case["root"])
    check(case, lambda: merkle.verify_inclusion(case["leafIdx"], case["treeSize"], leaf, proof, root))


@pytest.mark.parametrize("case", cases("consistency"))
def test_consistency(case):
    proof = [raw(each) for each in case["proof"] or []]
    roots = raw(case["root1"]), raw(case["root2"])
    check(case, lambda: merkle.verify_consistency(case["size1"], case["size2"], proof, *roots))
