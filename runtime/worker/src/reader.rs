//! Reads query files for a supervisor that does not: one file after the other, each from its text to a draft.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use weir_frame::{DraftProblem, FromWorker, RequestId, ToWorker};
use weir_plan::{LimitsFile, QueryNeeds, QueryReading, TenantLimits};

use crate::problems::lines;
use crate::socket::{Receiver, Sender};
use crate::{WorkerError, claims};

/// A file whose needs were told, and which waits for what it is granted.
struct Waiting {
    request: RequestId,
    path: PathBuf,
    text: String,
    tenant: Option<String>,
}

pub(crate) fn serve(sender: &Sender, mut receiver: Receiver) -> Result<(), WorkerError> {
    let mut waiting: Option<Waiting> = None;
    while let Some((frame, _)) = receiver.receive()? {
        match frame {
            ToWorker::Read { request, file, text } => {
                let (answer, waits) = needs(request, file, text);
                waiting = waits;
                sender.send(&answer, &[])?;
            }
            ToWorker::Grant { request, limits, variables } => {
                let file = waiting.take().filter(|file| file.request == request);
                let file = file.ok_or(WorkerError::Unexpected { expected: "Read" })?;
                let limits = match limits.is_empty() {
                    true => None,
                    false => Some(claims::limits_from_bytes(&limits)?.limits),
                };
                sender.send(&draft(file, limits, variables)?, &[])?;
            }
            ToWorker::End { .. } => return Ok(()),
            // Frames of other roles.
            _ => {}
        }
    }
    Ok(())
}

fn needs(request: RequestId, file: String, text: Vec<u8>) -> (FromWorker, Option<Waiting>) {
    let refuse = |problems: Vec<DraftProblem>| (FromWorker::Draft { request, draft: None, problems }, None);
    let text = match String::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let text = format!("is not valid UTF-8 at byte {}: save it as UTF-8", error.utf8_error().valid_up_to());
            return refuse(vec![DraftProblem { line: 0, text }]);
        }
    };
    match QueryNeeds::of(&text) {
        Ok(QueryNeeds { tenant, variables, .. }) => {
            let waits = Waiting { request, path: file.into(), text, tenant: tenant.clone() };
            (FromWorker::Needs { request, tenant, variables }, Some(waits))
        }
        Err(problems) => refuse(lines(&problems)),
    }
}

fn draft(
    file: Waiting,
    limits: Option<TenantLimits>,
    variables: Vec<(String, Vec<u8>)>,
) -> Result<FromWorker, WorkerError> {
    let Waiting { request, path, text, tenant } = file;
    let id = tenant.as_deref().and_then(|tenant| tenant.parse().ok());
    let limits = match id.zip(limits) {
        Some((id, limits)) => LimitsFile::of_one(id, limits, None),
        None => LimitsFile::of_nobody(),
    };
    let variables: BTreeMap<String, OsString> =
        variables.into_iter().map(|(name, value)| (name, OsString::from_vec(value))).collect();
    Ok(match QueryReading::of(&text, Path::new(&path), &limits, &variables) {
        Ok(reading) => {
            FromWorker::Draft { request, draft: Some(claims::reading_to_bytes(&reading)?), problems: Vec::new() }
        }
        Err(problems) => FromWorker::Draft { request, draft: None, problems: lines(&problems) },
    })
}
