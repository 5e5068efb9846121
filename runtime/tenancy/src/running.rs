//! The running process of a worker: its socket, its output, its account.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use weir_frame::{
    FrameError, Framed, Frames, FromWorker, ToWorker, Turns, WorkerRole, encode, receive_plain, receive_with, send_part,
};

use crate::budget::Budget;
use crate::disk::DiskClock;
use crate::lines::Lines;
use crate::process::{PidFd, Stat};
use crate::rate::Allowance;
use crate::spawn::Spawned;
use crate::work::WorkClock;
use crate::{EndCause, LastWords, TenancyError, TenancySettings};

/// What is waited on, by the last two bits of an event's number.
pub(crate) const SOCKET: u64 = 0;
pub(crate) const OUTPUT: u64 = 1;
pub(crate) const PROCESS: u64 = 2;

/// A descriptor in the supervisor's epoll set. One that is not waited on is not in it: its end would be reported all the time.
#[derive(Debug)]
struct Watch {
    data: u64,
    flags: Option<epoll::EventFlags>,
}

impl Watch {
    fn set(&mut self, set: &OwnedFd, descriptor: impl AsFd, flags: Option<epoll::EventFlags>) {
        let data = epoll::EventData::new_u64(self.data);
        let changed = match (self.flags, flags) {
            (None, None) => Ok(()),
            (None, Some(flags)) => epoll::add(set, descriptor, data, flags),
            (Some(_), None) => epoll::delete(set, descriptor),
            (Some(before), Some(flags)) if before == flags => Ok(()),
            (Some(_), Some(flags)) => epoll::modify(set, descriptor, data, flags),
        };
        match changed {
            Ok(()) => self.flags = flags,
            Err(error) => tracing::error!("a descriptor of a worker is not waited on: {error}"),
        }
    }
}

/// A process, from its start to its end.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) pid: u32,
    pub(crate) pid_fd: PidFd,
    pub(crate) started: Instant,
    pub(crate) turns: Turns,
    pub(crate) work: WorkClock,
    pub(crate) lines: Lines,
    pub(crate) words: LastWords,
    pub(crate) budget: Arc<Budget>,
    /// Why the supervisor has killed it.
    pub(crate) cause: Option<EndCause>,
    /// When it is killed, and why: it has to say hello, or to end.
    pub(crate) deadline: Option<(Instant, EndCause)>,
    pub(crate) stat: Stat,
    pub(crate) disk: DiskClock,
    pub(crate) sample_at: Instant,
    pub(crate) sample_every: Duration,
    socket: UnixStream,
    socket_watch: Watch,
    is_socket_open: bool,
    frames: Frames<FromWorker>,
    /// Sockets that a connector has sent.
    pub(crate) descriptors: VecDeque<OwnedFd>,
    takes_descriptors: bool,
    /// Since when a frame has begun and not ended, where its socket is read.
    pub(crate) partial_since: Option<Instant>,
    /// What is wrong with a frame that the end of the socket cut off.
    pub(crate) cut_off: Option<String>,
    frame_bytes: Allowance,
    frame_count: Allowance,
    /// Until when nothing is read of the socket, and of the output.
    pub(crate) quiet_until: Option<Instant>,
    pub(crate) is_out_of_room: bool,
    out: VecDeque<(Vec<u8>, usize, Vec<OwnedFd>)>,
    out_bytes: usize,
    /// Since when the process has read nothing of what was sent.
    pub(crate) unread_since: Option<Instant>,
    output: PipeReader,
    output_watch: Watch,
    is_output_open: bool,
    output_bytes: Allowance,
    pub(crate) output_quiet_until: Option<Instant>,
}

/// What came of reading a socket.
pub(crate) enum SocketRead {
    /// Nothing more for now.
    Waiting,
    /// It is closed.
    Closed,
    /// What came is no frame.
    Broken(FrameError),
}

