"""Random histories of folders, with an executor that carries out what is planned."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from gateway.models.planner import Phase, Plan, SwapRules, VersionView, make_plan, wanted_versions
from gateway.models.version_policy import VersionPolicy

VERSIONS = st.integers(1, 6)
MOST_ROUNDS = 100


@dataclass
class World:
    """One version as the executor knows it."""

    content: int = 0
    """On disk; 0 is no folder, negative is broken."""
    complete: bool = True
    phase: Phase = Phase.ABSENT
    loading: int = 0
    loaded: int = 0
    failed: int = 0
    rejected: int = 0
    held: bool = False

    def view(self) -> VersionView:
        return VersionView(
            self.phase,
            on_disk=self.content != 0,
            ready_to_load=self.content not in (0, self.failed) and self.complete,
            stale=self.content != 0 and self.loaded not in (0, self.content),
            failed=self.content != 0 and self.failed == self.content,
            rejected=self.content != 0 and self.rejected == self.content,
            held=self.held,
        )

    def end_load(self) -> None:
        if self.loading < 0:
            self.failed = self.loading
            self.phase = Phase.AVAILABLE if self.loaded else Phase.ABSENT
        else:
            self.loaded, self.phase = self.loading, Phase.AVAILABLE
        self.loading = 0

    def end_unload(self) -> None:
        self.loaded, self.phase = 0, Phase.ABSENT


class Histories(RuleBasedStateMachine):
    """Plans are carried out at once; loads and unloads end when the history says so."""

    def __init__(self) -> None:
        super().__init__()
        self.worlds: dict[int, World] = {}
        self.contents = 0
        self.rules = SwapRules(VersionPolicy())

    @initialize(
        kind=st.sampled_from(["latest", "latest", "latest", "all", "specific"]),
        count=st.integers(1, 2),
        specific=st.frozensets(VERSIONS, min_size=1),
        resource_preserving=st.booleans(),
        always_present=st.booleans(),
        beside=st.sampled_from([frozenset(), frozenset({3})]),
    )
    def configure(self, kind, count, specific, **more) -> None:  # type: ignore[no-untyped-def]
        self.rules = SwapRules(VersionPolicy(kind, count, specific), **more)

    def views(self) -> dict[int, VersionView]:
        return {
            v: world.view()
            for v, world in self.worlds.items()
            if world.content or world.phase.in_memory
        }

    def serving(self) -> set[int]:
        return {v for v, w in self.worlds.items() if w.phase.serves and v not in self.rules.beside}

    def in_memory(self) -> set[int]:
        return {v for v, world in self.worlds.items() if world.phase.in_memory}

    @rule(version=VERSIONS, good=st.booleans(), complete=st.booleans())
    def write(self, version: int, good: bool, complete: bool) -> None:
        self.contents += 1
        world = self.worlds.setdefault(version, World())
        world.content = self.contents if good else -self.contents
        world.complete = complete
        self.act()

    @rule(version=VERSIONS)
    def delete(self, version: int) -> None:
        self.worlds.setdefault(version, World()).content = 0
        self.act()

    @rule(version=VERSIONS)
    def complete(self, version: int) -> None:
        self.worlds.setdefault(version, World()).complete = True
        self.act()

    @rule(version=VERSIONS)
    def retry(self, version: int) -> None:
        """The version's failure is forgotten: its backoff is over."""
        self.worlds.setdefault(version, World()).failed = 0
        self.act()

    @rule(version=VERSIONS, held=st.booleans())
    def hold(self, version: int, held: bool) -> None:
        world = self.worlds.setdefault(version, World())
        world.held = held and world.phase.serves
        self.act()

    @precondition(lambda self: len(self.serving()) > 1)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        world = self.worlds[data.draw(st.sampled_from(sorted(self.serving())))]
        world.rejected = world.content
        self.act()

    @precondition(lambda self: any(w.loading for w in self.worlds.values()))
    @rule(data=st.data())
    def end_of_a_load(self, data: st.DataObject) -> None:
        loading = sorted(v for v, world in self.worlds.items() if world.loading)
        self.worlds[data.draw(st.sampled_from(loading))].end_load()
        self.act()

    @precondition(lambda self: any(w.phase is Phase.UNLOADING for w in self.worlds.values()))
    @rule(data=st.data())
    def end_of_an_unload(self, data: st.DataObject) -> None:
        leaving = sorted(v for v, w in self.worlds.items() if w.phase is Phase.UNLOADING)
        self.worlds[data.draw(st.sampled_from(leaving))].end_unload()
        self.act()

    def act(self) -> bool:
        """Carry out the next plan; whether there was anything to do."""
        plan = make_plan(self.views(), self.rules)
        self.check(plan)
        for version in plan.unload:
            self.worlds[version].phase = Phase.UNLOADING
        for version in plan.load:
            world = self.worlds[version]
            world.phase = Phase.RELOADING if world.loaded else Phase.LOADING
            world.loading = world.content
        return bool(plan.load or plan.unload)

    def check(self, plan: Plan) -> None:
        views = self.views()
        assert len({*plan.load, *plan.unload}) == len(plan.load) + len(plan.unload)
        for version in plan.load:
            view = views[version]
            assert view.on_disk
            assert view.ready_to_load
            assert not view.rejected
            assert view.phase is Phase.ABSENT or (view.phase is Phase.AVAILABLE and view.stale)
        for version in plan.unload:
            assert views[version].phase is Phase.AVAILABLE
            assert not views[version].held or self.rules.resource_preserving
        self.check_availability(plan)
        self.check_memory(plan)

    def check_availability(self, plan: Plan) -> None:
        may_empty = not self.rules.always_present and not wanted_versions(self.views(), self.rules)
        if self.serving() and not self.rules.resource_preserving and not may_empty:
            assert self.serving() - set(plan.unload), "something keeps serving"

    def check_memory(self, plan: Plan) -> None:
        """If it is short, a load begins when nothing else is there but what a label holds."""
        rules = self.rules
        single = rules.policy.kind == "latest" and rules.policy.count == 1 and not rules.beside
        if rules.resource_preserving and single and plan.load:
            assert len(plan.load) == 1
            assert not [v for v in self.in_memory() if not self.worlds[v].held]

    def teardown(self) -> None:
        """Once nothing changes any more, what is wanted serves, as it is on disk."""
        served = bool(self.serving())
        for world in self.worlds.values():
            world.complete, world.held = True, False
        for _ in range(MOST_ROUNDS):
            busy = self.act()
            for world in self.worlds.values():
                if world.loading:
                    world.end_load()
                elif world.phase is Phase.UNLOADING:
                    world.end_unload()
                else:
                    continue
                busy = True
            if not busy:
                break
        else:
            raise AssertionError("the plans never come to an end")
        self.check_the_end(served)

    def check_the_end(self, served: bool) -> None:
        wanted = wanted_versions(self.views(), self.rules)
        good = {v for v in wanted if self.worlds[v].content > 0}
        for version in good:
            assert self.worlds[version].phase is Phase.AVAILABLE
            assert self.worlds[version].loaded == self.worlds[version].content
        if good - self.rules.beside:
            assert self.in_memory() <= wanted, "what is not wanted is gone"
        elif served and wanted and not self.rules.resource_preserving:
            assert self.serving(), "what is broken never takes the last good one's place"
        if not wanted and not self.rules.always_present:
            assert not self.in_memory()


Histories.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
test_histories = Histories.TestCase
