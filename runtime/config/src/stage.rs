//! `[[stages]]`.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::key::{Key, Keys, SettingKind};
use crate::kinds::{Integer, Name, Params, Plain, Texts, Word, texts_schema};
use crate::limits::{self, LimitDraft};
use crate::names::{self, Names};
use crate::problem::{KeyPlace, clip};
use crate::retry::OnErrorDraft;
use crate::setting::Setting;
use crate::table::{Item, Table};
use crate::words::{IsolationWord, LossPolicy};
use crate::written::WrittenText;

/// A stage as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// Most of its keys.
    pub keys: StageKeys,
    /// What becomes of records that fail.
    pub on_error: OnErrorDraft,
    /// The others.
    pub more: StageMoreKeys,
    /// What its function may use: what it says of itself.
    pub limits: Vec<LimitDraft>,
}

keys! {
    /// The keys of a stage before `on_error`.
    pub struct StageKeys {
        /// The name by which sinks and later stages refer to this stage.
        name: Name, required "give the stage a name; sinks and later stages refer to it";
        /// The file of the WebAssembly module.
        module: Plain, required "name the module's file, for example `module = \"late.wasm\"`";
        /// A function of the module. `weir inspect FILE` lists them.
        function: Plain, required "name a function of the module: `weir inspect` lists them";
        /// The sources or earlier stages to read from, all with the same schema. Default: the previous stage, or all sources for the first stage.
        input: Texts;
        /// Values for the function's parameters.
        params: Params;
        /// Which input fields to keep in addition to the function's output. Filters and metrics keep all fields.
        carry: CarryKind = CarryDraft::Fields(Vec::new());
    }
}

keys! {
    /// The keys of a stage after `on_error` and `retry`.
    pub struct StageMoreKeys {
        /// If more than this percentage of a batch's records each end the function, Weir considers the function broken and fails the query. Up to 64 records per batch are always tolerated; 100 never fails the query.
        trapped_percent_max: Integer(0, 100) = 50;
        /// `reuse` keeps the instance and its memory from batch to batch. `fresh` uses a new instance for each batch.
        isolation: Word<IsolationWord> = IsolationWord::Reuse;
        /// What to do if the function loses the state that it keeps in memory: see [state in memory](#state-in-memory). Default: `fail` if the module declares that it keeps state, `warn` if it declares nothing.
        on_state_loss: Word<LossPolicy>;
        /// Once per this many batches, a second, new instance processes the batch too, and Weir compares the rows; 0 turns this off. See [state in memory](#state-in-memory).
        verify_every_batches: Integer(0, u32::MAX as u64) = 1_000;
    }
}

/// Every key of a stage.
pub(crate) fn describe() -> Vec<Key> {
    let mut keys = StageKeys::describe();
    keys.extend(OnErrorDraft::describe(
        "What to do with records that the function refuses, that end it by a trap, or that hold a null that it does not accept.",
        "For `on_error = \"retry\"`: each such record is passed to the function again, alone. If it succeeds, its output follows \
         the rest of its batch. A null that the function does not accept is not retried.",
    ));
    keys.extend(StageMoreKeys::describe());
    keys.push(Key {
        name: "limits",
        required: false,
        default: Json::Null,
        schema: crate::key::object(&limits::describe_stage(), &json!({})),
        values: "table".to_owned(),
        doc: "Limits of the function: see [limits](#limits). With a limits file, they may only lower the tenant's limits."
            .to_owned(),
    });
    keys
}

/// Which input fields a stage says it carries along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CarryDraft {
    /// Every field.
    All,
    /// These; none where it is empty.
    Fields(Vec<WrittenText>),
}

/// `"all"`, `"none"`, or a list.
pub struct CarryKind;

impl SettingKind for CarryKind {
    type Value = CarryDraft;

    fn read(&self, item: &Item<'_>) -> Option<CarryDraft> {
        match item.value() {
            DeValue::String(word) if word == "all" => Some(CarryDraft::All),
            DeValue::String(word) if word == "none" => Some(CarryDraft::Fields(Vec::new())),
            DeValue::Array(array) if array.is_empty() => Some(CarryDraft::Fields(Vec::new())),
            DeValue::Array(_) => item.texts().map(CarryDraft::Fields),
            DeValue::String(word) => {
                let help = format!("use \"all\", or a list of fields: [\"{}\"]", clip(word));
                item.error(format!("unknown value `{}`", clip(word)), help);
                None
            }
            _ => item.wrong_type("\"all\" or a list of fields"),
        }
    }

    fn schema(&self) -> Json {
        let fields = texts_schema(&json!({ "type": "string", "minLength": 1 }));
        let list = fields.pointer("/anyOf/1").cloned().unwrap_or_default();
        json!({ "anyOf": [crate::kinds::or_env(json!({ "enum": ["none", "all"] })), list, { "const": [] }] })
    }

    fn values(&self) -> String {
        "`none`, `all`, or a list of fields".to_owned()
    }

    fn json(value: &CarryDraft) -> Json {
        match value {
            CarryDraft::All => "all".into(),
            CarryDraft::Fields(fields) if fields.is_empty() => "none".into(),
            CarryDraft::Fields(fields) => fields.iter().map(|field| field.text.as_str()).collect::<Vec<_>>().into(),
        }
    }
}

/// Reads every stage.
pub(crate) fn read(root: &mut Table<'_>, names: &mut Names) -> Vec<StageDraft> {
    let Some(item) = root.optional("stages") else { return Vec::new() };
    item.tables().into_iter().map(|table| stage(table, names)).collect()
}

fn stage(mut table: Table<'_>, names: &mut Names) -> StageDraft {
    let (place, problems) = (table.place.clone(), table.problems);
    let keys = StageKeys::read(&mut table);
    if let Some((place, name)) = keys.name.given() {
        names::check(name, place, problems);
        names.claim(name, "stage", place, problems);
    }
    let on_error = OnErrorDraft::read(&mut table, "a stage");
    let more = StageMoreKeys::read(&mut table);
    let limits = table.section("limits", limits::of_stage).unwrap_or_default();
    table.finish("a stage");
    StageDraft { place, keys, on_error, more, limits }
}

/// The values of `input`, of a stage or sink.
pub type Input = Setting<Vec<WrittenText>>;
