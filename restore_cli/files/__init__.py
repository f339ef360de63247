"""Files, whatever is in them: how one is called in a message, how one is written whole or not at all, and its hash."""
