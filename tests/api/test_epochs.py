"""A ledger that has lost its newest events says so to those who remember them."""

from __future__ import annotations

import re
from pathlib import Path

from grpc import StatusCode
from typer.testing import CliRunner

from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf
from service.cli.app import app
from tests.support.ask import team
from tests.support.databases import ledger
from tests.support.serving import LoopThread
from tests.support.whole import whole_service


def test_tokens_of_the_epoch_before_are_refused_and_all_else_goes_on(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        old = me.ask(team("a")).token
        me.ask(team("c"))
        page = me.ask(scores.ListTeamsRequest(page_size=1)).next_page_token
    database = ledger(tmp_path)
    place = ("--database-url", database.url, "--database-schema", database.schema)
    told = CliRunner().invoke(app, ["log", "new-epoch", *place])
    assert re.fullmatch(r"epoch \d+ of ledger \S+ begins after 2 events\n", told.stdout)
    with whole_service(loop, tmp_path) as me:
        for request in (
            scores.GetTeamRequest(name="teams/a", at_least_as_fresh=old),
            scores.ListTeamsRequest(page_size=1, page_token=page),
            replay.WatchEventsRequest(resume_token=old),
            replay.WatchEventsRequest(after_position=0, at_least_as_fresh=old),
            replay.WatchScoresRequest(cycle="cycles/x", resume_token=old),
        ):
            refused = me.refused(request)
            said = (refused.code, refused.reason)
            assert said == (StatusCode.FAILED_PRECONDITION, "TOKEN_LOST"), request
        ahead = scores.ListTeamsRequest(as_of=AsOf(position=3))
        assert me.refused(ahead).reason == "POSITION_AHEAD"
        new = me.ask(team("b")).token
        for name in ("teams/a", "teams/b"):
            answer = me.ask(scores.GetTeamRequest(name=name, at_least_as_fresh=new))
            assert answer.team.name == name
