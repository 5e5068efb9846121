//! Code of modules: asked for by the worker, made by compile workers of the supervisor, run in the window.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use bincode::{Decode, Encode};
use weir_frame::{CHUNK_BYTES_MAX, FromWorker, RequestId};
use weir_sandbox::{
    Better, CodeOrigin, CodePlace, CodeSource, CompileCost, Limits, PlacedCode, Refusal, TenantId, Tier,
};

use crate::numbers::Numbers;
use crate::socket::Sender;
use crate::{WorkerError, form};

/// What a supervisor says about code that it put into a window: the bytes in [`Code`](weir_frame::ToWorker::Code).
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct CodeAbout {
    /// How much work went into it.
    pub tier: Tier,
    /// Whether it was kept from an earlier run.
    pub is_cached: bool,
    /// Wall-clock time that compiling took.
    pub time: Duration,
    /// CPU time of the compile worker.
    pub cpu: Option<Duration>,
    /// The most memory that the compile worker held.
    pub memory_bytes_peak: Option<u64>,
}

impl CodeAbout {
    /// About code that took this.
    pub fn new(tier: Tier, is_cached: bool, cost: CompileCost) -> CodeAbout {
        let CompileCost { time, cpu, memory_bytes_peak, .. } = cost;
        CodeAbout { tier, is_cached, time, cpu, memory_bytes_peak }
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// None in practice: it has a fixed size.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WorkerError> {
        form::encode("a description of code", self)
    }
}

/// The questions for code that wait for an answer.
#[derive(Clone)]
pub(crate) struct Questions {
    sender: Sender,
    asked: Arc<Mutex<HashMap<RequestId, Asked>>>,
    numbers: Numbers,
}

struct Asked {
    first: Option<mpsc::Sender<Result<PlacedCode, Refusal>>>,
    better: Option<Better>,
}

impl Questions {
    pub(crate) fn new(sender: Sender, numbers: Numbers) -> Questions {
        Questions { sender, asked: Arc::default(), numbers }
    }

    /// Takes the supervisor's answer: code in the window.
    pub(crate) fn code(
        &self,
        request: RequestId,
        place: CodePlace,
        more: bool,
        about: &[u8],
    ) -> Result<(), WorkerError> {
        let about: CodeAbout = form::decode("a description of code", about)?;
        let mut code = PlacedCode::new(place, about.tier);
        code.origin = if about.is_cached { CodeOrigin::Cache } else { CodeOrigin::Compiler };
        code.cost.time = about.time;
        (code.cost.cpu, code.cost.memory_bytes_peak) = (about.cpu, about.memory_bytes_peak);
        code.better_follows = more;
        self.answer(request, Ok(code), more);
        Ok(())
    }

    /// Takes the supervisor's other answer.
    pub(crate) fn refused(&self, request: RequestId, code: &str, text: String) {
        self.answer(request, Err(Refusal::served(code, text)), false);
    }

    fn answer(&self, request: RequestId, answer: Result<PlacedCode, Refusal>, more: bool) {
        let mut asked = self.asked();
        let Some(mut question) = asked.remove(&request) else { return };
        match question.first.take() {
            Some(first) => {
                // Whoever asked waits for it.
                first.send(answer).ok();
                if more {
                    asked.insert(request, question);
                }
            }
            None => {
                drop(asked);
                // It may compile nothing, but loads code: not on the thread that receives.
                if let Some(better) = question.better.take() {
                    std::thread::Builder::new().name("weir-better".to_owned()).spawn(move || better(answer)).ok();
                }
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<RequestId, Asked>> {
        // Every change is an insertion or removal.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, request: RequestId, tenant: &TenantId, module: &[u8]) -> Result<(), Refusal> {
        let gone = |error: weir_frame::FrameError| Refusal::Worker(error.to_string());
        let module_bytes = u32::try_from(module.len()).map_err(|_| Refusal::Worker("module of 4 GiB".to_owned()))?;
        let mut offset = 0;
        for chunk in module.chunks(CHUNK_BYTES_MAX) {
            let (tenant, chunk_bytes) = (tenant.to_string(), chunk.to_vec());
            let piece = FromWorker::Compile { request, tenant, module_bytes, offset, chunk: chunk_bytes };
            self.sender.send(&piece, &[]).map_err(gone)?;
            offset = offset.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        }
        Ok(())
    }
}

impl CodeSource for Questions {
    fn place(&self, tenant: &TenantId, module: &[u8], _limits: &Limits, better: Better) -> Result<PlacedCode, Refusal> {
        let (send, first) = mpsc::channel();
        self.numbers.next(|request| {
            self.asked().insert(request, Asked { first: Some(send), better: Some(better) });
            self.send(request, tenant, module).inspect_err(|_| drop(self.asked().remove(&request)))
        })?;
        first.recv().unwrap_or_else(|_| Err(Refusal::Worker("the supervisor has gone".to_owned())))
    }
}
