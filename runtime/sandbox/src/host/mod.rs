//! The host functions of the ABI.

mod doubles;
mod emit;
mod meter;
mod read;
mod record;
mod speak;

use wasmtime::Linker;

use crate::state::StoreData;

/// Ends a guest; the guest's state has the reason.
#[derive(Debug, thiserror::Error)]
#[error("the guest was ended")]
pub(crate) struct Ended;

/// A linker with the functions of the ABI and nothing else.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<StoreData>> {
    let mut linker = Linker::new(engine);
    read::add(&mut linker)?;
    emit::add(&mut linker)?;
    record::add(&mut linker)?;
    speak::add(&mut linker)?;
    Ok(linker)
}
