from aiguard_dagster.orchestration.batches import content_mark
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import Tally


def counted(rows):
    tally = Tally(keys=("status",), sums=("rows",), groups={("OK",): (rows,)})
    part = Profile(rows=20, first=None, last=None, columns={}, tallies={"errors": tally})
    return BatchProfile(grid_id="", parts={"1": part})


def test_counts_told_as_floats_over_http_and_as_integers_by_a_database_are_the_same():
    assert content_mark(counted(20)) == content_mark(counted(20.0))
    assert content_mark(counted(20)) != content_mark(counted(21))
