"""Notes and verifier keys against the C2SP specification's examples, where the shared data is present."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pp_host.errors import OperatorError, RecordError
from pp_host.record.note import Verifier, open_note

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).resolve().parents[3] / "shared"))

# The specification's own example, so that one check remains where the vectors are absent.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def cases():
    path = SHARED / "vectors" / "signed_note.json"
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="signed note vectors are not here"))]
    return [
        pytest.param(case, id=case["name"]) for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
    ]


@pytest.mark.parametrize("case", cases())
def test_note(case):
    note = case["note"].encode()
    if case["want"] == "ok":
        verifier = Verifier.parse(case["vkey"])
        assert open_note(note, verifier) == case["text"]
        assert verifier.key_id.hex() == case["key_id_hex"]
        assert verifier.public.hex() == case["public_key_hex"]
    elif case["name"].startswith("vkey"):
        with pytest.raises(OperatorError, match="verifier key"):
            Verifier.parse(case["vkey"])
    else:
        with pytest.raises(RecordError, match="note"):
            open_note(note, Verifier.parse(case["vkey"] or VKEY))


def test_a_verifier_key_is_read_and_written_alike():
    assert Verifier.parse(VKEY).vkey == VKEY
