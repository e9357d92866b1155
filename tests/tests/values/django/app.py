"""A site of Django with login, sessions, CSRF tokens and numbered orders, in its own database.

DATA: the folder of the database. START: where its orders begin to count. FAULT: pages of some orders are wrong.
Clients say in X-Expect which order they mean, by a name of their own: what does not fit is counted as foreign.
"""

import json
import os
import threading
import uuid

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import include, path

START = int(os.environ.get("START", "0"))
FAULT = os.environ.get("FAULT") == "1"

LAYOUT = """<!DOCTYPE html>
<html><head><title>{% block title %}Orders{% endblock %}</title>
<meta name="csrf-token" content="{{ csrf_token }}"></head>
<body>{% for message in messages %}<p class="message">{{ message }}</p>{% endfor %}
{% block main %}{% endblock %}
<form method="post" action="/accounts/logout/">{% csrf_token %}<button>Log out</button></form>
</body></html>"""
PAGES = {
    "layout.html": LAYOUT,
    "registration/login.html": """{% extends "layout.html" %}{% block main %}
<form method="post">{% csrf_token %}{{ form.as_p }}<button>Log in</button></form>{% endblock %}""",
    "orders.html": """{% extends "layout.html" %}{% block main %}<p>Page {{ page }} of {{ user.username }}</p>
<table>{% for order in orders %}<tr data-order-id="{{ order.pk }}"><td><a href="/orders/{{ order.pk }}/">
{{ order.name }}</a></td><td>{{ order.total }}</td></tr>{% endfor %}</table>
<form method="post" action="/orders/">{% csrf_token %}<input name="name"><input name="total"></form>{% endblock %}""",
    "order.html": """{% extends "layout.html" %}{% block title %}Order #{{ number }}{% endblock %}
{% block main %}<h1>Order #{{ number }}: {{ order.name }}</h1><p>Total <b>{{ total }}</b></p>
<form method="post" action="/orders/{{ number }}/edit/">{% csrf_token %}
<input type="hidden" name="revision" value="{{ order.revision }}"><input name="total" value="{{ total }}"></form>
<form method="post" action="/orders/delete/">{% csrf_token %}
<input type="hidden" name="order" value="{{ number }}"><button>Delete</button></form>
{% endblock %}""",
}

settings.configure(
    SECRET_KEY=f"of {START}",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(os.environ["DATA"], "site.db"),
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [("django.template.loaders.locmem.Loader", PAGES)],
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ],
            },
        }
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    LOGIN_REDIRECT_URL="/orders/",
    LOGOUT_REDIRECT_URL="/accounts/login/",
    CSRF_FAILURE_VIEW=f"{__name__}.refuse",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib import messages  # noqa: E402
from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import Http404, HttpResponse, HttpResponseForbidden, JsonResponse  # noqa: E402
from django.shortcuts import redirect, render  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

lock = threading.Lock()
counts = {"foreign": 0, "refused": 0, "planted": 0}


class Order(models.Model):
    owner = models.ForeignKey(User, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    total = models.IntegerField()
    revision = models.UUIDField(default=uuid.uuid4)

    class Meta:
        app_label = "shop"


def refuse(request, reason=""):
    counts["refused"] += 1
    return HttpResponseForbidden(f"<h1>Forbidden</h1><p>{reason}</p>")


def found(request, number):
    expected = request.headers.get("X-Expect")
    order = Order.objects.filter(pk=number).first()
    if order is None or expected and order.name != expected:
        counts["foreign"] += 1
    if order is None:
        raise Http404("no such order")
    return order


def signed_in(view):
    def checked(request, *args, **kwargs):
        with lock:
            if not request.user.is_authenticated:
                counts["refused"] += 1
            return login_required(view)(request, *args, **kwargs)

    return checked


@signed_in
def orders(request):
    if request.method == "POST":
        order = Order.objects.create(
            owner=request.user, name=request.POST["name"], total=int(request.POST["total"])
        )
        messages.info(request, f"Order #{order.pk} was created")
        return redirect(f"/orders/{order.pk}/")
    mine = Order.objects.filter(owner=request.user).order_by("-pk")[:5]
    return render(request, "orders.html", {"orders": mine, "page": request.GET.get("page", "1")})


@signed_in
def order(request, number):
    order = found(request, number)
    shown, total = order.pk, order.total
    if FAULT and order.name.endswith("7"):
        counts["planted"] += 1
        shown += 1
    if FAULT and order.name.endswith("3"):
        counts["planted"] += 1
        total += 1
    return render(request, "order.html", {"order": order, "number": shown, "total": total})


@signed_in
def edit(request, number):
    order = found(request, number)
    if request.POST["revision"] != str(order.revision):
        return HttpResponse("<h1>It was changed</h1>", status=409)
    order.total, order.revision = int(request.POST["total"]), uuid.uuid4()
    order.save()
    return redirect(f"/orders/{order.pk}/")


@signed_in
def delete(request):
    found(request, int(request.POST["order"])).delete()
    return redirect("/orders/")


@signed_in
def raise_total(request, number):
    order = found(request, number)
    order.total += json.loads(request.body)["by"]
    order.save()
    return JsonResponse({"id": order.pk, "total": order.total})


@csrf_exempt
def truth(request):
    return JsonResponse(counts)


urlpatterns = [
    path("accounts/", include("django.contrib.auth.urls")),
    path("orders/", orders),
    path("orders/delete/", delete),
    path("orders/<int:number>/", order),
    path("orders/<int:number>/edit/", edit),
    path("api/orders/<int:number>/raise", raise_total),
    path("truth", truth),
]

call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Order)
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO sqlite_sequence VALUES ('shop_order', %s)", [START])
for number in range(100):
    User.objects.create_user(f"user{number}", password=f"secret-{number}")

app = get_asgi_application()
