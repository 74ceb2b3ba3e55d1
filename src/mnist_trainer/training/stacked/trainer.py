"""The training loop of a stack: all members in lock step, each to its own end."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing

from mnist_trainer.runs.result import Result
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.stacked.member import Member
from mnist_trainer.training.stacked.step import StackedStep
from mnist_trainer.training.tracking.terminal import Terminal

Recorded = Callable[[Member], AbstractContextManager[None]]
"""A context that records whatever is raised in it as the end of a member, and goes on after it."""


class StackedTrainer:
    """Trains members that differ in nothing but what a stack allows, as ``Trainer`` does each.

    A member that fails, diverges or stops early leaves, and the others go on.
    """

    def __init__(
        self,
        members: list[Member],
        stop: Interruption,
        terminal: Terminal,
        recorded: Recorded,
        on_end: Callable[[Member], None],
    ) -> None:
        """Args:
        members: prepared, at the same step.
        stop: what the members look at; it changes between their steps only.
        recorded: around everything that may fail for one member alone.
        on_end: called as soon as a member has ended, with or without a result.
        """
        self.members = members
        self.stop = stop
        self.terminal = terminal
        self.recorded = recorded
        self.on_end = on_end
        self.interruption = Interruption()
        self.step: StackedStep | None = None
        """None where the members were not stacked yet, or are others now."""

    def run(self) -> int | None:
        """Train all members to their ends.

        Returns:
            The signal that asked to stop, None where there was none.
        """
        with self.interruption, closing(self.terminal):
            try:
                self._each(Member.start)
                self._each(Member.test_if_done)
                while self.members:
                    self._train_epoch()
                    self._each(Member.finish_epoch)
            finally:
                for member in self.members:  # None, but after a second Ctrl+C.
                    member.close()
        return self.interruption.requested

    def _each(self, act: Callable[[Member], Result | None]) -> None:
        """Let each member do something in a process that is its own for that time."""
        self.stop.requested = self.interruption.requested
        for member in list(self.members):
            has_ended = True
            with self.recorded(member), member.active():
                has_ended = act(member) is not None
            if has_ended:
                self._leave(member)

    def _train_epoch(self) -> None:
        """Make one pass over the training images, or what the members have left of one."""
        for member in self.members:
            member.start_epoch()
        if not self.members:
            return
        first = self.members[0].trainer
        num_steps = first.data.steps_per_epoch
        self.terminal.epoch_started(first.progress.epoch + 1, first.settings.epochs, num_steps)
        while self.members and self.members[0].trainer.progress.batch < num_steps:
            self._train_step()

    def _train_step(self) -> None:
        self.stop.requested = self.interruption.requested
        members = list(self.members)
        try:
            self.step = self.step or StackedStep(members)
            batches = [next(member.batches) for member in members]
            self.step(batches)
        except (MemoryError, RuntimeError) as error:  # Of memory, as a rule: the fault of all.
            for member in members:
                self._fail(member, error)
                self._leave(member)
            return
        for member, (images, labels) in zip(members, batches, strict=True):
            has_ended = True
            with self.recorded(member):
                member.take_step(images, labels)
                has_ended = False
            if has_ended:
                self._leave(member)
        self.terminal.on_step(sum(len(labels) for _, labels in batches))

    def _fail(self, member: Member, error: BaseException) -> None:
        with self.recorded(member), member.explained():
            raise error

    def _leave(self, member: Member) -> None:
        """Go on without a member that has a result, or has failed."""
        member.close()
        self.members.remove(member)
        self.step = None
        self.on_end(member)
