"""Alembic's and SQLAlchemy's phases: main.py first|seed|latest|traffic|back|empty"""

import sys
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from models import Base, Customer, Order, engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

FOLDER = Path(__file__).resolve().parent


def migrate(action, target):
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    action(config, target)
    with engine(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("VACUUM alembic_version"))
    with engine().connect() as connection:
        print("at", connection.execute(sa.text("SELECT * FROM alembic_version")).all())
        print("tables", sorted(sa.inspect(connection).get_table_names()))


def seed():
    sql = "INSERT INTO customers (first, last, email) VALUES (:first, :last, :email)"
    rows = [
        {"first": f"Given{n}", "last": f"Family{n}", "email": f"c{n}@example.com"}
        for n in range(20)
    ]
    with engine().begin() as connection:
        connection.execute(sa.text(sql), rows)
    print("seeded")


def write(session):
    made = Customer(name="Žofie", email="z@example.com", tags=["a", "b c"], profile={"k": [1]})
    made.orders = [Order(total=Decimal(n) / 4, note=f"n{n}") for n in range(1000)]
    session.add(made)
    session.flush()
    print("made", made.name, len(made.orders), made.orders[7].total)
    session.commit()
    raised = sa.update(Order).where(Order.total > 200).values(total=Order.total + 1)
    print("updated", session.execute(raised).rowcount)
    print("deleted", session.execute(sa.delete(Order).where(Order.note == "n1")).rowcount)
    values = {"name": "other", "email": "z@example.com", "level": "gold"}
    upsert = insert(Customer).values(values).on_conflict_do_update(
        index_elements=["email"], set_={"level": "gold"}
    )
    print("upsert", session.execute(upsert.returning(Customer.name, Customer.level)).all())
    session.commit()


def transactions(session):
    session.add(Customer(name="lost", email="lost@example.com"))
    session.flush()
    session.rollback()
    print("undone", session.query(Customer).filter_by(name="lost").count())
    locked = session.query(Customer).filter_by(email="z@example.com").with_for_update().one()
    try:
        with session.begin_nested():
            session.add(Customer(name="twice", email="z@example.com"))
    except IntegrityError as error:
        print("refused", str(error.orig).splitlines()[0])
    locked.profile = {**locked.profile, "seen": True}
    session.commit()


def read(session):
    print("sum", session.execute(sa.select(sa.func.sum(Order.total), sa.func.count())).all())
    loaded = session.query(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)
    print("loaded", [(each.name, len(each.orders)) for each in loaded][-2:])
    seen = Customer.profile["seen"].astext == "true"
    print("json", session.query(Customer.name).filter(seen).all())
    print("array", session.query(Customer).filter(Customer.tags.contains(["a"])).count())
    streamed = session.execute(
        sa.select(Order.total).order_by(Order.id).execution_options(yield_per=100)
    )
    print("streamed", sum(total for (total,) in streamed))


def traffic():
    with Session(engine(pool_size=2, pool_pre_ping=True)) as session:
        write(session)
        transactions(session)
        read(session)
    mirror = sa.MetaData()
    mirror.reflect(engine())
    for table in mirror.sorted_tables:
        kinds = [f"{column.name} {column.type}" for column in table.columns]
        print("reflected", table.name, sorted(kinds))
    print("known", sorted(Base.metadata.tables))


if __name__ == "__main__":
    PHASES = {
        "first": lambda: migrate(command.upgrade, "a1"),
        "seed": seed,
        "latest": lambda: migrate(command.upgrade, "head"),
        "traffic": traffic,
        "back": lambda: migrate(command.downgrade, "a1"),
        "empty": lambda: migrate(command.downgrade, "base"),
    }
    PHASES[sys.argv[1]]()
