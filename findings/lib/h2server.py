"""An HTTP/2 server without TLS on loopback, frame by frame. It acknowledges SETTINGS and PING and leaves the rest to a
function."""
import socket
import threading
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, IS_ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUS_200 = b"\x88"  # a header block: index 8 of the static table


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number = sock, number

    def send(self, kind, flags, stream, payload=b""):
        try:
            self.sock.sendall(frame(kind, flags, stream, payload))
        except OSError:
            pass  # the client has gone

    def answer(self, stream):
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, STATUS_200)

    def frames(self):
        """(kind, flags, stream, payload) of each frame after the preface."""
        data, start = b"", len(PREFACE)
        try:
            while piece := self.sock.recv(65536):
                data += piece
                if start and len(data) < start:
                    continue
                assert not start or data.startswith(PREFACE), data
                data, start = data[start:], 0
                while len(data) >= 9 and len(data) >= 9 + (size := int.from_bytes(data[:3], "big")):
                    yield data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF, data[9 : 9 + size]
                    data = data[9 + size :]
        except OSError:
            pass


class Server:
    """Calls on_frame(connection, kind, flags, stream, payload) for each frame. `settings` is the payload of the first
    SETTINGS, which comes `delay` seconds after the connection."""

    def __init__(self, on_frame, settings=b"", delay=0):
        self.on_frame, self.settings, self.delay, self.connections = on_frame, settings, delay, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(Connection(sock, self.connections),), daemon=True).start()

    def serve(self, connection):
        time.sleep(self.delay)
        connection.send(SETTINGS, 0, 0, self.settings)
        for kind, flags, stream, payload in connection.frames():
            if kind in (SETTINGS, PING) and not flags & IS_ACK:
                connection.send(kind, IS_ACK, 0, payload if kind == PING else b"")
            self.on_frame(connection, kind, flags, stream, payload)
            if kind == GOAWAY:
                break
        connection.sock.close()
