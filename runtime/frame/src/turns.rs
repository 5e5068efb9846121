//! Which frames of a worker may come now, as its supervisor keeps account.

use std::collections::{BTreeMap, BTreeSet};

use crate::{CHUNK_BYTES_MAX, FrameError, FromWorker, QueryId, RequestId, ToWorker, VERSION, WorkerRole};

/// The most questions of one worker that wait for an answer.
pub const QUESTIONS_MAX: usize = 64;

/// What was said on one socket so far, as far as it decides what may be said next.
#[derive(Debug)]
pub struct Turns {
    role: WorkerRole,
    has_greeted: bool,
    queries: BTreeMap<QueryId, Phase>,
    // Questions to a reader, and to a connector.
    reads: BTreeSet<RequestId>,
    reaches: BTreeSet<RequestId>,
    // Questions of the worker.
    questions: BTreeMap<RequestId, Question>,
    question_last: Option<RequestId>,
    module: Option<Piece>,
    work_done: u64,
}

/// Where a query is between its `Run` and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    // To be resolved.
    Asked,
    // Waits for `Go`.
    Resolved,
    // Makes itself ready.
    Going,
    Running,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Compile,
    Connect,
}

/// A module that comes in pieces.
#[derive(Clone, Copy, Debug)]
struct Piece {
    request: RequestId,
    module_bytes: u32,
    next: u32,
}

impl Turns {
    /// Of a socket on which nothing was said yet.
    pub fn new(role: WorkerRole) -> Turns {
        Turns {
            role,
            has_greeted: false,
            queries: BTreeMap::new(),
            reads: BTreeSet::new(),
            reaches: BTreeSet::new(),
            questions: BTreeMap::new(),
            question_last: None,
            module: None,
            work_done: 0,
        }
    }

    /// What the process is for.
    pub fn role(&self) -> WorkerRole {
        self.role
    }

    /// Whether the worker has said hello.
    pub fn has_greeted(&self) -> bool {
        self.has_greeted
    }

