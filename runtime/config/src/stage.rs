//! `[[stages]]`.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::kinds::{Integer, Name, Params, Plain, Texts, Word, texts_schema};
use crate::limits::{self, LimitDraft};
use crate::names::{self, Names};
use crate::problem::{Place, clip};
use crate::retry::OnErrorDraft;
use crate::setting::{Key, Keys, Kind, Setting, Written};
use crate::table::{Item, Table};
use crate::words::{IsolationWord, LossPolicy};

/// A stage as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageDraft {
    /// Where it is.
    pub place: Place,
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
        /// What sinks and later stages call it.
        name: Name, required "give the stage a name, which sinks and later stages call it by";
        /// The file of a WebAssembly module.
        module: Plain, required "name the module's file, for example `module = \"late.wasm\"`";
        /// One of its functions: `weir inspect FILE` lists them.
        function: Plain, required "name a function of the module: `weir inspect` lists them";
        /// The sources or earlier stages that it reads, all of one schema. Default: the stage before, or all sources for the first.
        input: Texts;
        /// Values for the function's parameters.
        params: Params;
        /// Which input fields go on beside the function's own. Filters and metrics let every field through.
        carry: Carry = CarryDraft::Fields(Vec::new());
    }
}

keys! {
    /// The keys of a stage after `on_error` and `retry`.
    pub struct StageMoreKeys {
        /// When more than this share of a batch's records end the function, each of them alone, the function is taken to be broken, and the query fails. Up to 64 records of a batch may in any case; 100 never fails the query.
        trapped_percent_max: Integer(0, 100) = 50;
        /// `reuse`: memory is kept from batch to batch. `fresh`: a new instance each batch.
        isolation: Word<IsolationWord> = IsolationWord::Reuse;
        /// What becomes of the query when what the function kept in its memory is lost: see [state in memory](#state-in-memory). Default: `fail` where the module declares that state is kept, `warn` where it declares nothing.
        on_state_loss: Word<LossPolicy>;
        /// Of this many batches one is answered by a second, new instance as well, and the rows are compared; 0 is off. See [state in memory](#state-in-memory).
        verify_every_batches: Integer(0, u32::MAX as u64) = 1_000;
    }
}

/// Every key of a stage.
pub(crate) fn describe() -> Vec<Key> {
    let mut keys = StageKeys::describe();
    keys.extend(OnErrorDraft::describe(
        "What becomes of records that the function refuses, that end it by a trap, or that hold a null where it takes none.",
        "With `on_error = \"retry\"`: further calls over each such record alone. What succeeds comes behind the rest of its \
         batch. A null where the function takes none is not tried again.",
    ));
    keys.extend(StageMoreKeys::describe());
    keys.push(Key {
        name: "limits",
        required: false,
        default: Json::Null,
        schema: crate::setting::object(&limits::describe_stage(), &json!({})),
        values: "table".to_owned(),
        doc: "What the function may use: see [limits](#limits). Under a limits file these may only lower what the tenant has."
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
    Fields(Vec<Written>),
}

/// `"all"`, `"none"`, or a list.
pub struct Carry;

impl Kind for Carry {
    type Value = CarryDraft;

    fn read(&self, item: &Item<'_>) -> Option<CarryDraft> {
        match item.value() {
            DeValue::String(word) if word == "all" => Some(CarryDraft::All),
            DeValue::String(word) if word == "none" => Some(CarryDraft::Fields(Vec::new())),
            DeValue::Array(array) if array.is_empty() => Some(CarryDraft::Fields(Vec::new())),
            DeValue::Array(_) => item.texts().map(CarryDraft::Fields),
            DeValue::String(word) => {
                let help = format!("use \"all\", or a list of fields: [\"{}\"]", clip(word));
                item.error(format!("`{}` is not known here", clip(word)), help);
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
pub type Input = Setting<Vec<Written>>;
