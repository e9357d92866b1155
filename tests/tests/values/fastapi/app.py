"""A shop whose identifiers depend on what was created before, in its own database.

START: where its orders begin to count. FAULT: answers for some orders are wrong, as in a regression.
Clients say in X-Expect which order they mean, by a name of their own: what does not fit is counted as foreign.
"""

import os
import secrets
import sqlite3
import threading
import uuid

from fastapi import Body, FastAPI, Header, HTTPException, Response

START = int(os.environ.get("START", "0"))
FAULT = os.environ.get("FAULT") == "1"

app = FastAPI()
lock = threading.Lock()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.executescript(
    """
    CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT, name TEXT, total INTEGER, tag TEXT);
    CREATE TABLE notes (id TEXT PRIMARY KEY, order_id INTEGER, text TEXT);
    """
)
database.execute("INSERT INTO sqlite_sequence VALUES ('orders', ?)", (START,))
tokens = {}
counts = {"foreign": 0, "refused": 0, "planted": 0}


def user_of(authorization):
    user = tokens.get((authorization or "").removeprefix("Bearer "))
    if user is None:
        counts["refused"] += 1
        raise HTTPException(401, "who are you?")
    return user


def found(number, expected):
    row = database.execute("SELECT id, user, name, total, tag FROM orders WHERE id = ?", (number,)).fetchone()
    if row is None or (expected and row[2] != expected):
        counts["foreign"] += 1
    if row is None:
        raise HTTPException(404, "no such order")
    return row


def shown(row, response):
    number, _, name, total, tag = row
    response.headers["ETag"] = tag
    if FAULT and name.endswith("7"):
        counts["planted"] += 1
        number += 1
    if FAULT and name.endswith("3"):
        counts["planted"] += 1
        total += 1
    return {"id": number, "name": name, "total": total, "page": total % 9}


def new_tag():
    return f'"{secrets.token_hex(8)}"'


@app.post("/login")
def login(response: Response, user: str = Body(embed=True)):
    with lock:
        token = secrets.token_hex(16)
        tokens[token] = user
        return {"access_token": token, "token_type": "bearer"}


@app.post("/orders", status_code=201)
def create(
    response: Response,
    name: str = Body(),
    total: int = Body(),
    authorization: str | None = Header(None),
):
    with lock:
        user = user_of(authorization)
        made = database.execute(
            "INSERT INTO orders (user, name, total, tag) VALUES (?, ?, ?, ?)", (user, name, total, new_tag())
        )
        response.headers["Location"] = f"/orders/{made.lastrowid}"
        row = found(made.lastrowid, name)
        response.headers["ETag"] = row[4]
        return {"id": row[0], "name": name, "total": total, "page": total % 9}


@app.get("/orders")
def orders(page: int = 1, authorization: str | None = Header(None)):
    with lock:
        user = user_of(authorization)
        rows = database.execute("SELECT id, name FROM orders WHERE user = ? ORDER BY id DESC LIMIT 5", (user,))
        return {"items": [{"id": number, "name": name} for number, name in rows], "page": page}


@app.get("/orders/{number}")
def order(
    number: int,
    response: Response,
    authorization: str | None = Header(None),
    x_expect: str | None = Header(None),
):
    with lock:
        user_of(authorization)
        return shown(found(number, x_expect), response)


@app.put("/orders/{number}")
def update(
    number: int,
    response: Response,
    total: int = Body(embed=True),
    authorization: str | None = Header(None),
    if_match: str | None = Header(None),
    x_expect: str | None = Header(None),
):
    with lock:
        user_of(authorization)
        row = found(number, x_expect)
        if if_match is None:
            raise HTTPException(428, "say which one")
        if if_match != row[4]:
            raise HTTPException(412, "it was changed")
        database.execute("UPDATE orders SET total = ?, tag = ? WHERE id = ?", (total, new_tag(), number))
        row = found(number, x_expect)
        response.headers["ETag"] = row[4]
        return {"id": row[0], "name": row[2], "total": total, "page": total % 9}


@app.delete("/orders/{number}", status_code=204)
def delete(number: int, authorization: str | None = Header(None), x_expect: str | None = Header(None)):
    with lock:
        user_of(authorization)
        found(number, x_expect)
        database.execute("DELETE FROM orders WHERE id = ?", (number,))


@app.post("/notes", status_code=201)
def note(
    response: Response,
    order_id: int = Body(),
    text: str = Body(),
    authorization: str | None = Header(None),
    x_expect: str | None = Header(None),
):
    with lock:
        user_of(authorization)
        found(order_id, x_expect)
        made = str(uuid.uuid4())
        database.execute("INSERT INTO notes VALUES (?, ?, ?)", (made, order_id, text))
        response.headers["Location"] = f"/notes/{made}"
        return {"id": made, "order_id": order_id, "text": text}


@app.get("/notes/{number}")
def read_note(number: str, authorization: str | None = Header(None)):
    with lock:
        user_of(authorization)
        row = database.execute("SELECT id, order_id, text FROM notes WHERE id = ?", (number,)).fetchone()
        if row is None:
            counts["foreign"] += 1
            raise HTTPException(404, "no such note")
        return dict(zip(("id", "order_id", "text"), row))


@app.get("/truth")
def truth():
    return counts
