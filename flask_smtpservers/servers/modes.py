"""Which ways to send can be had: the operator's word for all, and the switch for one tenant."""

from __future__ import annotations

from ..config import Settings
from ..policy import Mode, ModeState


def mode_state(settings: Settings, mode: Mode, switch: bool | None) -> ModeState:
    """Tell whether a way to send can be used.

    :param switch: what is stored for the tenant: True, False, or None. What the operator hides stays hidden.
    """
    usual = settings.modes.get(mode, ModeState.OFF)
    if usual is ModeState.OFF or switch is None:
        return usual
    return ModeState.ON if switch else ModeState.ASK
