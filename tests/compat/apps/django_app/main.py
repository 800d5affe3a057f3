"""Django's phases: main.py first|seed|latest|traffic|back|empty"""

import os
import sys
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, transaction  # noqa: E402
from django.db.models import Count, F, Sum  # noqa: E402
from shop.models import Customer, Order  # noqa: E402

WHEN = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)


def seed():
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO shop_customer (tenant_id, first, last, email, joined)"
            " VALUES ('acme', %s, %s, %s, %s)",
            [(f"Given{n}", f"Family{n}", f"c{n}@example.com", WHEN) for n in range(20)],
        )
    print("seeded")


def write():
    made = Customer.objects.create(
        name="Žofie Nová", email="z@example.com", joined=WHEN, tags=["a", "b c"], profile={"k": [1]}
    )
    Order.objects.bulk_create(
        Order(customer=made, total=Decimal(n) / 4, note=f"n{n}") for n in range(1000)
    )
    for customer in Customer.objects.filter(name__startswith="Given")[:5]:
        customer.orders.create(total=Decimal("99.99"))
    print("updated", Order.objects.filter(total__gt=200).update(total=F("total") + 1))
    print("deleted", Order.objects.filter(note="n1").delete())
    print("got", Customer.objects.get_or_create(email="z@example.com", defaults={"name": "x"})[1])


def transactions():
    try:
        with transaction.atomic():
            Customer.objects.create(name="lost", email="lost@example.com", joined=WHEN)
            raise ValueError("undo")
    except ValueError:
        print("undone", Customer.objects.filter(name="lost").count())
    with transaction.atomic():
        locked = Customer.objects.select_for_update().get(email="z@example.com")
        try:
            with transaction.atomic():
                Customer.objects.create(name="twice", email="z@example.com", joined=WHEN)
        except IntegrityError as error:
            print("refused", str(error).splitlines()[0])
        locked.profile["seen"] = True
        locked.save()


def read():
    print("sum", Order.objects.aggregate(Sum("total"), Count("id")))
    most = Customer.objects.annotate(n=Count("orders")).order_by("-n", "id").values("name", "n")
    print("most", list(most[:3]))
    print("json", list(Customer.objects.filter(profile__seen=True).values_list("name", "tags")))
    print("array", Customer.objects.filter(tags__contains=["a"]).count())
    joined = Order.objects.select_related("customer").order_by("-total", "id")[:2]
    print("joined", [(order.customer.name, order.total) for order in joined])
    # A cursor of the server, WITH HOLD outside a transaction.
    print("streamed", sum(order.total for order in Order.objects.iterator(chunk_size=100)))
    print("dates", Customer.objects.filter(joined__year=2024).count())


def traffic():
    write()
    transactions()
    read()


if __name__ == "__main__":
    PHASES = {
        "first": lambda: call_command("migrate", "shop", "0001", verbosity=1, no_color=True),
        "seed": seed,
        "latest": lambda: call_command("migrate", verbosity=1, no_color=True),
        "traffic": traffic,
        "back": lambda: call_command("migrate", "shop", "0001", verbosity=1, no_color=True),
        "empty": lambda: [
            call_command("migrate", app, "zero", verbosity=1, no_color=True)
            for app in ("shop", "auth", "contenttypes")
        ],
    }
    PHASES[sys.argv[1]]()
