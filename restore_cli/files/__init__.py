"""Files, whatever is in them: how one is named in messages, written whole or not at all, locked and hashed."""
