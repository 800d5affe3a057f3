"""What every capability of the demo has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from stage import Stage


class Capability(ABC):
    """`show` plays it through Postern; `assert_from_other_side` proves it past Postern.

    Both raise (CapabilityError where the promise is not kept); the runner makes FAILED of it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    step: ClassVar[str]
    """Second word of the application_name of its clients."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.say = stage.narrator

    @abstractmethod
    def show(self) -> None: ...

    @abstractmethod
    def assert_from_other_side(self) -> None: ...
