"""The training loop of a stack: all members in lock step, each to its own end."""

from collections.abc import Callable
from contextlib import closing, suppress

from mnist_trainer.runs.result import Result
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.stacked.member import Member
from mnist_trainer.training.stacked.step import StackedStep
from mnist_trainer.training.tracking.terminal import Terminal

OnEnd = Callable[[Member, BaseException | None], None]
"""Called as soon as a member has ended, with its error where it has no result."""


class StackedTrainer:
    """Trains members that differ in nothing but what a stack allows, as ``Trainer`` does each.

    A member that fails, diverges or stops early leaves, and the others go on.
    """

    def __init__(
        self, members: list[Member], stop: Interruption, terminal: Terminal, on_end: OnEnd
    ) -> None:
        """Args:
        members: prepared, at the same step.
        stop: what the members look at; it changes between their steps only.
        """
        self.members = members
        self.stop = stop
        self.terminal = terminal
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
                    with suppress(Exception):
                        member.close(KeyboardInterrupt())
        return self.interruption.requested

    def _each(self, act: Callable[[Member], Result | None]) -> None:
        """Let each member do something in a process that is its own for that time."""
        self.stop.requested = self.interruption.requested
        for member in list(self.members):
            try:
                with member.active():
                    result = act(member)
            except (Exception, SystemExit) as error:
                self._end(member, error)
            else:
                if result is not None:
                    self._leave(member)
                    self.on_end(member, None)

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
        try:
            self.step = self.step or StackedStep(list(self.members))
            batches = [next(member.batches) for member in self.members]
            self.step(batches)
        except (Exception, SystemExit) as error:  # Of memory, say: it is the error of all.
            for member in list(self.members):
                self._end(member, member.explain(error))
            return
        for member, (images, labels) in zip(list(self.members), batches, strict=True):
            try:
                member.take_step(images, labels)
            except (Exception, SystemExit) as error:
                self._end(member, error)
        self.terminal.on_step(sum(len(labels) for _, labels in batches))

    def _end(self, member: Member, error: BaseException) -> None:
        """Let a member leave that has come to no result."""
        with suppress(Exception):
            member.close(error)
        self._leave(member)
        self.on_end(member, error)

    def _leave(self, member: Member) -> None:
        self.members.remove(member)
        self.step = None
