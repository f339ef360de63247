"""From a recipe and folders of photographs to weights."""
