"""Questions about a cloud; never a change."""
