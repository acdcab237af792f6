"""A Django project: the admin, uploads, static files."""
