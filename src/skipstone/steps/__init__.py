"""Actions as data, one module per thing acted on."""
