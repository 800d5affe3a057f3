"""Alembic's environment: one connection, a transaction per migration."""

from alembic import context
from models import Base, engine

with engine().connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()