impl Process {
    pub(crate) fn new(
        spawned: Spawned,
        turns: Turns,
        number: u64,
        budget: Arc<Budget>,
        settings: &TenancySettings,
        now: Instant,
    ) -> Process {
        let Spawned { child, pid_fd, socket, output } = spawned;
        let role = turns.role();
        let takes_descriptors = role == WorkerRole::Connector;
        let rate = |per_s| Allowance::new(per_s, per_s, now);
        let watch = |kind| Watch { data: number << 2 | kind, flags: None };
        Process {
            pid: child.id(),
            child,
            pid_fd,
            started: now,
            turns,
            work: WorkClock::new(),
            lines: Lines::new(settings.line_bytes_max, settings.line_bytes_per_s, now),
            words: LastWords::default(),
            budget,
            cause: None,
            deadline: now.checked_add(Duration::from_millis(settings.hello_ms_max)).map(|at| (at, EndCause::Silent)),
            stat: Stat::default(),
            disk: DiskClock::default(),
            sample_at: now,
            sample_every: Duration::from_millis(settings.sample_ms.max(1)),
            socket,
            socket_watch: watch(SOCKET),
            is_socket_open: true,
            frames: Frames::of(role),
            descriptors: VecDeque::new(),
            takes_descriptors,
            partial_since: None,
            cut_off: None,
            frame_bytes: rate(settings.frames_in_bytes_per_s),
            frame_count: rate(settings.frames_in_per_s),
            quiet_until: None,
            is_out_of_room: false,
            out: VecDeque::new(),
            out_bytes: 0,
            unread_since: None,
            output,
            output_watch: watch(OUTPUT),
            is_output_open: true,
            output_bytes: rate(settings.pipe_bytes_per_s),
            output_quiet_until: None,
        }
    }

    /// Puts what has to be waited on now into the set.
    pub(crate) fn watch(&mut self, set: &OwnedFd) {
        let mut flags = epoll::EventFlags::empty();
        if self.quiet_until.is_none() && !self.is_out_of_room {
            flags |= epoll::EventFlags::IN;
        }
        if !self.out.is_empty() {
            flags |= epoll::EventFlags::OUT;
        }
        let is_wanted = self.is_socket_open && self.cause.is_none() && !flags.is_empty();
        self.socket_watch.set(set, &self.socket, is_wanted.then_some(flags));
        let is_wanted = self.is_output_open && self.output_quiet_until.is_none();
        self.output_watch.set(set, &self.output, is_wanted.then_some(epoll::EventFlags::IN));
    }

