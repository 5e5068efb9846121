//! The standard error, behind a bounded queue: whoever says something never waits for its reader.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait. A line is taken while fewer do, whatever its own length: an account may be long.
const BYTES_MAX: usize = 1 << 20;

/// Bytes that may wait before what is drawn over itself is left out: the next drawing comes in a moment.
const DRAWN_BYTES_MAX: usize = 64 << 10;

/// Writes lines to the standard error, by a thread of its own. What does not fit into the queue is dropped and counted,
/// and that is said as soon as the reader goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandardError;

struct Shared {
    state: Mutex<StderrState>,
    more: Condvar,
    less: Condvar,
    json: AtomicBool,
}

#[derive(Default)]
struct StderrState {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    // Taken from `lines`, and not written to the end.
    writing: bool,
    // Writes so far, of whole lines or a part of one: whether somebody reads.
    writes: u64,
    dropped: u64,
    has_thread: bool,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| Shared {
    state: Mutex::default(),
    more: Condvar::new(),
    less: Condvar::new(),
    json: AtomicBool::new(false),
});

impl Shared {
    fn lock(&self) -> MutexGuard<'_, StderrState> {
        // Every change leaves the queue whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandardError {
    /// Whether lines are JSON.
    pub(crate) fn speaks_json(json: bool) {
        SHARED.json.store(json, Ordering::Relaxed);
    }

    /// Queues a line with its end.
    pub(crate) fn line(line: Vec<u8>) {
        let mut state = SHARED.lock();
        if state.bytes >= BYTES_MAX {
            state.dropped += 1;
            return;
        }
        if !state.has_thread {
            // Without a thread nothing is ever said; there is nobody to tell that.
            state.has_thread = std::thread::Builder::new().name("stderr".to_owned()).spawn(serve).is_ok();
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        SHARED.more.notify_one();
    }

    /// Queues what is drawn on a terminal, where its reader keeps up. What is left out is not counted: it was to be drawn over.
    pub(crate) fn draw(drawn: Vec<u8>) {
        let waiting = SHARED.lock().bytes;
        if waiting < DRAWN_BYTES_MAX {
            StandardError::line(drawn);
        }
    }

    /// Waits until everything is written, for as long as somebody reads: at most this long without any progress.
    pub(crate) fn drain(patience: Duration) {
        let mut state = SHARED.lock();
        let mut progress = (state.writes, Instant::now());
        while state.has_thread && (state.writing || !state.lines.is_empty() || state.dropped > 0) {
            if state.writes != progress.0 {
                progress = (state.writes, Instant::now());
            }
            let Some(left) = patience.checked_sub(progress.1.elapsed()) else { return };
            state = SHARED.less.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What a panic says goes the same way: the thread that panics must not wait for a reader either.
    pub(crate) fn take_panics() {
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed");
            let trace = std::backtrace::Backtrace::capture();
            let mut text = format!("thread `{name}` {panic}\n");
            if trace.status() == std::backtrace::BacktraceStatus::Captured {
                text.push_str(&format!("{trace}\n"));
            }
            StandardError::line(text.into_bytes());
        }));
    }
}

impl Write for StandardError {
    /// Takes all of it, as one line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        StandardError::line(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for StandardError {
    type Writer = StandardError;

    fn make_writer(&self) -> StandardError {
        StandardError
    }
}

/// Writes what is queued, without end. Waits for the reader, and for nobody else.
fn serve() {
    loop {
        let line = {
            let mut state = SHARED.lock();
            state.writing = false;
            loop {
                // What was queued before the first loss comes first.
                if let Some(line) = state.lines.pop_front() {
                    state.bytes -= line.len();
                    state.writing = true;
                    break line;
                }
                if state.dropped > 0 {
                    let dropped = std::mem::take(&mut state.dropped);
                    state.writing = true;
                    break of_loss(dropped);
                }
                SHARED.less.notify_all();
                state = SHARED.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        };
        write(&line);
    }
}

fn of_loss(dropped: u64) -> Vec<u8> {
    let message = format!("{dropped} lines were dropped because nobody read standard error");
    let line = match SHARED.json.load(Ordering::Relaxed) {
        true => serde_json::json!({ "warning": message, "dropped_lines": dropped }).to_string(),
        false => format!("warning: {message}"),
    };
    format!("{line}\n").into_bytes()
}

/// Writes a line. Where the standard error is closed or full for good, the line is lost, as nobody can be told.
fn write(mut line: &[u8]) {
    let mut stderr = io::stderr();
    while !line.is_empty() {
        match stderr.write(line) {
            Ok(0) => return,
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Whoever started this process may have made it so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let stderr = io::stderr();
                if poll(&mut [PollFd::new(&stderr.as_fd(), PollFlags::OUT)], None).is_err() {
                    return;
                }
                continue;
            }
            Err(_) => return,
        }
        SHARED.lock().writes += 1;
        SHARED.less.notify_all();
    }
}
