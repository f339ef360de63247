from __future__ import annotations

import gc

import pytest

from restore_cli.importing import without_collections


def test_nothing_is_collected_meanwhile_and_what_was_made_is_left_alone_later() -> None:
    made: list[list[int]] = []
    try:
        with without_collections():
            assert not gc.isenabled()
            made.append([1])
        assert gc.isenabled()
        assert not any(thing is made for thing in gc.get_objects()), "it is not looked at any more"
    finally:
        gc.unfreeze()


def test_an_import_that_fails_leaves_collections_on() -> None:
    try:
        with pytest.raises(ImportError), without_collections():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()
