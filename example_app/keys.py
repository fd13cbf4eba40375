"""The shop's secret keys, made at the first start and kept in the instance folder."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from flask_smtpservers.servers.keyring import generate_key


def load_or_make_keys(path: Path) -> dict[str, Any]:
    """Return the settings that must stay secret; a real app would take them from its environment."""
    if not path.exists():
        keys = {"SECRET_KEY": secrets.token_urlsafe(32), "SMTPSERVERS_ENCRYPTION_KEYS": [generate_key()]}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(keys, file, indent=2)
    return dict(json.loads(path.read_text()))
