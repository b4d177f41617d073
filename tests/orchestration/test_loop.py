from tests.orchestration.project import *


def test_tmp(project):
    import time, cProfile, pstats
    project.live(1)
    for n in range(2, 5):
        t=time.time(); project.materialise(n); a=time.time()-t
        t=time.time(); project.daemon.tick(DELTAS); b=time.time()-t
        t=time.time(); project.daemon.tick(STOP_RULES); c=time.time()-t
        print(a,b,c)
    p=cProfile.Profile(); p.enable(); project.live(5,6,7); p.disable()
    pstats.Stats(p).sort_stats("cumtime").print_stats(70)
    pstats.Stats(p).sort_stats("tottime").print_stats(25)
    assert 0
