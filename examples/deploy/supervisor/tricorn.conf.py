"""tricorn under Supervisor: /srv/shop/tricorn.conf.py, to shop.conf beside this.

No `daemon`: Supervisor has to be the parent. No `user`: shop.conf names it. No `pidfile`:
`supervisorctl pid shop` tells the arbiter's process id.

/run is empty after each boot, and the user shop cannot make a folder there. Once, as root:

    echo 'd /run/shop 0755 shop shop' > /etc/tmpfiles.d/shop.conf
    systemd-tmpfiles --create shop.conf
"""

chdir = "/srv/shop"
wsgi_app = "shop:application"

# The socket is srwxrwx--- of shop's group; `adduser www-data shop` lets nginx in.
bind = "unix:/run/shop/tricorn.sock"
umask = 0o007
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

# To standard output and standard error: Supervisor keeps the files.
accesslog = "-"
errorlog = "-"
# A unix socket has no address, so the client's is taken from nginx's header.
access_log_format = '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

workers = 2
keepalive = 75
timeout = 30
# Less than stopwaitsecs in shop.conf.
graceful_timeout = 30
