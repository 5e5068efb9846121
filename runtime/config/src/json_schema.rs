//! JSON Schemas of both files, for editors: made of the descriptions of their keys.

use serde_json::{Value as Json, json};

use crate::custom::CustomKeys;
use crate::kafka::{KafkaLettersKeys, KafkaSinkKeys, KafkaSourceKeys};
use crate::key::{Key, Keys, object};
use crate::kinds::{ENV, TENANT_PATTERN};
use crate::limits_file::{self, LimitsFileKeys};
use crate::names::NAME_PATTERN;
use crate::query::HeadKeys;
use crate::settings::{BatchingKeys, DeliveryKeys, FileLettersKeys, LettersKindKeys};
use crate::sink::{self, FileSinkKeys, StdoutSinkKeys};
use crate::source::{FileSourceKeys, GeneratorKeys, NexmarkKeys, SourceErrorKeys, SourceKeys};
use crate::table::LIST_MAX;
use crate::words::{ErrorPolicy, LettersWord, SinkWord, SourceWord, Words};
use crate::workers::{ProcessKeys, WorkersKeys};
use crate::{retry, stage};

/// The version of JSON Schema that editors of TOML know.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// A JSON Schema of query files (draft 7), as JSON text that ends with a line end.
///
/// It refuses unknown and missing keys, wrong types, words, ranges and names, keys that exclude each other within a table, file
/// names whose suffix determines no format, and dead letters without a place. It cannot check files, functions, and references
/// from one part of a query to another.
pub fn query_schema() -> String {
    let mut keys = HeadKeys::describe();
    let reference = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let named = |name: &str| {
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": NAME_PATTERN },
            "additionalProperties": reference(name),
        })
    };
    let stages = json!({ "type": "array", "maxItems": LIST_MAX, "items": reference("stage") });
    let delivery = object(&DeliveryKeys::describe(), &DeliveryKeys::rules());
    let batching = object(&BatchingKeys::describe(), &BatchingKeys::rules());
    for (name, required, schema, doc) in [
        ("sources", true, named("source"), "The sources, one or more."),
        ("stages", false, stages, "The stages: functions that process the records, in order."),
        ("sinks", true, named("sink"), "The sinks, one or more."),
        ("delivery", false, delivery, "The delivery guarantee."),
        ("batching", false, batching, "How records are grouped into batches."),
        ("dead_letters", false, json!({ "anyOf": [reference("dead_letters")] }), "Where to write records that failed."),
    ] {
        keys.push(Key { name, required, default: Json::Null, schema, values: String::new(), doc: doc.to_owned() });
    }
    let mut schema = object(&keys, &letters_have_a_place());
    let definitions = json!({
        "env": env(),
        "source": source(),
        "stage": object(&stage::describe(), &retry::rules()),
        "sink": sink(),
        "dead_letters": dead_letters(),
    });
    finish(&mut schema, "Weir query file", &definitions)
}

/// A JSON Schema of limits files (draft 7), as JSON text that ends with a line end.
pub fn limits_schema() -> String {
    let tenant = object(&limits_file::describe_tenant(), &json!({}));
    let reference = json!({ "$ref": "#/$defs/tenant" });
    let tenants = json!({
        "type": "object",
        "propertyNames": { "pattern": TENANT_PATTERN },
        "additionalProperties": reference,
    });
    let workers = object(&WorkersKeys::describe(), &json!({}));
    let mut keys = LimitsFileKeys::describe();
    for (name, schema, doc) in [
        ("workers", workers, "The worker processes of all tenants."),
        ("defaults", json!({ "anyOf": [reference] }), "Limits of every tenant."),
        ("tenants", tenants, "Limits of individual tenants; they override the defaults."),
    ] {
        let (required, default) = (false, Json::Null);
        keys.push(Key { name, required, default, schema, values: String::new(), doc: doc.to_owned() });
    }
    let mut schema = object(&keys, &json!({}));
    // The environment gives nothing to a limits file.
    let mut definitions = json!({ "tenant": tenant });
    without_env(&mut schema);
    without_env(&mut definitions);
    finish(&mut schema, "Weir limits file", &definitions)
}

fn finish(schema: &mut Json, title: &str, definitions: &Json) -> String {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".to_owned(), DRAFT.into());
        schema.insert("title".to_owned(), title.into());
        schema.insert("$defs".to_owned(), definitions.clone());
    }
    // A tree of texts and numbers: there is nothing in it that JSON has no form for.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn env() -> Json {
    json!({
        "description": "The value of an environment variable.",
        "type": "object",
        "properties": { "env": { "type": "string", "pattern": "^[^=]+$" } },
        "required": ["env"],
        "additionalProperties": false,
    })
}

fn without_env(schema: &mut Json) {
    if let Some(choices) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        choices.retain(|choice| choice.get("$ref").and_then(Json::as_str) != Some(ENV));
    }
    match schema {
        Json::Object(map) => map.values_mut().for_each(without_env),
        Json::Array(list) => list.iter_mut().for_each(without_env),
        _ => {}
    }
}

/// A table of these keys, of which `kind` is this word; `more` is what holds beside its rules.
fn of_kind(word: &str, keys: Vec<Key>, rules: &Json, more: &[Json]) -> Json {
    let mut keys = keys;
    for key in keys.iter_mut().filter(|key| key.name == "kind") {
        key.schema = json!({ "const": word });
    }
    let mut schema = object(&keys, rules);
    if let (Some(schema), false) = (schema.as_object_mut(), more.is_empty()) {
        let all = schema.entry("allOf").or_insert_with(|| json!([]));
        all.as_array_mut().into_iter().for_each(|all| all.extend(more.iter().cloned()));
    }
    schema
}

