"""Every checkpoint a user can name, as plain data. Nothing here imports torch or opens a file."""

from restore_cli.card import ModelCard
from restore_cli.cards.own import OWN
from restore_cli.cards.published import PUBLISHED

CARDS: tuple[ModelCard, ...] = (*OWN, *PUBLISHED)
