//! Binds functions to the schemas of their inputs.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_admission::{BindError, Bound, Carry, Function, FunctionKind, Limits, ModuleManifest, ParamValue, Refusal};
use weir_batch::Schema;

use super::stage::StagePart;
use weir_config::{CarryDraft, ParamText, Problems, WrittenText, clip, suggest};
use weir_files::Folders;

/// A stage's function, as far as it could be resolved. `None` means an error that has been reported.
pub(super) struct BoundStage {
    pub(super) module: Arc<[u8]>,
    pub(super) function: Arc<Function>,
    pub(super) bound: Option<Bound>,
    /// The schema of the stage's output.
    pub(super) output: Option<Arc<Schema>>,
    /// Whether the purpose of the stage is its metrics, not its output.
    pub(super) observes: bool,
}

/// The modules of a query, each read once.
pub(super) struct Modules<'a> {
    folders: &'a Folders,
    read: Vec<ReadModule>,
}

/// A module that was checked with these limits, or the reason for its refusal.
struct ReadModule {
    path: PathBuf,
    limits: Limits,
    module: Result<Module, String>,
}

#[derive(Clone)]
struct Module {
    bytes: Arc<[u8]>,
    manifest: Arc<ModuleManifest>,
}

impl<'a> Modules<'a> {
    /// For files in these folders.
    pub(super) fn new(folders: &'a Folders) -> Modules<'a> {
        Modules { folders, read: Vec::new() }
    }

    /// A module's bytes and manifest, or the reason for its refusal. Admission depends on the limits.
    fn get(&mut self, path: &Path, limits: &Limits) -> Result<Module, String> {
        let known = self.read.iter().find(|read| read.path == path && read.limits == *limits);
        if let Some(read) = known {
            return read.module.clone();
        }
        let module = read_module(path, limits, self.folders);
        self.read.push(ReadModule { path: path.to_owned(), limits: limits.clone(), module: module.clone() });
        module
    }
}

fn read_module(path: &Path, limits: &Limits, folders: &Folders) -> Result<Module, String> {
    let file = folders.open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let refused = |refusal: Refusal| format!("is refused ({}): {refusal}", refusal.code());
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    ModuleManifest::check_file(file.metadata().map_err(unreadable)?.len(), limits).map_err(refused)?;
    // The read is limited, in case the file grows meanwhile.
    let most = (limits.module.module_file_bytes_max as u64).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    let manifest = ModuleManifest::check(&bytes, limits).map_err(refused)?;
    Ok(Module { bytes: bytes.into(), manifest: Arc::new(manifest) })
}

/// Finds the stage's function and binds it to `input`. If the input's schema is unknown, everything else is checked.
pub(super) fn bind(
    draft: &StagePart,
    input: Option<&Arc<Schema>>,
    modules: &mut Modules<'_>,
    problems: &Problems,
) -> Option<BoundStage> {
    let params = params(draft);
    let (WrittenText { place, text: written }, path) = draft.module.as_ref()?;
    let module = match modules.get(path, &draft.limits) {
        Ok(module) => module,
        Err(reason) => {
            problems.error(place, format!("`{}` {reason}", clip(written)), "");
            return None;
        }
    };
    let WrittenText { place, text: name } = draft.function.as_ref()?;
    let Some(function) = module.manifest.function(name) else {
        let names = module.manifest.functions.iter().map(|function| function.name.as_str());
        let message = format!("`{}` has no function `{}`", clip(written), clip(name));
        problems.error(place, message, suggest(name, names, "it has"));
        return None;
    };
    let carry = match &draft.carry {
        CarryDraft::All => Carry::All,
        CarryDraft::Fields(fields) if fields.is_empty() => Carry::None,
        CarryDraft::Fields(fields) => Carry::Fields(fields.iter().map(|field| field.text.clone()).collect()),
    };
    let bound = match input {
        Some(input) => function.bind(input, &carry, &params),
        // Bind to a schema without fields: errors about parameters are valid for any input, and the others are ignored.
        None => Schema::new(Vec::new()).map_or(Err(Vec::new()), |none| function.bind(&Arc::new(none), &carry, &params)),
    };
    let of_params = |error: &BindError| {
        matches!(error, BindError::UnknownParam { .. } | BindError::ParamType { .. } | BindError::MissingParam { .. })
    };
    let bound = match bound {
        Ok(bound) => Some(bound).filter(|_| input.is_some()),
        Err(errors) => {
            for error in errors.iter().filter(|error| input.is_some() || of_params(error)) {
                report(error, draft, problems);
            }
            None
        }
    };
    Some(BoundStage {
        module: module.bytes,
        function: Arc::clone(function),
        output: bound.as_ref().map(|bound| Arc::clone(bound.output_schema())),
        bound,
        observes: function.kind == FunctionKind::Metrics,
    })
}

/// The parameters' values. Values with a wrong type of TOML have been reported.
fn params(draft: &StagePart) -> BTreeMap<String, ParamValue> {
    let values = draft.params.iter().filter_map(|param| {
        let value = match param.value.as_ref()? {
            ParamText::Bool(value) => ParamValue::Bool(*value),
            ParamText::Integer(value) => ParamValue::I64(*value),
            ParamText::Float(text) => ParamValue::F64(text.parse().ok()?),
            ParamText::Text(text) => ParamValue::Utf8(text.clone()),
        };
        Some((param.name.clone(), value))
    });
    values.collect()
}

/// Reports the error at the key that must change.
fn report(error: &BindError, draft: &StagePart, problems: &Problems) {
    let given = |param: &str| draft.params.iter().find(|it| it.name == param).map(|it| &it.place);
    let carried = |field: &str| match &draft.carry {
        // The last one of this name, because it is the one to remove.
        CarryDraft::Fields(fields) => fields.iter().rev().find(|it| it.text == field).map(|it| &it.place),
        CarryDraft::All => None,
    };
    let function = draft.function.as_ref().map_or(&draft.place, |function| &function.place);
    let place = match error {
        BindError::UnknownParam { param, .. } | BindError::ParamType { param, .. } => {
            given(param).unwrap_or(&draft.params_place)
        }
        BindError::MissingParam { param, .. } => {
            // The parameter is set, to a value that has been reported.
            if given(param).is_some() {
                return;
            }
            let missing = draft.params_place.child("params", draft.params_place.offset);
            let params = if draft.params_place.key == draft.place.key { &missing } else { &draft.params_place };
            problems.error(&params.child(param, params.offset), error.to_string(), "");
            return;
        }
        BindError::UnknownCarry { field, .. }
        | BindError::CarryTwice { field }
        | BindError::CarryClash { field, .. } => carried(field).unwrap_or(&draft.carry_place),
        BindError::CarryWithoutOutput { .. } => &draft.carry_place,
        _ => function,
    };
    problems.error(place, error.to_string(), "");
}
