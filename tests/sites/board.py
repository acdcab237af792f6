"""A Flask site: sessions, streaming both ways, a WebSocket."""

import hashlib
import time

from flask import Flask, Response, jsonify, request, send_file, session, stream_with_context
from flask_sock import Sock

app = Flask(__name__)
app.secret_key = "only-for-tests"
sock = Sock(app)


@app.get("/")
def front():
    session["visits"] = session.get("visits", 0) + 1
    return jsonify(visits=session["visits"], address=request.remote_addr, args=request.args)


@app.post("/upload")
def upload():
    """Hash what is sent, piece by piece."""
    digest, length = hashlib.sha256(), 0
    while piece := request.stream.read(64 * 1024):
        digest.update(piece)
        length += len(piece)
    return jsonify(length=length, digest=digest.hexdigest())


@app.post("/form")
def form():
    file = request.files["file"]
    return jsonify(name=file.filename, length=len(file.read()), note=request.form["note"])


@app.get("/ticks")
def ticks():
    """Stream lines as they come to be."""

    def lines():
        for number in range(int(request.args["count"])):
            yield f"{number}\n"
            time.sleep(0.05)

    return Response(stream_with_context(lines()), mimetype="text/plain")


@app.get("/gigabyte")
def gigabyte():
    """Stream as many mebibytes as asked for."""
    piece = bytes(range(256)) * 256
    count = int(request.args["mib"]) * 16
    return Response((piece for _ in range(count)), mimetype="application/octet-stream")


@app.get("/file")
def file():
    return send_file(request.args["path"], conditional=True)


@app.get("/redirect")
def redirect():
    return Response(status=302, headers={"Location": "/"})


@sock.route("/echo")
def echo(socket):
    while True:
        socket.send(socket.receive()[::-1])
