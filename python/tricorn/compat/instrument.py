"""What ``import gunicorn.instrument`` gives: a package that holds ``statsd``."""
