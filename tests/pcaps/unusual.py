"""A server and clients that do what HTTP allows and few do; run by servers.sh while a capture is made."""
import os, socket, struct, threading, time

PORT = 8400

def message(body=b"ok", status=b"200 OK", *fields):
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body), b"", body])

def get(path, *fields, method=b"GET"):
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: unusual", *fields, b"", b""])

def drip(sock, data, size=1):
    for at in range(0, len(data), size):
        sock.sendall(data[at:at + size])
        time.sleep(0.002)

def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()

ANSWERS = {
    b"/keep-alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    b"/205": b"HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"x\"\r\n\r\n",
    b"/interim": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n" + message(),
    b"/phrase": message(status=b"200 "),
    b"/obs-text": message(b"ok", "200 Schön".encode("latin1"), "X-Value: ü".encode("latin1"), b"X-Empty:"),
    b"/twice": message(b"ok", b"200 OK", b"Content-Length: 2"),
    b"/line": message() + b"\r\n",
    b"/many": message(b"ok", b"200 OK", *(b"X-%d: v" % n for n in range(200))),
    b"/large": message(b"z" * 400_000),
    b"/head": message(b"a body all the same"),
}

def until_empty(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(65536)
        if not data:
            return None
        head += data
    return head

def serve(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while head := until_empty(sock):
        # Pipelined requests come in one piece here.
        for path in [line.split(b" ")[1] for line in head.split(b"\r\n") if line.endswith(b" HTTP/1.1")]:
            if path == b"/until":
                sock.sendall(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
                return sock.close()
            if path in (b"/cut", b"/whole"):
                sock.sendall(message() if path == b"/whole" else b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ncut by a reset")
                time.sleep(0.05)
                return reset(sock)
            if path == b"/413":
                sock.sendall(message(b"early", b"413 Content Too Large", b"Connection: close"))
                time.sleep(0.1)
                return reset(sock)
            if path == b"/408":
                sock.sendall(message())
                time.sleep(0.2)
                sock.sendall(message(b"", b"408 Request Timeout", b"Connection: close"))
                return sock.close()
            if path == b"/drip":
                drip(sock, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n00a\r\n0123456789\r\n0\r\n\r\n", 7)
            else:
                sock.sendall(ANSWERS.get(path) or message(path))
    sock.close()

def quiet(work):
    def run(*arguments):
        try:
            work(*arguments)
        except OSError:
            pass
    return run

def connect(buffer=None):
    sock = socket.socket()
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.connect(("127.0.0.1", PORT))
    return sock

@quiet
def read(sock, wait=0.1):
    sock.settimeout(wait)
    while sock.recv(65536):
        pass

@quiet
def ask(*parts):
    with connect() as sock:
        for part in parts:
            sock.sendall(part)
            read(sock)

@quiet
def half_close():
    with connect() as sock:
        sock.sendall(get(b"/drip") + get(b"/interim") + get(b"/205") + get(b"/304") + get(b"/304", method=b"HEAD"))
        sock.shutdown(socket.SHUT_WR)
        read(sock, 0.5)

@quiet
def slow_reader():
    with connect(2048) as sock:
        sock.sendall(get(b"/large"))
        time.sleep(0.8)  # the window is zero, and is probed
        read(sock, 0.5)
        sock.sendall(get(b"/after"))
        read(sock)

@quiet
def refused_upload():
    with connect() as sock:
        sock.sendall(get(b"/413", b"Content-Length: 300000", method=b"POST"))
        for _ in range(30):
            sock.sendall(b"u" * 10_000)
            time.sleep(0.01)

@quiet
def left(end):
    sock = connect()
    sock.sendall(get(b"/large"))
    sock.recv(1000)
    end(sock)

@quiet
def slow_writer():
    with connect() as sock:
        drip(sock, get(b"/slow"), 3)
        read(sock)

listener = socket.create_server(("127.0.0.1", PORT))
def accept():
    while True:
        threading.Thread(target=quiet(serve), args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()

for path in [*ANSWERS, b"/until", b"/cut", b"/whole", b"/408", b"/drip"]:
    if path not in (b"/large", b"/head"):
        ask(get(path), get(b"/behind" + path))
ask(get(b"/head", method=b"HEAD"), get(b"/behind"))
half_close()
slow_reader()
refused_upload()
left(reset)
left(socket.socket.close)  # with data that was not read: a reset, too
slow_writer()
ask(get(b"*", method=b"OPTIONS"), b"\r\n" + get(b"/" + b"p" * 6000), get(b"/cookie", b"Cookie: " + b"c" * 6000))
ask("GET /ü?q=ä HTTP/1.1\r\nHost: x\r\n\r\n".encode())
os._exit(0)