    /// The queries that the worker was given and has not ended, refused ones not among them.
    pub fn queries(&self) -> impl Iterator<Item = QueryId> + '_ {
        self.queries.keys().copied()
    }

    /// Whether the worker owes an answer to something that it was asked.
    pub fn owes_answer(&self) -> bool {
        let has_to_answer = |phase: &Phase| matches!(phase, Phase::Asked | Phase::Going);
        !self.has_greeted
            || !self.reads.is_empty()
            || !self.reaches.is_empty()
            || self.queries.values().any(has_to_answer)
    }

    /// Takes note of a frame to the worker.
    ///
    /// # Errors
    ///
    /// [`FrameError::OutOfTurn`]: the supervisor must not send it, for example a query of a number that the worker runs.
    pub fn sent(&mut self, frame: &ToWorker) -> Result<(), FrameError> {
        match frame {
            ToWorker::Reach { request, .. } => {
                if !self.reaches.insert(*request) {
                    return Err(out_of_turn("Reach", format!("{request} was asked before")));
                }
            }
            ToWorker::Read { request, .. } => {
                if !self.reads.insert(*request) {
                    return Err(out_of_turn("Read", format!("{request} was asked before")));
                }
            }
            ToWorker::Run { query, .. } => {
                if self.queries.contains_key(query) {
                    return Err(out_of_turn("Run", format!("{query} runs")));
                }
                self.queries.insert(*query, Phase::Asked);
            }
            ToWorker::Grant { request, .. } => {
                if !self.reads.contains(request) {
                    return Err(out_of_turn("Grant", format!("{request} was not asked, or was answered")));
                }
            }
            ToWorker::Go { query } => match self.queries.get_mut(query) {
                Some(phase @ Phase::Resolved) => *phase = Phase::Going,
                _ => return Err(out_of_turn("Go", format!("{query} is not resolved"))),
            },
            ToWorker::Code { request, more, .. } => {
                self.expect_question("Code", *request, Question::Compile)?;
                if !more {
                    self.questions.remove(request);
                }
            }
            ToWorker::CodeRefused { request, .. } => {
                self.expect_question("CodeRefused", *request, Question::Compile)?;
                self.questions.remove(request);
            }
            ToWorker::Connected { request } | ToWorker::ConnectRefused { request, .. } => {
                self.expect_question("Connected", *request, Question::Connect)?;
                self.questions.remove(request);
            }
            ToWorker::Welcome { .. }
            | ToWorker::Hand { .. }
            | ToWorker::Steer { .. }
            | ToWorker::Look { .. }
            | ToWorker::End { .. } => {}
        }
        Ok(())
    }

    /// Takes note of a frame of the worker.
    ///
    /// # Errors
    ///
    /// [`FrameError::OutOfTurn`]: it may not come now; [`FrameError::OtherVersion`]. Either ends the worker.
    pub fn received(&mut self, frame: &FromWorker) -> Result<(), FrameError> {
        if !self.has_greeted && !matches!(frame, FromWorker::Hello { .. }) {
            return Err(out_of_turn(name(frame), "before Hello".to_owned()));
        }
        let is_of_role = match frame {
            FromWorker::Hello { .. } | FromWorker::Log { .. } | FromWorker::Event { .. } | FromWorker::Work { .. } => {
                true
            }
            FromWorker::Needs { .. } | FromWorker::Draft { .. } => self.role == WorkerRole::Reader,
            FromWorker::Reached { .. } | FromWorker::NotReached { .. } => self.role == WorkerRole::Connector,
            _ => self.role == WorkerRole::Tenant,
        };
        if !is_of_role {
            return Err(out_of_turn(name(frame), format!("from a process for the role {}", self.role)));
        }
        match frame {
            FromWorker::Hello { version, role, .. } => {
                if self.has_greeted {
                    return Err(out_of_turn("Hello", "it came before".to_owned()));
                }
                if *version != VERSION {
                    return Err(FrameError::OtherVersion { expected: VERSION, found: *version });
                }
                if *role != self.role {
                    return Err(out_of_turn("Hello", format!("role {role}: expected {}", self.role)));
                }
                self.has_greeted = true;
            }
            FromWorker::Needs { request, .. } => {
                if !self.reads.contains(request) {
                    return Err(out_of_turn("Needs", format!("{request} was not asked, or was answered")));
                }
            }
            FromWorker::Draft { request, .. } => {
                if !self.reads.remove(request) {
                    return Err(out_of_turn("Draft", format!("{request} was not asked, or was answered")));
                }
            }
            FromWorker::Reached { request } | FromWorker::NotReached { request, .. } => {
                if !self.reaches.remove(request) {
                    return Err(out_of_turn(name(frame), format!("{request} was not asked, or was answered")));
                }
            }
            FromWorker::Compile { request, module_bytes, offset, chunk, .. } => {
                self.piece(*request, *module_bytes, *offset, chunk)?;
            }
            FromWorker::Connect { request, .. } => self.question("Connect", *request, Question::Connect)?,
            FromWorker::Resolved { query, .. } => match self.queries.get_mut(query) {
                Some(phase @ Phase::Asked) => *phase = Phase::Resolved,
                _ => return Err(out_of_turn("Resolved", format!("{query} was not asked for"))),
            },
            FromWorker::Started { query } => match self.queries.get_mut(query) {
                Some(phase @ Phase::Going) => *phase = Phase::Running,
                _ => return Err(out_of_turn("Started", format!("{query} was not asked for"))),
            },
            FromWorker::Refused { query, .. } => match self.queries.get(query) {
                Some(Phase::Asked | Phase::Going) => drop(self.queries.remove(query)),
                Some(Phase::Resolved | Phase::Running) | None => {
                    return Err(out_of_turn("Refused", format!("{query} was not asked for")));
                }
            },
            FromWorker::Progress { query, .. } => self.expect_running("Progress", *query)?,
            FromWorker::Telemetry { query, .. } => self.expect_running("Telemetry", *query)?,
            FromWorker::Ended { query, .. } => {
                self.expect_running("Ended", *query)?;
                self.queries.remove(query);
            }
            FromWorker::Event { query, .. } => {
                if let Some(query) = query
                    && !self.queries.contains_key(query)
                {
                    return Err(out_of_turn("Event", format!("{query} does not run")));
                }
            }
            FromWorker::Work { done, .. } => {
                if *done < self.work_done {
                    return Err(out_of_turn("Work", format!("{done} done after {}", self.work_done)));
                }
                self.work_done = *done;
            }
            FromWorker::Log { .. } => {}
        }
        Ok(())
    }

    /// A piece of a module: the pieces of one follow each other, whatever other frames come between them.
    fn piece(&mut self, request: RequestId, module_bytes: u32, offset: u32, chunk: &[u8]) -> Result<(), FrameError> {
        let piece = match self.module {
            Some(piece) if piece.request == request && piece.module_bytes == module_bytes => piece,
            Some(piece) => {
                return Err(out_of_turn("Compile", format!("{request} within the module of {}", piece.request)));
            }
            None => {
                self.question("Compile", request, Question::Compile)?;
                Piece { request, module_bytes, next: 0 }
            }
        };
        let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        let end = offset.checked_add(length).filter(|end| *end <= module_bytes);
        let is_right_size = chunk.len() <= CHUNK_BYTES_MAX && (!chunk.is_empty() || module_bytes == 0);
        match end {
            Some(end) if offset == piece.next && is_right_size => {
                self.module = (end < module_bytes).then_some(Piece { next: end, ..piece });
                Ok(())
            }
            _ => Err(out_of_turn(
                "Compile",
                format!("{} bytes at {offset} of {module_bytes}, where {} come next", chunk.len(), piece.next),
            )),
        }
    }

    /// Numbers of questions ascend, so that none that was answered has to be remembered.
    fn question(&mut self, kind: &'static str, request: RequestId, question: Question) -> Result<(), FrameError> {
        if self.question_last.is_some_and(|last| request <= last) {
            return Err(out_of_turn(kind, format!("{request} was asked before")));
        }
        if self.questions.len() >= QUESTIONS_MAX {
            return Err(out_of_turn(kind, format!("{QUESTIONS_MAX} questions wait for answers")));
        }
        self.question_last = Some(request);
        self.questions.insert(request, question);
        Ok(())
    }

    fn expect_question(&self, kind: &'static str, request: RequestId, question: Question) -> Result<(), FrameError> {
        match self.questions.get(&request) {
            Some(asked) if *asked == question => Ok(()),
            Some(_) | None => Err(out_of_turn(kind, format!("{request} was not asked, or was answered"))),
        }
    }

    fn expect_running(&self, kind: &'static str, query: QueryId) -> Result<(), FrameError> {
        match self.queries.get(&query) {
            Some(Phase::Running) => Ok(()),
            Some(_) | None => Err(out_of_turn(kind, format!("{query} does not run"))),
        }
    }
}

fn out_of_turn(kind: &'static str, reason: String) -> FrameError {
    FrameError::OutOfTurn { kind, reason }
}

fn name(frame: &FromWorker) -> &'static str {
    match frame {
        FromWorker::Hello { .. } => "Hello",
        FromWorker::Needs { .. } => "Needs",
        FromWorker::Draft { .. } => "Draft",
        FromWorker::Compile { .. } => "Compile",
        FromWorker::Connect { .. } => "Connect",
        FromWorker::Resolved { .. } => "Resolved",
        FromWorker::Started { .. } => "Started",
        FromWorker::Refused { .. } => "Refused",
        FromWorker::Progress { .. } => "Progress",
        FromWorker::Work { .. } => "Work",
        FromWorker::Log { .. } => "Log",
        FromWorker::Event { .. } => "Event",
        FromWorker::Ended { .. } => "Ended",
        FromWorker::Reached { .. } => "Reached",
        FromWorker::NotReached { .. } => "NotReached",
        FromWorker::Telemetry { .. } => "Telemetry",
    }
}
