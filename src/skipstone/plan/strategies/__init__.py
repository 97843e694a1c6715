"""How a Cloud and a Route become Stages."""
