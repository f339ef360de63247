"""Every checkpoint a user can name, as plain data. Nothing here imports torch or opens a file."""

from dataclasses import replace

from restore_cli.card import ModelCard
from restore_cli.cards.own import OWN
from restore_cli.cards.published import PUBLISHED
from restore_cli.cards.speeds import RELATIVE_SPEED

CARDS: tuple[ModelCard, ...] = tuple(
    replace(card, relative_speed=RELATIVE_SPEED.get(card.name)) for card in (*OWN, *PUBLISHED)
)
