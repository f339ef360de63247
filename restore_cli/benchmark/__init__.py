"""How fast networks run on a machine, and in how much memory."""
