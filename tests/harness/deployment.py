"""A host for the files of `examples/deploy`: they are placed in it, and real programs run them.

What the files name below /srv, /run, /var/log and /etc/ssl is below the host's own folder here, and
the user shop is one that every Debian has. Nothing else of a file is changed, but what a test says.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness.server import ROOT, Server, environment, heed_interrupts
from tests.harness.waiting import PATIENCE, eventually

EXAMPLES = ROOT / "examples" / "deploy"

#: The folders that the examples name.
FOLDERS = ("/srv/", "/run/", "/var/log/", "/etc/ssl/")


def may_run_python(user: str) -> bool:
    """Whether this user reaches the tests' interpreter; below /root, none but root does."""
    command = [sys.executable, "-c", ""]
    try:
        done = subprocess.run(command, user=user, group=user, extra_groups=[], check=False)
    except OSError:
        return False
    return done.returncode == 0


#: Whom Supervisor starts tricorn as.
STARTER = "daemon" if os.geteuid() == 0 and may_run_python("daemon") else "root"

#: The user and the group of the examples, as each kind of file writes them, and those of the tests.
USERS = {
    'user = "shop"': 'user = "daemon"',
    'group = "shop"': 'group = "daemon"',
    "user=shop": f"user={STARTER}",
}

#: nginx's own file, which includes the site's: what Debian has as /etc/nginx/nginx.conf.
NGINX = """
user {user};
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log info;
events {{}}
http {{
    access_log {folder}/nginx-access.log;
    client_body_temp_path {folder}/nginx-bodies;
    proxy_temp_path {folder}/nginx-answers;
    include {folder}/nginx/*;
}}
"""


def require(program: str) -> None:
    """Fail in plain words where the tests of deployment cannot run."""
    assert os.geteuid() == 0, "the tests of examples/deploy have to be run as root"
    path = f"/usr/sbin{os.pathsep}{os.environ['PATH']}"
    assert shutil.which(program, path=path), f"{program} is missing: run `make deploy-packages`"


class Process:
    """A program in the foreground, with its output in a file."""

    def __init__(self, command: list[str], output: Path) -> None:
        require(command[0])
        self.output = output
        with open(output, "ab") as file:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    def wait_until(self, probe, what: str) -> None:
        """Wait for something that the program brings about; fail if it ends before."""

        def alive_and_probed() -> bool:
            assert self.popen.poll() is None, f"{what}: it ended\n{self.output.read_text()}"
            return probe()

        eventually(alive_and_probed, f"{what}\n{self.output.read_text()}")

    def end(self) -> int:
        """Stop it, and return its code."""
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()


class Host:
    """A folder that stands for a host's root, and what runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[Process] = []
        self.server = Server(folder)
        for name in ("srv/shop/static", "run/shop", "var/log/shop", "etc/ssl/shop", "nginx"):
            (folder / name).mkdir(parents=True)
        for name in ("run/shop", "var/log/shop"):
            shutil.chown(folder / name, "daemon", "daemon")
        (folder / "srv/shop/venv").symlink_to(sys.prefix)
        shutil.copy(ROOT / "tests/apps/plain.py", folder / "srv/shop/shop.py")

    def place(self, example: str, target: str, **changes: str) -> Path:
        """Put a file of the examples where its users put it."""
        text = (EXAMPLES / example).read_text()
        for folder in FOLDERS:
            text = text.replace(folder, f"{self.folder}{folder}")
        for old, new in {**USERS, **changes}.items():
            text = text.replace(old, new)
        path = self.folder / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        return path

    def run(self, command: list[str], name: str) -> Process:
        """Start a program that ends with the host."""
        self.running.append(Process(command, self.folder / f"{name}.out"))
        return self.running[-1]

    def start_tricorn(self, config: str, *prefix: str, workers: int = 2) -> Server:
        """Start tricorn as its conf file says, and wait until all its workers are there."""
        placed = self.place(config, "/srv/shop/tricorn.conf.py")
        command = [f"{self.folder}/srv/shop/venv/bin/tricorn", "-c", str(placed)]
        with open(self.server.log_path, "ab") as log:
            self.server.process = subprocess.Popen(
                [*prefix, *command],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=heed_interrupts,
            )
        eventually(lambda: len(self.server.workers()) == workers, f"workers: {self.server.log}")
        return self.server

    def start_nginx(
        self, upstream: str, *prefix: str, user: str = "www-data daemon", port: int = 443
    ) -> Process:
        """Start nginx with the site and one of its upstreams; `port` is that of https."""
        self.certify()
        self.place(
            "nginx/shop.nginx", "/nginx/shop", **{":443": f":{port}", ":80;": f":{free_port()};"}
        )
        self.place(upstream, "/nginx/shop-upstream.conf")
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(user=user, folder=self.folder))
        arguments = ["-c", str(config), "-p", str(self.folder), "-g", "daemon off;"]
        nginx = self.run([*prefix, "/usr/sbin/nginx", *arguments], "nginx")
        nginx.wait_until((self.folder / "nginx.pid").exists, "nginx listens")
        return nginx

    def certify(self) -> None:
        """Make the key and the certificate that the site names."""
        require("openssl")
        folder = self.folder / "etc/ssl/shop"
        files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
        kind = ["-newkey", "rsa:2048", "-nodes", "-x509", "-subj", "/CN=shop.example"]
        subprocess.run(["openssl", "req", *kind, *files], check=True, capture_output=True)

    def nginx_log(self) -> str:
        """What nginx had to say."""
        return (self.folder / "nginx-error.log").read_text()

    def processes(self) -> list[int]:
        """Return the processes that work in the site's folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if Path(os.readlink(entry / "cwd")).is_relative_to(self.folder):
                    found.append(int(entry.name))
        return found

    def end(self) -> None:
        """Leave nothing behind, however the test ended."""
        for process in reversed(self.running):
            process.end()
        self.server.end()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)


@contextmanager
def a_host() -> Iterator[Host]:
    """Give a host; its folder has a short name, as that of a unix socket has to be."""
    require("true")
    folder = Path(tempfile.mkdtemp(prefix=f"host{os.getpid()}-"))
    folder.chmod(0o755)
    host = Host(folder)
    try:
        yield host
    finally:
        host.end()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


# Hosts that are apart: each a network namespace, with a cable between them.


def ip(*arguments: str) -> None:
    """Run `ip`, and fail in plain words where it may not."""
    require("ip")
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}\n"
        "The test of nginx on another host needs the right to make network namespaces "
        "(CAP_SYS_ADMIN and CAP_NET_ADMIN; docker run --privileged)."
    )


@contextmanager
def network(**addresses: tuple[str, ...]) -> Iterator[dict[str, list[str]]]:
    """Connect two hosts with these addresses; give what stands before a command run on each."""
    names = {host: f"tricorn-{host}-{os.getpid()}" for host in addresses}
    try:
        for name in names.values():
            ip("netns", "add", name)
        first, second = names.values()
        ip("-n", first, "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", second)
        for host, name in names.items():
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "eth0", "up")
            for address in addresses[host]:
                ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        yield {host: ["ip", "netns", "exec", name] for host, name in names.items()}
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
