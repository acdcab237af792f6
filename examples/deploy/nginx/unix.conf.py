"""tricorn behind nginx on the same host, over a unix socket: /srv/shop/tricorn.conf.py.

Started as root, for the workers to run as the user shop:

    /srv/shop/venv/bin/tricorn -c /srv/shop/tricorn.conf.py

/run is empty after each boot. Its folder is made by systemd-tmpfiles, or by hand:

    install --directory --owner=shop --group=shop /run/shop
"""

chdir = "/srv/shop"
wsgi_app = "shop:application"
bind = "unix:/run/shop/tricorn.sock"

# Who may connect: the umask makes the socket srwxrwx---, of the user and the group below. nginx's
# workers run as www-data, so www-data joins the group, once: `adduser www-data shop`, then
# `nginx -s reload`. Without it nginx logs "(13: Permission denied)" and answers 502.
user = "shop"
group = "shop"
umask = 0o007

# nginx's word for the scheme is believed, since it comes over a unix socket. It is the one header
# that nginx sets; others of that kind would come from clients.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

accesslog = "-"
# A unix socket has no address, so the client's is taken from nginx's header.
access_log_format = '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

workers = 2
# Longer than keepalive_timeout in the upstream: nginx closes idle connections, not tricorn.
keepalive = 75
# A worker that is silent for so long is aborted. Less than proxy_read_timeout.
timeout = 30
# What a stop or a reload gives running requests. Service managers have to wait longer than that.
graceful_timeout = 30
