"""A release's own commands (``nova-manage`` of 2024.1), wherever they come from."""
