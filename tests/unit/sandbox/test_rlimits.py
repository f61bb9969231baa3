import resource

from pp_host.sandbox import rlimits


def test_units(plan):
    bounds = rlimits.bounds(plan)
    assert bounds[resource.RLIMIT_AS] == plan.memory_mb * 1024 * 1024
    assert bounds[resource.RLIMIT_FSIZE] == plan.file_size_mb * 1024 * 1024
    assert bounds[resource.RLIMIT_NOFILE] == plan.open_files
    assert bounds[resource.RLIMIT_CPU] == plan.cpu_seconds_lifetime
    assert {
        bounds[kind] for kind in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE)
    } == {0}
