"""tricorn that writes log files for logrotate: what is added to /srv/shop/tricorn.conf.py.

The folder is the user's, and no other's to write in:

    install --directory --owner=shop --group=adm --mode=0755 /var/log/shop
"""

chdir = "/srv/shop"
wsgi_app = "shop:application"
bind = "unix:/run/shop/tricorn.sock"
user = "shop"
group = "shop"
umask = 0o007
workers = 2

# Whom logrotate's postrotate signals.
pidfile = "/run/shop/tricorn.pid"

# Made with the user and the group above, so that workers can open them again on USR1.
accesslog = "/var/log/shop/access.log"
errorlog = "/var/log/shop/error.log"
# A unix socket has no address, so the client's is taken from nginx's header.
access_log_format = '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
# Tracebacks and prints that go round the logs end in error.log as well.
capture_output = True
