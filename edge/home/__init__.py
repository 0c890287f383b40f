"""The room as Home Assistant sees it: it announces itself, tells its state, takes wishes."""
