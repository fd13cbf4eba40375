"""How Alembic reaches the app's database; called by ``flask db``."""

from __future__ import annotations

from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db

if context.is_offline_mode():
    url = db.engine.url.render_as_string(hide_password=False)
    context.configure(url=url, target_metadata=db.metadata, literal_binds=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with db.engine.connect() as connection:
        # SQLite changes a table only by copying it: render_as_batch
        context.configure(connection=connection, target_metadata=db.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