    /// Waits for the end of the process.
    pub(crate) fn watch_end(&self, set: &OwnedFd, number: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number << 2 | PROCESS);
        Ok(epoll::add(set, self.pid_fd.descriptor(), data, epoll::EventFlags::IN)?)
    }

    /// Takes everything out of the set. A descriptor that is closed leaves it by itself only where no copy of it is open.
    pub(crate) fn unwatch(&mut self, set: &OwnedFd) {
        self.socket_watch.set(set, &self.socket, None);
        self.output_watch.set(set, &self.output, None);
        epoll::delete(set, self.pid_fd.descriptor()).ok();
    }

    pub(crate) fn out_bytes(&self) -> usize {
        self.out_bytes
    }

    /// Queues a frame, with the descriptors that go with it.
    pub(crate) fn send(
        &mut self,
        worker: weir_frame::WorkerId,
        frame: &ToWorker,
        descriptors: Vec<OwnedFd>,
        bytes_max: usize,
        now: Instant,
    ) -> Result<(), TenancyError> {
        let of_worker = |source| TenancyError::Frame { worker, source };
        let bytes = encode(frame).map_err(of_worker)?;
        let queued = self.out_bytes.saturating_add(bytes.len());
        if queued > bytes_max {
            return Err(TenancyError::Backlog { worker, bytes: queued, bytes_max });
        }
        self.turns.sent(frame).map_err(of_worker)?;
        self.work.settle(&self.turns, now);
        self.out_bytes = queued;
        self.unread_since.get_or_insert(now);
        self.out.push_back((bytes, 0, descriptors));
        Ok(())
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self, now: Instant) {
        while let Some((bytes, sent, descriptors)) = self.out.front_mut() {
            let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            match send_part(&self.socket, bytes.get(*sent..).unwrap_or_default(), &borrowed) {
                Ok(taken) => {
                    self.unread_since = Some(now);
                    // The worker's own: a lock is held as long as a copy of its descriptor is open.
                    descriptors.clear();
                    *sent = sent.saturating_add(taken);
                    self.out_bytes = self.out_bytes.saturating_sub(taken);
                    if *sent >= bytes.len() {
                        self.out.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It has closed its end; reading says so as well.
                Err(_) => {
                    self.out.clear();
                    self.out_bytes = 0;
                }
            }
        }
        self.unread_since = None;
    }

    /// Reads frames, at most `pieces` times as much as fits into the buffer.
    pub(crate) fn read_frames(
        &mut self,
        buffer: &mut [u8],
        pieces: usize,
        is_last: bool,
        now: Instant,
        mut take: impl FnMut(&mut Process, FromWorker, usize),
    ) -> SocketRead {
        for _ in 0..pieces {
            if !self.is_socket_open || self.cause.is_some() {
                return SocketRead::Waiting;
            }
            self.is_out_of_room = !is_last && !self.budget.has_room();
            if self.is_out_of_room || self.quiet_until.is_some() {
                self.partial_since = None;
                return SocketRead::Waiting;
            }
            let received = match self.takes_descriptors {
                true => receive_with(&self.socket, buffer, &mut self.descriptors),
                false => receive_plain(&self.socket, buffer),
            };
            let read = match received {
                Ok(0) => return self.socket_end(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return SocketRead::Waiting,
                Err(_) => return self.socket_end(),
            };
            self.frames.extend(buffer.get(..read).unwrap_or_default());
            let mut count = 0;
            loop {
                let before = self.frames.pending_bytes();
                match self.frames.next_frame() {
                    Ok(Some(frame)) => {
                        count += 1;
                        let bytes = before.saturating_sub(self.frames.pending_bytes());
                        if let Err(error) = self.turns.received(&frame) {
                            return SocketRead::Broken(error);
                        }
                        let (expected, found) = (frame.descriptors(), self.descriptors.len());
                        if found < expected {
                            return SocketRead::Broken(FrameError::Descriptors { kind: "Reached", expected, found });
                        }
                        take(self, frame, bytes);
                        self.work.settle(&self.turns, now);
                    }
                    Ok(None) => break,
                    Err(error) => return SocketRead::Broken(error),
                }
            }
            if self.frames.pending_bytes() == 0 && !self.descriptors.is_empty() {
                let found = self.descriptors.len();
                return SocketRead::Broken(FrameError::Descriptors { kind: "without any", expected: 0, found });
            }
            self.partial_since = match self.frames.pending_bytes() {
                0 => None,
                _ if count > 0 => Some(now),
                _ => self.partial_since.or(Some(now)),
            };
            let debts = [self.frame_bytes.charge(read, now), self.frame_count.charge(count, now)];
            if let Some(debt) = debts.into_iter().flatten().max()
                && !is_last
            {
                self.quiet_until = now.checked_add(debt);
            }
        }
        SocketRead::Waiting
    }

    fn socket_end(&mut self) -> SocketRead {
        self.is_socket_open = false;
        self.partial_since = None;
        match self.frames.end() {
            Ok(()) => SocketRead::Closed,
            Err(error) => SocketRead::Broken(error),
        }
    }

    /// Reads what the process wrote, at most `pieces` times as much as fits into the buffer, and hands out lines.
    pub(crate) fn read_output(&mut self, buffer: &mut [u8], pieces: usize, now: Instant, mut line: impl FnMut(&str)) {
        for _ in 0..pieces {
            if !self.is_output_open {
                return;
            }
            match self.output.read(buffer) {
                Ok(0) => self.is_output_open = false,
                Ok(read) => {
                    let piece = buffer.get(..read).unwrap_or_default();
                    self.words.add(piece);
                    self.lines.add(piece, now, &mut line);
                    if let Some(debt) = self.output_bytes.charge(read, now) {
                        self.output_quiet_until = now.checked_add(debt);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.is_output_open = false,
            }
        }
    }
}
