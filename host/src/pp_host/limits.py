"""What bounds a plugin, a frame, a file or a wait, in one place, unit in the name.

Laws: how much a stranger may send, use or delay is decided here; where a number has a precedent or a
measurement, it stands beside it. What only shapes one module's own work (the size of a read, rows per batch,
lines kept for an error) stays in that module. A limit is not configuration: what an operator may tune is in
pp.toml (the room config), what a plugin may ask for is in its manifest.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    requests_in_flight: int = 64  # a plugin that needs more is flooding
    requests_per_second: int = 2000  # of one plugin, twice that at once; above it answers wait
    frame_seconds: float = 5.0  # first byte to last byte of one frame (slow-loris)
    send_buffer_bytes: int = 4 * MIB  # a peer that never reads is ended when this much waits for it
    handshake_seconds: float = 20.0  # exec to hello; 1.5 s measured for the largest SDK, times ten
    load_seconds: float = 30.0  # importing the plugin's own module, cold disk
    cancel_grace_seconds: float = 0.5  # between cancel and kill
    stop_seconds: float = 3.0  # between stop and kill
    call_outer_seconds: float = 120.0  # a call's end even while the plugin's own clock stands still
    log_bytes_per_minute: int = 256 * KIB  # some thousand lines: more is nothing that a person reads
    log_line_bytes: int = 512  # what a line costs in the record besides its own text
    log_lines_per_call: int = 4000  # of a hook; more end the plugin. A flood is ten times that a second
    refusals_per_call: int = 16  # of a hook; more end the plugin. Each is an entry of the record


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What a plugin process may use when its manifest and grant say nothing narrower."""

    memory_mb: int = 256
    memory_mb_max: int = 2048  # the most a manifest may ask for
    cpu_seconds_per_call: float = 1.0
    wall_seconds_per_call: float = 5.0
    wall_seconds_max: float = 60.0  # a cycle's default length; the most a manifest may ask for
    cpu_seconds_lifetime: int = 86_400  # RLIMIT_CPU is a backstop only; the host samples per call
    open_files: int = 64  # OpenSSH's children get 1; CPython's import needs a handful
    processes: int = 64  # RLIMIT_NPROC; seccomp forbids fork anyway
    file_size_mb: int = 1  # RLIMIT_FSIZE, unless tmp_mb grants more
    stack_mb: int = 8  # Linux's own default
    stdout_bytes_per_minute: int = 256 * KIB  # above it a plugin is flooding and is ended
    stdout_lines_per_second: int = 200  # more than a person reads; the rest is counted, not shown
    watch_seconds: float = 0.25  # between two samples of memory and CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    control_message_bytes: int = 64 * KIB  # a plan with hundreds of packages
    last_words_bytes: int = 4 * KIB  # of a zygote's stderr, quoted when it fails
    root_bytes: int = 64 * KIB  # the plugin's root holds names and mount points only
    root_files: int = 1024  # a mount point each
    zygote_children: int = 256  # siblings share the layout of their memory; then a new zygote
    tmp_files: int = 1024  # inodes cost kernel memory that tmp_mb does not count
    program_bytes: int = 256 * MIB  # a foreign program or library, read to find what it needs
    program_segments: int = 1024  # of one ELF file, and its dynamic tags; usual ones have a dozen and thirty
    program_path_bytes: int = 4096  # PATH_MAX
    program_libraries: int = 512  # of one program, each a mount; a desktop's largest need some two hundred
    script_bytes: int = 8 * MIB  # a file for `pp sandbox run`
    stream_bytes: int = 256 * MIB  # a file for `pp sandbox peer`, held in memory twice
    guest_seconds: float = 10.0  # of a script, a program or a stream, unless the operator says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionLimits:
    restarts: int = 3  # OTP's one_for_one habit
    restart_window_seconds: float = 60.0  # one restart more within it is quarantine
    backoff_first_seconds: float = 0.5
    backoff_most_seconds: float = 60.0
    output_queue: int = 1000  # events one output may lag behind before the oldest are dropped
    output_gather_seconds: float = (
        0.05  # a delivery waits so long for company: a call costs five times what an event does
    )
    output_batch_seconds: float = 0.1  # an output begins no further event of a delivery afterwards
    output_room_seconds: float = (
        10.0  # a tape waits so long, and again for each half queue: 50 events a second
    )
    drain_seconds: float = 5.0  # when a run has ended or is stopped, for outputs to be told the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLimits:
    archive_bytes: int = 64 * MIB
    files: int = 4096
    name_bytes: int = 255  # NAME_MAX of Linux file systems
    name_levels: int = 16
    sidecar_bytes: int = MIB
    manifest_bytes: int = 64 * KIB
    manifest_depth: int = 12  # ours needs 4
    manifest_key_chars: int = 64
    briefs: int = 16  # of one strategy: all of them are read by whoever installs it
    brief_chars_min: int = 10
    settings: int = 256  # keys of a plugin's config schema
    setting_chars: int = 4096  # one text value of a plugin's config
    setting_integer: int = 2**53  # RFC 8259: what every JSON reader holds exactly
    config_bytes: int = 256 * KIB  # pp.toml, trust file, grant file
    lock_seconds: float = 15.0  # for another installation, which may wait for a host's answer
    config_key_parts: int = (
        16  # tomllib's memory grows with a key's parts squared; 130,000 of them were fatal
    )
    key_bytes: int = 16 * KIB  # an OpenSSH key or passphrase file; an Ed25519 one has 500 bytes
    patterns: int = 64  # of one trusted key, 128 characters each: they have to fit one entry of the record
    key_rounds: int = 64  # bcrypt; ssh-keygen's default is 24; 0.6 s measured
    tmp_mb_max: int = 64  # the most a manifest may ask for
    orders_per_minute_max: int = 600  # the most a manifest may ask for: ten a second
    money_micros_max: int = 10**15  # a thousand million USD: a budget above it is a typing error


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLimits:
    entry_bytes: int = 65_535  # C2SP tlog-tiles: u16 length prefix in an entry bundle
    subject_levels: int = 16  # an entry must be readable whatever the reader's stack; ours need 3
    batch_entries: int = 512
    batch_seconds: float = 0.05  # a commit waits so long for company; one fsync for all of them
    queue_entries: int = 8192  # appended but not yet committed; then append waits
    copy_seconds: float = 1.0  # between two rewrites of the checkpoint's copy outside the database
    listed_markets: int = (
        32  # ids in one entry; 255 bytes each, six times that when they are all control characters
    )
    note_bytes: int = 128 * KIB  # C2SP: at least 16 cosignatures, up to 5 kB each with post-quantum keys


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLimits:
    submit_seconds: float = (
        10.0  # py-clob-client gives up after 5 s while the order stands; twice that, then doubt
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepLimits:
    """What a plugin may keep on the host's side; the wire's own bounds are in pp_sdk."""

    values_mb_max: int = 64  # the most a manifest may ask for; a dry run holds a copy of it in memory
    lines_mb_max: int = 4096  # the most a manifest may ask for
    files: int = 4096  # of one plugin: eleven years at one a day
    writes_per_call: int = 16  # of a hook; each is an entry, so the record grows with the calls and no faster
    read_bytes_per_second: int = 32 * MIB  # of one plugin, twice that at once; above it answers wait


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimits:
    file_bytes: int = 4 * KIB  # the latch: a reason of 500 characters, whatever their spelling
    frame_seconds: float = 5.0  # to send one request, or to take one answer
    answer_seconds: float = 10.0  # for a command to a running host
    kill_answer_seconds: float = 1.0  # then the host is ended
    exit_seconds: float = 5.0  # from SIGKILL to a process that is certainly gone
    lock_seconds: float = 2.0  # for a killed host's children to drop its lock
    stop_seconds: float = 20.0  # 13 for its end (last look, outputs, plugins), and sends in flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    wire: WireLimits = WireLimits()
    process: ProcessLimits = ProcessLimits()
    sandbox: SandboxLimits = SandboxLimits()
    supervision: SupervisionLimits = SupervisionLimits()
    package: PackageLimits = PackageLimits()
    record: RecordLimits = RecordLimits()
    keep: KeepLimits = KeepLimits()
    control: ControlLimits = ControlLimits()
    money: MoneyLimits = MoneyLimits()


LIMITS = Limits()
