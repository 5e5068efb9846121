//! Reading `[[stages]]`.

use std::path::PathBuf;
use std::sync::Arc;

use weir_sandbox::{Isolation, Limits};

use super::limits::{self, Ceiling};
use super::names::{self, Names};
use super::paths::Paths;
use super::plan::{ErrorPolicy, LossPolicy, Retry};
use super::problem::{Place, Problems, clip};
use super::retry;
use super::table::{Item, Table};

/// A batch in so many costs a function that keeps nothing a thousandth.
const VERIFY_EVERY_BATCHES: u64 = 1_000;

/// The default of `trapped_percent_max`: a function that more than half of its records end is broken, and records are not.
const TRAPPED_PERCENT_MAX: u32 = 50;

/// A stage as far as it could be read. What is `None` was wrong, and has been reported.
pub(super) struct StageDraft<'a> {
    pub(super) place: Place,
    pub(super) name: Arc<str>,
    /// Place of the module's key, the path as written, and as resolved.
    pub(super) module: Option<(Place, &'a str, PathBuf)>,
    pub(super) function: Option<(Place, &'a str)>,
    pub(super) input: Input<'a>,
    /// Where the parameters stand; the stage itself where there are none.
    pub(super) params_place: Place,
    pub(super) params: Vec<(&'a str, Item<'a>)>,
    pub(super) carry: CarryDraft<'a>,
    pub(super) carry_place: Place,
    pub(super) on_error: ErrorPolicy,
    pub(super) on_error_place: Place,
    pub(super) retry: Option<Retry>,
    pub(super) trapped_percent_max: u32,
    pub(super) isolation: Isolation,
    /// Where `on_state_loss` stands, or the stage, and what it says.
    pub(super) on_state_loss_place: Place,
    pub(super) on_state_loss: Option<LossPolicy>,
    pub(super) verify_every_batches: u64,
    pub(super) limits: Limits,
}

/// What a stage or sink says it reads from.
pub(super) enum Input<'a> {
    /// Nothing: the one before.
    Default,
    /// These names.
    Named(Vec<(Place, &'a str)>),
    /// Something that is no list of names, and has been reported.
    Wrong,
}

/// Which input fields a stage says it carries along.
pub(super) enum CarryDraft<'a> {
    All,
    Fields(Vec<(Place, &'a str)>),
}

/// The names of the stages, for messages and for the resolution of inputs; of those without one, what stands for it.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    names: &mut Names,
    paths: &mut Paths<'_>,
    ceiling: &Ceiling<'_>,
    problems: &Problems,
) -> Vec<StageDraft<'a>> {
    let Some(item) = root.optional("stages") else { return Vec::new() };
    let tables = item.tables();
    tables.into_iter().map(|table| stage(table, names, paths, ceiling, problems)).collect()
}

fn stage<'a>(
    mut table: Table<'a>,
    names: &mut Names,
    paths: &mut Paths<'_>,
    ceiling: &Ceiling<'_>,
    problems: &Problems,
) -> StageDraft<'a> {
    let here = table.place.clone();
    let name = table.required("name", "give the stage a name, which sinks and later stages call it by");
    let name = name.and_then(|item| {
        let name = item.text()?;
        names::check(name, &item.place, problems);
        names.claim(name, "stage", &item.place, problems);
        Some(name)
    });

    let module = table.required("module", "name the module's file, for example `module = \"late.wasm\"`");
    let module = module.and_then(|item| {
        let written = item.text()?;
        let file = paths.input(&item.place, written, problems)?;
        if !file.regular {
            item.error(format!("`{}` is no regular file", clip(written)), "name a module's file");
            return None;
        }
        Some((item.place.clone(), written, file.path))
    });
    let function = table.required("function", "name a function of the module: `weir inspect` lists them");
    let function = function.and_then(|item| Some((item.place.clone(), item.text()?)));
    let input = input(&mut table);

    let params_item = table.optional("params");
    let params_place = params_item.as_ref().map_or_else(|| here.clone(), |item| item.place.clone());
    let params = params_item.and_then(|item| item.table()).map(|params| params.items()).unwrap_or_default();
    let carry_item = table.optional("carry");
    let carry_place = carry_item.as_ref().map_or_else(|| here.clone(), |item| item.place.clone());
    let carry = carry_item.as_ref().and_then(carry).unwrap_or(CarryDraft::Fields(Vec::new()));
    let on_error_item = table.optional("on_error");
    let on_error_place = on_error_item.as_ref().map_or_else(|| here.clone(), |item| item.place.clone());
    let (on_error, retry) = match on_error_item.and_then(|item| item.choice(&retry::STAGE_POLICIES)) {
        None => (ErrorPolicy::default(), retry::none(&mut table)),
        Some(Some(policy)) => (policy, retry::none(&mut table)),
        Some(None) => retry::of_stage(&mut table),
    };
    let trapped_percent_max = table.optional("trapped_percent_max").and_then(|item| item.integer(0..=100));
    let trapped_percent_max = trapped_percent_max.and_then(|percent| u32::try_from(percent).ok());
    let isolations = [("reuse", Isolation::Reuse), ("fresh", Isolation::FreshPerBatch)];
    let isolation = table.optional("isolation").and_then(|item| item.choice(&isolations));
    let losses = [("fail", LossPolicy::Fail), ("warn", LossPolicy::Warn)];
    let on_state_loss_item = table.optional("on_state_loss");
    let on_state_loss_place = on_state_loss_item.as_ref().map_or_else(|| here.clone(), |item| item.place.clone());
    let on_state_loss = on_state_loss_item.and_then(|item| item.choice(&losses));
    let verify = table.optional("verify_every_batches").and_then(|item| item.integer(0..=u64::from(u32::MAX)));
    let limits = table.section("limits", |table| limits::of_stage(table, ceiling));
    let limits = limits.unwrap_or_else(|| ceiling.limits.clone());
    table.finish("a stage");

    StageDraft {
        place: here,
        name: name.unwrap_or("").into(),
        module,
        function,
        input,
        params_place,
        params,
        carry,
        carry_place,
        on_error,
        on_error_place,
        retry,
        trapped_percent_max: trapped_percent_max.unwrap_or(TRAPPED_PERCENT_MAX),
        isolation: isolation.unwrap_or(Isolation::Reuse),
        on_state_loss_place,
        on_state_loss,
        verify_every_batches: verify.unwrap_or(VERIFY_EVERY_BATCHES),
        limits,
    }
}

/// Reads `input`: a name, or a list of them.
pub(super) fn input<'a>(table: &mut Table<'a>) -> Input<'a> {
    match table.optional("input").map(|item| item.texts()) {
        None => Input::Default,
        Some(Some(names)) => Input::Named(names),
        Some(None) => Input::Wrong,
    }
}

fn carry<'a>(item: &Item<'a>) -> Option<CarryDraft<'a>> {
    use toml::de::DeValue;
    match item.value() {
        DeValue::String(word) if word == "all" => Some(CarryDraft::All),
        DeValue::String(word) if word == "none" => None,
        DeValue::Array(array) if array.is_empty() => None,
        DeValue::Array(_) => item.texts().map(CarryDraft::Fields),
        DeValue::String(word) => {
            let help = format!("use \"all\", or a list of fields: [\"{}\"]", clip(word));
            item.error(format!("`{}` is not known here", clip(word)), help);
            None
        }
        _ => item.wrong_type("\"all\" or a list of fields"),
    }
}
