"""Policy files carried from one release to another, and what it does to those who use the cloud."""