/// One of several kinds, or one that only the environment knows.
fn any_kind(mut kinds: Vec<Json>) -> Json {
    kinds.push(json!({ "type": "object", "properties": { "kind": { "$ref": ENV } }, "required": ["kind"] }));
    json!({ "anyOf": kinds })
}

fn source() -> Json {
    let kind = |(word, kind): &(&str, SourceWord)| {
        let mut keys = SourceKeys::describe();
        keys.extend(SourceErrorKeys::describe());
        let (of_kind_keys, rules) = match kind {
            SourceWord::File => (FileSourceKeys::describe(), FileSourceKeys::rules()),
            SourceWord::Kafka => (KafkaSourceKeys::describe(), KafkaSourceKeys::rules()),
            SourceWord::Generator => (GeneratorKeys::describe(), GeneratorKeys::rules()),
            SourceWord::Nexmark => (NexmarkKeys::describe(), NexmarkKeys::rules()),
            SourceWord::Custom => (CustomKeys::describe(), CustomKeys::rules()),
        };
        keys.extend(of_kind_keys);
        of_kind(word, keys, &rules, &[])
    };
    any_kind(SourceWord::WORDS.iter().map(kind).collect())
}

fn sink() -> Json {
    let kind = |(word, kind): &(&str, SinkWord)| {
        let mut keys = sink::describe();
        let (of_kind_keys, rules) = match kind {
            SinkWord::Stdout => (StdoutSinkKeys::describe(), StdoutSinkKeys::rules()),
            SinkWord::File => (FileSinkKeys::describe(), FileSinkKeys::rules()),
            SinkWord::Kafka => (KafkaSinkKeys::describe(), KafkaSinkKeys::rules()),
            SinkWord::Count => (Vec::new(), json!({})),
            SinkWord::Custom => (CustomKeys::describe(), CustomKeys::rules()),
        };
        keys.extend(of_kind_keys);
        of_kind(word, keys, &rules, &[retry::rules()])
    };
    any_kind(SinkWord::WORDS.iter().map(kind).collect())
}

fn dead_letters() -> Json {
    let kind = |(word, kind): &(&str, LettersWord)| {
        let mut keys = LettersKindKeys::describe();
        keys.extend(match kind {
            LettersWord::File => FileLettersKeys::describe(),
            LettersWord::Kafka => KafkaLettersKeys::describe(),
        });
        // Without a kind they go to a file.
        keys.iter_mut().filter(|key| key.name == "kind").for_each(|key| key.required = *kind == LettersWord::Kafka);
        of_kind(word, keys, &json!({}), &[])
    };
    any_kind(LettersWord::WORDS.iter().map(kind).collect())
}

/// A query without `[dead_letters]` must not use the policy `dead_letter`.
fn letters_have_a_place() -> Json {
    let other = json!({ "not": { "const": ErrorPolicy::DeadLetter.name() } });
    let source = json!({ "properties": { "on_error": other } });
    let retried = json!({ "properties": { "on_error": other, "retry": { "properties": { "then": other } } } });
    json!({
        "if": { "required": ["dead_letters"] },
        "else": { "properties": {
            "sources": { "additionalProperties": source },
            "stages": { "items": retried },
            "sinks": { "additionalProperties": retried },
        } },
    })
}

/// A group of keys with its name: what a table of QUERY.md lists.
pub(crate) fn groups() -> Vec<(&'static str, Vec<Key>)> {
    let mut source = SourceKeys::describe();
    source.extend(SourceErrorKeys::describe());
    vec![
        ("query", HeadKeys::describe()),
        ("sources", source),
        ("source-file", FileSourceKeys::describe()),
        ("source-kafka", KafkaSourceKeys::describe()),
        ("source-generator", GeneratorKeys::describe()),
        ("source-nexmark", NexmarkKeys::describe()),
        ("custom", CustomKeys::describe()),
        ("stages", stage::describe()),
        ("retry", retry::RetryKeys::describe()),
        ("sinks", sink::describe()),
        ("sink-stdout", StdoutSinkKeys::describe()),
        ("sink-file", FileSinkKeys::describe()),
        ("sink-kafka", KafkaSinkKeys::describe()),
        ("delivery", DeliveryKeys::describe()),
        ("batching", BatchingKeys::describe()),
        ("dead-letters", LettersKindKeys::describe()),
        ("dead-letters-file", FileLettersKeys::describe()),
        ("dead-letters-kafka", KafkaLettersKeys::describe()),
        ("limits-file", LimitsFileKeys::describe()),
        (
            "tenant",
            [limits_file::RightKeys::describe(), limits_file::PlacementKeys::describe()]
                .into_iter()
                .flatten()
                .collect(),
        ),
        ("limits", crate::limits::describe(crate::limits::OF_STAGE)),
        ("limits-modules", crate::limits::describe(crate::limits::OF_MODULES)),
        ("limits-tenant", {
            let mut keys = crate::limits::describe(crate::limits::OF_TENANT);
            keys.extend(limits_file::SizeKeys::describe());
            keys
        }),
        ("limits-process", ProcessKeys::describe()),
        ("workers", WorkersKeys::describe()),
    ]
}
