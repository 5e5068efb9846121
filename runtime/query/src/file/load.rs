//! From text to plan.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::de::DeTable;
use weir_sandbox::TenantId;

use super::bind::{BoundStage, Modules, bind};
use super::chain::Chain;
use super::names::{self, Names};
use super::paths::Paths;
use super::plan::{ErrorPolicy, Plan, SinkPlan, SourcePlan, StagePlan};
use super::problem::{Place, Problem, Problems, QueryFileError};
use super::settings;
use super::sink::{self, SinkDraft};
use super::source::{self, SourceDraft};
use super::stage::{self, StageDraft};
use super::table::Table;

/// The largest query file. One of a thousand stages has a tenth of it.
const QUERY_FILE_BYTES_MAX: u64 = 1 << 20;

impl Plan {
    /// Reads and checks a query file. Paths in it are taken from its folder.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, or that it cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Plan, QueryFileError> {
        let path = path.as_ref();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let text = read_text(path).map_err(|message| {
            let problem = Problem { key: String::new(), line: 0, column: 0, message, help: String::new() };
            QueryFileError { path: path.to_owned(), problems: vec![problem] }
        })?;
        let mut paths = Paths::new(folder);
        paths.query(path);
        parse(&text, paths).map_err(|problems| QueryFileError { path: path.to_owned(), problems })
    }

    /// Checks the text of a query file. Paths in it are taken from `folder`.
    ///
    /// # Errors
    ///
    /// Every mistake in the text, sorted by line.
    pub fn parse(text: &str, folder: &Path) -> Result<Plan, Vec<Problem>> {
        parse(text, Paths::new(folder))
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut bytes = Vec::new();
    let read = file.take(QUERY_FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > QUERY_FILE_BYTES_MAX {
        return Err(format!("is too large for a query file: it can have {QUERY_FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        format!("is not UTF-8 text, from byte {} on: save it as UTF-8", error.utf8_error().valid_up_to())
    })
}

fn parse(text: &str, paths: Paths<'_>) -> Result<Plan, Vec<Problem>> {
    let problems = Problems::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().trim().replace('\n', ", ");
            problems.error(&Place { key: String::new(), offset }, format!("not valid TOML: {message}"), "");
        }
        // What the parser made of the rest would be complained about for the wrong reasons.
        return Err(problems.finish().err().unwrap_or_default());
    }
    let table = Table::new(Place::default(), root.get_ref(), &problems);
    let plan = check(table, paths, &problems);
    let warnings = problems.finish()?;
    // Whatever leaves the plan incomplete has been reported: this is for a report that was forgotten.
    let forgotten = || {
        let message = "the query cannot be run, for a reason that was not recorded".to_owned();
        vec![Problem { key: String::new(), line: 0, column: 0, message, help: String::new() }]
    };
    let mut plan = plan.ok_or_else(forgotten)?;
    plan.warnings = warnings;
    Ok(plan)
}

/// Reads everything, and reports everything; a plan only where nothing was missing.
fn check(mut root: Table<'_>, mut paths: Paths<'_>, problems: &Problems) -> Option<Plan> {
    let mut names = Names::default();
    let name = root.required("name", "give the query a name, for example `name = \"late-flights\"`");
    let name = name.and_then(|item| {
        let name = item.text()?;
        names::check(name, &item.place, problems).then(|| name.to_owned())
    });
    let tenant = match root.optional("tenant") {
        None => "default".parse::<TenantId>().ok(),
        Some(item) => item.text().and_then(|text| match text.parse() {
            Ok(tenant) => Some(tenant),
            Err(error) => {
                item.error(format!("{error}"), "");
                None
            }
        }),
    };
    let sources = source::read(&mut root, &mut names, &mut paths, problems);
    let stages = stage::read(&mut root, &mut names, &mut paths, problems);
    let delivery = root.section("delivery", settings::delivery).unwrap_or_default();
    let sinks = sink::read(&mut root, &mut names, &mut paths, delivery.commit_every.is_some(), problems);
    let batching = root.section("batching", settings::batching).unwrap_or_default();
    let dead_letters_item = root.optional("dead_letters");
    let has_dead_letters = dead_letters_item.is_some();
    let dead_letters = dead_letters_item
        .and_then(|item| item.table())
        .and_then(|table| settings::dead_letters(table, &mut paths, problems));
    root.finish("a query");

    check_dead_letters(has_dead_letters, &sources, &stages, problems);
    let (bound, sink_inputs) = check_chain(&sources, &stages, &sinks, problems);
    Some(Plan {
        name: name?,
        tenant: tenant?,
        sources: sources.into_iter().map(source_plan).collect::<Option<_>>()?,
        stages: stages.into_iter().zip(bound).map(|(draft, bound)| stage_plan(draft, bound)).collect::<Option<_>>()?,
        sinks: sinks
            .into_iter()
            .zip(sink_inputs)
            .map(|(draft, input)| sink_plan(draft, input))
            .collect::<Option<_>>()?,
        delivery,
        batching,
        dead_letters,
        warnings: Vec::new(),
    })
}

