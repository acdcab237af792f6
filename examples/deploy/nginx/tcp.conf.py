"""tricorn behind nginx on another host, over TCP: /srv/shop/tricorn.conf.py on tricorn's host.

Here 192.0.2.20 is tricorn's host, 192.0.2.10 is nginx's.
"""

chdir = "/srv/shop"
wsgi_app = "shop:application"

# The address towards nginx and not 0.0.0.0: whoever reaches this port goes round nginx. A firewall
# that lets only 192.0.2.10 in is a good second lock.
bind = "192.0.2.20:8000"

# Whose X-Forwarded-Proto is believed. With nginx's address missing here, the application sees http
# where the browser used https: redirects that never end, cookies that are not secure, CSRF
# failures.
# Never "*" on a port that others reach: they would choose the scheme.
# More than one: "192.0.2.10,192.0.2.11" or "192.0.2.0/28".
forwarded_allow_ips = "192.0.2.10"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

workers = 2
# As in unix.conf.py: longer than nginx's keepalive_timeout, shorter than its proxy_read_timeout.
keepalive = 75
timeout = 30
graceful_timeout = 30
