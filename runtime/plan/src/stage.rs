//! Resolves drafts of stages.

use std::path::PathBuf;
use std::sync::Arc;

use weir_admission::{Isolation, Limits};
use weir_config::{CarryDraft, ErrorPolicy, Input, KeyPlace, LossPolicy, ParamDraft, StageDraft, WrittenText, clip};

use super::context::Context;
use super::limits;
use super::plan::Retry;
use super::retry;
use super::words;

/// A stage, as far as it could be resolved. `None` means an error that has been reported.
pub(super) struct StagePart {
    pub(super) place: KeyPlace,
    pub(super) name: Arc<str>,
    /// The module's path with the place of its key, as written, and resolved.
    pub(super) module: Option<(WrittenText, PathBuf)>,
    pub(super) function: Option<WrittenText>,
    pub(super) input: Input,
    /// The place of the parameters, or of the stage if it has no parameters.
    pub(super) params_place: KeyPlace,
    pub(super) params: Vec<ParamDraft>,
    pub(super) carry: CarryDraft,
    pub(super) carry_place: KeyPlace,
    pub(super) on_error: ErrorPolicy,
    pub(super) on_error_place: KeyPlace,
    pub(super) retry: Option<Retry>,
    pub(super) trapped_percent_max: u32,
    pub(super) isolation: Isolation,
    /// The place of `on_state_loss` (or of the stage), and its value.
    pub(super) on_state_loss_place: KeyPlace,
    pub(super) on_state_loss: Option<LossPolicy>,
    pub(super) verify_every_batches: u64,
    pub(super) limits: Limits,
}

/// Resolves a stage.
pub(super) fn resolve(draft: StageDraft, cx: &mut Context<'_>) -> StagePart {
    let StageDraft { place: here, keys, on_error, more, limits } = draft;
    let module = keys.module.given().and_then(|(place, text)| {
        let file = cx.paths.input(place, text)?;
        if !file.regular {
            let message = format!("`{}` is not a regular file", clip(text));
            cx.problems.error(place, message, "use the path of a module file");
            return None;
        }
        Some((WrittenText { place: place.clone(), text: text.clone() }, file.path))
    });
    let function = keys.function.given();
    let function = function.map(|(place, text)| WrittenText { place: place.clone(), text: text.clone() });
    StagePart {
        name: keys.name.value.as_deref().unwrap_or("").into(),
        module,
        function,
        input: keys.input,
        params_place: keys.params.place_or(&here).clone(),
        params: keys.params.value.unwrap_or_default(),
        carry_place: keys.carry.place_or(&here).clone(),
        carry: keys.carry.value.unwrap_or(CarryDraft::Fields(Vec::new())),
        retry: on_error.retry.as_ref().map(retry::resolve),
        on_error: on_error.policy,
        on_error_place: on_error.place.unwrap_or_else(|| here.clone()),
        // At most 100.
        trapped_percent_max: more.trapped_percent_max.value.and_then(|it| u32::try_from(it).ok()).unwrap_or(100),
        isolation: more.isolation.value.map_or(Isolation::Reuse, words::isolation),
        on_state_loss_place: more.on_state_loss.place_or(&here).clone(),
        on_state_loss: more.on_state_loss.value,
        verify_every_batches: more.verify_every_batches.value.unwrap_or_default(),
        limits: limits::of_stage(&limits, &cx.ceiling, cx.problems),
        place: here,
    }
}
