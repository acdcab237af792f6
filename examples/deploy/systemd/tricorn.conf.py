"""tricorn under systemd: /srv/shop/tricorn.conf.py, to the units beside this.

No `daemon`: systemd has to know the process it started. No `user`: the unit names it.
"""

chdir = "/srv/shop"
wsgi_app = "shop:application"

# No `bind`: systemd passes the socket on (tricorn.socket), and that is what is listened on.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

# Only for people and scripts that want it: systemd does not read it.
pidfile = "/run/tricorn/pid"

# Standard output and standard error are the journal.
accesslog = "-"
errorlog = "-"
# A unix socket has no address, so the client's is taken from nginx's header.
access_log_format = '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

workers = 2
keepalive = 75
timeout = 30
# Less than TimeoutStopSec in the unit.
graceful_timeout = 30
