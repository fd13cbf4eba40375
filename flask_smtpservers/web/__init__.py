"""The pages: one blueprint, thin views over the store, nothing that knows SMTP."""

from __future__ import annotations

from .blueprint import make_blueprint
from .menu import MenuEntry, smtpservers_menu

__all__ = ["MenuEntry", "make_blueprint", "smtpservers_menu"]
