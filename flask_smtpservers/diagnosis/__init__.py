"""Why a server cannot be used, in plain words: the check of a server, the causes, and the rules that tell them apart.

Pure: no Flask, no database, and nothing is connected to but by the session that is passed in.
"""

from __future__ import annotations

from ..findings import Diagnosis, Step
from .context import Context
from .rules import diagnose

__all__ = ["Context", "Diagnosis", "Step", "diagnose"]
