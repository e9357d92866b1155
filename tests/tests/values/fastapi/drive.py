"""Users who create, read, change and delete orders at the same time. Prints how many requests were answered."""

import http.client
import json
import sys
import threading

host, port, users, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
answered = [0] * users
faults = []


def user(place):
    connection = http.client.HTTPConnection(host, port, timeout=60)
    token = None

    def ask(method, path, body=None, wanted=200, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        answered[place] += 1
        if response.status != wanted:
            raise RuntimeError(f"{method} {path}: {response.status} {content!r}")
        return response.headers, json.loads(content) if content else None

    token = ask("POST", "/login", {"user": f"user{place}"})[1]["access_token"]
    for turn in range(rounds):
        name = f"order-of-{place}-{turn}"
        fields, made = ask("POST", "/orders", {"name": name, "total": 100 + turn}, wanted=201)
        path = fields["Location"]
        fields, _ = ask("GET", path, X_Expect=name)
        ask("PUT", path, {"total": 200 + turn}, If_Match=fields["ETag"], X_Expect=name)
        ask("GET", f"{path}?page={turn % 9}", X_Expect=name)
        ask("PUT", path, {"total": 1}, wanted=412, If_Match=fields["ETag"], X_Expect=name)
        fields, note = ask("POST", "/notes", {"order_id": made["id"], "text": name}, wanted=201, X_Expect=name)
        ask("GET", fields["Location"])
        ask("GET", f"/orders?page={turn % 9}")
        if turn % 3 == 0:
            ask("DELETE", path, wanted=204, X_Expect=name)


def guarded(place):
    try:
        user(place)
    except Exception as error:
        faults.append(f"user {place}: {error!r}")


threads = [threading.Thread(target=guarded, args=(place,)) for place in range(users)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if faults:
    sys.exit("\n".join(faults))
print(sum(answered))
