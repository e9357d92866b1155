"""Users who log in and create, read, change and delete orders in forms. Prints how many requests were answered."""

import http.client
import json
import re
import sys
import threading
import urllib.parse

host, port, users, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
answered = [0] * users
faults = []


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]*)"', page).group(1)


def user(place):
    connection = http.client.HTTPConnection(host, port, timeout=60)
    cookies = {}

    def ask(method, path, form=None, wanted=200, content=None, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urllib.parse.urlencode(form)
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        page = response.read().decode()
        answered[place] += 1
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            cookies[name] = value
            if "Max-Age=0" in cookie:
                del cookies[name]
        if response.status != wanted:
            raise RuntimeError(f"{method} {path}: {response.status} {page[:300]!r}")
        return response.headers, page

    def post(path, page, wanted=302, expect=None, **form):
        fields = {"X_Expect": expect} if expect else {}
        form["csrfmiddlewaretoken"] = hidden(page, "csrfmiddlewaretoken")
        return ask("POST", path, form, wanted, **fields)

    _, page = ask("GET", "/accounts/login/")
    post("/accounts/login/", page, username=f"user{place}", password=f"secret-{place}")
    for turn in range(rounds):
        name = f"order-of-{place}-{turn}"
        _, page = ask("GET", f"/orders/?page={turn % 9}")
        fields, _ = post("/orders/", page, name=name, total=100 + turn)
        path = fields["Location"]
        _, page = ask("GET", path, X_Expect=name)
        revision = hidden(page, "revision")
        post(f"{path}edit/", page, expect=name, revision=revision, total=200 + turn)
        post(f"{path}edit/", page, 409, name, revision=revision, total=1)
        _, page = ask("GET", path, X_Expect=name)
        ask(
            "POST",
            f"/api{path}raise",
            content=json.dumps({"by": turn}),
            Content_Type="application/json",
            X_CSRFToken=cookies["csrftoken"],
            X_Expect=name,
        )
        if turn % 3 == 0:
            post("/orders/delete/", page, expect=name, order=path.split("/")[2])
    _, page = ask("GET", "/orders/")
    post("/accounts/logout/", page)


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
