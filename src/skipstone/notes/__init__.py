"""Release notes of the services: upstream's own, by what an operator must do, and by what a cloud uses."""
