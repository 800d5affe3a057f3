"""SQLAlchemy's models and engine."""

import os

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Customer(Base):
    __tablename__ = "customers"
    id = sa.Column(sa.BigInteger, primary_key=True)
    name = sa.Column(sa.Text, nullable=False)
    email = sa.Column(sa.Text, nullable=False, unique=True)
    tags = sa.Column(postgresql.ARRAY(sa.Text), nullable=False, default=list)
    profile = sa.Column(postgresql.JSONB, nullable=False, default=dict)
    level = sa.Column(sa.Enum("plain", "gold", name="level"), nullable=False, default="plain")
    orders = relationship("Order", back_populates="customer", order_by="Order.id")


class Order(Base):
    __tablename__ = "orders"
    id = sa.Column(sa.BigInteger, primary_key=True)
    customer_id = sa.Column(sa.ForeignKey("customers.id", ondelete="CASCADE"), nullable=False)
    total = sa.Column(sa.Numeric(10, 2), nullable=False)
    note = sa.Column(sa.Text)
    customer = relationship(Customer, back_populates="orders")


def engine(**options):
    # Host, port, login and TLS come from libpq's environment.
    return sa.create_engine("postgresql+psycopg2://", **options)


assert os.environ["PGSSLMODE"] == "verify-full"
