from __future__ import annotations

import pytest

from restore_cli.catalog import find_card
from restore_cli.cli.choice import identify_model, model_in_file_names, model_in_outcomes
from restore_cli.cli.engine_settings import EngineSettings


def test_a_model_is_called_by_its_card_or_its_file() -> None:
    card, engine = find_card("safmn-x4"), EngineSettings(model="mine/own.v2.pth")
    assert (model_in_file_names(card, engine), model_in_outcomes(card, engine)) == ("safmn-x4", "safmn-x4")
    assert (model_in_file_names(None, engine), model_in_outcomes(None, engine)) == ("own.v2", "mine/own.v2.pth")


def test_no_file_is_made_up_where_neither_a_card_nor_a_file_is_chosen() -> None:
    for ask in (model_in_file_names, model_in_outcomes, lambda card, engine: identify_model(card, engine, "auto")):
        with pytest.raises(AssertionError):
            ask(None, EngineSettings())
