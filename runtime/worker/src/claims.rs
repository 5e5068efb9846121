//! Limits, claims and drafts as bytes.

use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};
use weir_plan::{Claims, QueryReading, TenantLimits};

use crate::{WorkerError, form};

/// What a tenant's query gets: the bytes in [`Grant`](weir_frame::ToWorker::Grant) and [`Run`](weir_frame::ToWorker::Run).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) tenant: String,
    pub(crate) limits: TenantLimits,
    /// The limits file, which no query may write to. Of any bytes.
    pub(crate) limits_file: Option<OsString>,
}

/// The bytes of a tenant's limits, which were read from this file: for [`Grant`](weir_frame::ToWorker::Grant) and
/// [`Run`](weir_frame::ToWorker::Run).
///
/// # Errors
///
/// [`WorkerError::Invalid`]: a folder's path is no UTF-8.
pub fn limits_to_bytes(
    tenant: &str,
    limits: &TenantLimits,
    limits_file: Option<&Path>,
) -> Result<Vec<u8>, WorkerError> {
    let absolute = limits_file.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let granted = Granted { tenant: tenant.to_owned(), limits: limits.clone(), limits_file: absolute.map(Into::into) };
    serde_json::to_vec(&granted)
        .map_err(|error| WorkerError::Invalid { what: "limits", reason: weir_text::brief(&error) })
}

pub(crate) fn limits_from_bytes(bytes: &[u8]) -> Result<Granted, WorkerError> {
    serde_json::from_slice(bytes)
        .map_err(|error| WorkerError::Invalid { what: "limits", reason: weir_text::brief(&error) })
}

pub(crate) fn reading_to_bytes(reading: &QueryReading) -> Result<Vec<u8>, WorkerError> {
    serde_json::to_vec(reading)
        .map_err(|error| WorkerError::Invalid { what: "a draft", reason: weir_text::brief(&error) })
}

/// A draft comes from a reader, which may have been taken over by the file that it read.
pub(crate) fn reading_from_bytes(bytes: &[u8]) -> Result<QueryReading, WorkerError> {
    serde_json::from_slice(bytes)
        .map_err(|error| WorkerError::Invalid { what: "a draft", reason: weir_text::brief(&error) })
}

pub(crate) fn claims_to_bytes(claims: Claims) -> Result<Vec<u8>, WorkerError> {
    form::encode("claims", claims)
}

/// The claims in [`Resolved`](weir_frame::FromWorker::Resolved). They come from a worker: compare them, and believe them only of their
/// own tenant.
///
/// # Errors
///
/// [`WorkerError::Invalid`].
pub fn claims_from_bytes(bytes: &[u8]) -> Result<Claims, WorkerError> {
    form::decode("claims", bytes)
}
