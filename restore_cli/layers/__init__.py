"""Blocks of networks, and how they are carried out fast; a file of a published block names its paper and its source."""
