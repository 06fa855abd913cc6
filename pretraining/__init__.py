"""How the bundled networks were made: a room for each, with its recipe and its card."""
