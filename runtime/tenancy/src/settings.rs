//! What a supervisor is set to.

use std::path::PathBuf;

/// Settings of a supervisor. Each default says what it is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TenancySettings {
    /// The folder of the registry: of the supervisor's own, reachable by no worker.
    pub registry: PathBuf,
    /// Time until a process has said hello: it starts in 2 ms, and waits for a core on a busy machine.
    pub hello_ms_max: u64,
    /// Time in which a process that holds work has to do some of it: longer than any call, commit or time-out of a broker.
    pub worker_stall_ms_max: u64,
    /// The first wait before a process that has crashed is started again. It doubles with each crash.
    pub restart_ms_first: u64,
    /// The longest wait.
    pub restart_ms_max: u64,
    /// Crashes in a row that end in quarantine, where the process did not run for `stable_ms` between them.
    pub crashes_max: u32,
    /// A process that ran this long begins a new count.
    pub stable_ms: u64,
    /// Bytes of frames that wait to be taken by whoever reads the events, a worker. Above it, its socket is not read.
    pub frames_in_bytes_max: usize,
    /// Bytes of frames that a worker may send in a second, with as much again at once. Above it, its socket is not read.
    pub frames_in_bytes_per_s: u64,
    /// Frames that a worker may send in a second, with as many again at once.
    pub frames_in_per_s: u64,
    /// Bytes of frames that wait to be read by a worker. More are refused.
    pub frames_out_bytes_max: usize,
    /// Bytes of log lines of a worker in a second, with four times as many at once. What exceeds it is dropped and counted.
    pub line_bytes_per_s: u64,
    /// The longest line. The rest of a longer one is left out.
    pub line_bytes_max: usize,
    /// Bytes that are read of a worker's standard output in a second. A worker that writes more waits for its own pipe.
    pub pipe_bytes_per_s: u64,
    /// Connections that a worker may ask for in a second, with as many again at once.
    pub connects_per_s: u64,
    /// How often threads, memory and CPU time of a busy worker are read. Of an idle one, eight times less often.
    pub sample_ms: u64,
    /// The size of stacks of threads that C libraries start in a worker, and of its first thread.
    pub stack_bytes_max: u64,
    /// Memory of the machine or the container that workers do not get.
    pub memory_bytes_reserved: u64,
    /// Whether workers are started whose limits of memory and threads do not fit together.
    pub overcommit: bool,
    /// The root of the hierarchy of cgroup v2, where one is delegated to the supervisor.
    pub cgroup_root: Option<PathBuf>,
    /// The largest weight that any tenant has. Without privileges it gets nice 0, and smaller weights get more.
    pub weight_max: u32,
}

impl TenancySettings {
    /// The defaults, with a folder for the registry.
    pub fn new(registry: impl Into<PathBuf>) -> TenancySettings {
        TenancySettings {
            registry: registry.into(),
            hello_ms_max: 10_000,
            worker_stall_ms_max: 60_000,
            restart_ms_first: 100,
            restart_ms_max: 30_000,
            crashes_max: 5,
            stable_ms: 60_000,
            frames_in_bytes_max: 8 << 20,
            frames_in_bytes_per_s: 32 << 20,
            frames_in_per_s: 2_000,
            frames_out_bytes_max: 64 << 20,
            line_bytes_per_s: 64 << 10,
            line_bytes_max: 4 << 10,
            pipe_bytes_per_s: 8 << 20,
            connects_per_s: 50,
            sample_ms: 1_000,
            stack_bytes_max: 2 << 20,
            memory_bytes_reserved: 256 << 20,
            overcommit: false,
            cgroup_root: None,
            weight_max: 100,
        }
    }
}