type Inputs = (Vec<super::plan::Node>, Option<std::sync::Arc<weir_batch::Schema>>);

/// Goes through the chain in its order, binding each function to the schema that reaches it.
fn check_chain(
    sources: &[SourceDraft],
    stages: &[StageDraft<'_>],
    sinks: &[SinkDraft<'_>],
    problems: &Problems,
) -> (Vec<(Inputs, Option<BoundStage>)>, Vec<Inputs>) {
    let mut chain = Chain::new(sources, stages, sinks.iter().map(|sink| &*sink.name).collect());
    let mut modules = Modules::default();
    let mut bound = Vec::with_capacity(stages.len());
    for draft in stages {
        let inputs = chain.stage_input(draft, problems);
        let stage = bind(draft, inputs.1.as_ref(), &mut modules, problems);
        chain.stage_output(stage.as_ref().and_then(|stage| stage.output.clone()));
        bound.push((inputs, stage));
    }
    let sink_inputs = sinks.iter().map(|draft| chain.sink_input(&draft.input, &draft.place, problems)).collect();
    let observes: Vec<bool> =
        bound.iter().map(|(_, stage)| stage.as_ref().is_none_or(|stage| stage.observes)).collect();
    chain.loose_ends(sources, stages, &observes, problems);
    (bound, sink_inputs)
}

fn check_dead_letters(present: bool, sources: &[SourceDraft], stages: &[StageDraft<'_>], problems: &Problems) {
    if present {
        return;
    }
    let of_sources = sources.iter().map(|source| (source.on_error, &source.on_error_place));
    let of_stages = stages.iter().map(|stage| (stage.on_error, &stage.on_error_place));
    for (policy, place) in of_sources.chain(of_stages) {
        if policy == ErrorPolicy::DeadLetter {
            let help = "add `[dead_letters]` with `path = \"dead/letters.jsonl\"`";
            problems.error(place, "there is nowhere for dead letters to go", help);
        }
    }
}

fn source_plan(draft: SourceDraft) -> Option<SourcePlan> {
    Some(SourcePlan { name: draft.name, kind: draft.kind?, schema: draft.schema?, on_error: draft.on_error })
}

fn stage_plan(draft: StageDraft<'_>, (inputs, bound): (Inputs, Option<BoundStage>)) -> Option<StagePlan> {
    let bound = bound?;
    let (_, _, module_path) = draft.module?;
    Some(StagePlan {
        name: draft.name,
        inputs: inputs.0,
        module_path,
        module: bound.module,
        function: bound.function,
        bound: bound.bound?,
        schema: bound.output?,
        on_error: draft.on_error,
        isolation: draft.isolation,
        limits: draft.limits,
    })
}

fn sink_plan(draft: SinkDraft<'_>, (inputs, schema): Inputs) -> Option<SinkPlan> {
    Some(SinkPlan {
        name: draft.name,
        inputs,
        config: draft.config?,
        schema: schema?,
        queue_batches_max: draft.queue_batches_max,
    })
}
