//! Loads plans from text.

use std::path::Path;
use std::sync::Arc;

use weir_admission::{FunctionState, Limits, TenantId};
use weir_batch::Schema;
use weir_config::{
    ErrorPolicy, KeyPlace, LossPolicy, Problem, Problems, QueryDraft, QueryFileError, QueryReader, Topics,
};

use super::bind::{BoundStage, Modules, bind};
use super::chain::ChainCheck;
use super::connectors::Connectors;
use super::context::Context;
use super::delivery::{self, Letters};
use super::kafka_sink;
use super::limits::Ceiling;
use super::limits_file::{LimitsFile, TenantLimits};
use super::paths::OwnFile;
use super::plan::{DeadLettersPlan, Node, Plan, SinkPlan, StagePlan, instances, loss_policy};
use super::settings;
use super::sink::{self, SinkPart};
use super::source::{self, SourcePart};
use super::source_plan::{SourceKind, SourcePlan};
use super::stage::{self, StagePart};
use super::text;
use weir_files::Folders;

impl Plan {
    /// Reads and checks a query file with the default limits. Paths in it are relative to its folder.
    ///
    /// # Errors
    ///
    /// All mistakes in the file, or an error of reading it.
    pub fn load(path: impl AsRef<Path>) -> Result<Plan, QueryFileError> {
        Plan::load_under(path.as_ref(), None, &Connectors::default())
    }

    /// Like [`Plan::load`], within the limits file's limits for the query's tenant: stages cannot exceed them, and files must be in
    /// the tenant's folders.
    ///
    /// # Errors
    ///
    /// As [`Plan::load`].
    pub fn load_with(path: impl AsRef<Path>, limits: &LimitsFile) -> Result<Plan, QueryFileError> {
        Plan::load_under(path.as_ref(), Some(limits), &Connectors::default())
    }

    pub(super) fn load_under(
        path: &Path,
        limits: Option<&LimitsFile>,
        connectors: &Connectors,
    ) -> Result<Plan, QueryFileError> {
        let text = text::read(path, "query")?;
        parse(&text, text::folder_of(path), Some(path), limits, connectors)
            .map_err(|problems| QueryFileError::new(path, problems))
    }

    /// Checks the text of a query file with the default limits. Paths in it are relative to `folder`.
    ///
    /// # Errors
    ///
    /// All mistakes in the text, sorted by line.
    pub fn parse(text: &str, folder: &Path) -> Result<Plan, Vec<Problem>> {
        parse(text, folder, None, None, &Connectors::default())
    }

    /// Like [`Plan::parse`], within the limits file's limits for the query's tenant.
    ///
    /// # Errors
    ///
    /// As [`Plan::parse`].
    pub fn parse_with(text: &str, folder: &Path, limits: &LimitsFile) -> Result<Plan, Vec<Problem>> {
        parse(text, folder, None, Some(limits), &Connectors::default())
    }
}

pub(super) fn parse(
    text: &str,
    folder: &Path,
    path: Option<&Path>,
    limits: Option<&LimitsFile>,
    connectors: &Connectors,
) -> Result<Plan, Vec<Problem>> {
    let mut reading = QueryReader::begin(text)?;
    let tenant = tenant(reading.tenant().value.as_deref(), &reading.tenant_place(), reading.problems(), path, limits);
    match &tenant {
        Some((tenant, Some(given))) => {
            reading.take_environment(tenant.as_str(), &given.topics, &|name| std::env::var_os(name));
        }
        Some((tenant, None)) if limits.is_none() => {
            reading.take_environment(tenant.as_str(), &Topics::anything(), &|name| std::env::var_os(name));
        }
        // A file that may not use the tenant gets no environment variables either.
        _ => {}
    }
    if limits.is_some() && tenant.as_ref().is_none_or(|(_, given)| given.is_none()) {
        // Report nothing else to a file that may not use the tenant, not even which files exist.
        return text::finish(None, reading.refuse()).map(|(plan, _)| plan);
    }
    let (draft, problems) = reading.finish();
    let plan = resolve(draft, tenant, (folder, path), limits.and_then(LimitsFile::path), connectors, &problems);
    let (mut plan, warnings) = text::finish(plan, problems)?;
    plan.warnings = warnings;
    Ok(plan)
}

/// Resolves everything, and reports all mistakes. Returns a plan only if nothing is missing.
pub(super) fn resolve(
    draft: QueryDraft,
    tenant: Option<(TenantId, Option<TenantLimits>)>,
    (folder, path): (&Path, Option<&Path>),
    limits_path: Option<&Path>,
    connectors: &Connectors,
    problems: &Problems,
) -> Option<Plan> {
    let (id, given) = (tenant.as_ref().map(|(id, _)| id), tenant.as_ref().and_then(|(_, given)| given.as_ref()));
    let ceiling = match (id, given) {
        (Some(id), Some(given)) => Ceiling { limits: given.limits.clone(), tenant: Some(id) },
        _ => Ceiling { limits: Limits::default(), tenant: None },
    };
    let rights = given.map(|given| given.topics.clone()).unwrap_or_default();
    let query = draft.name.value.as_deref().unwrap_or("query");
    let mut cx = Context::new(folder, ceiling, (id, query, rights), connectors, problems);
    path.into_iter().for_each(|path| cx.paths.this(path, OwnFile::Query));
    limits_path.into_iter().for_each(|path| cx.paths.this(path, OwnFile::Limits));
    if let (Some(id), Some(given)) = (id, given) {
        cx.paths.confine(id, given.folders.clone());
    }
    let counts = (draft.sources.len(), draft.stages.len(), draft.sinks.len());
    given.map(|given| given.sizes).unwrap_or_default().check(counts, cx.ceiling.tenant, problems);

    let sources: Vec<SourcePart> = draft.sources.iter().map(|draft| source::resolve(draft, &mut cx)).collect();
    let stages: Vec<StagePart> = draft.stages.into_iter().map(|draft| stage::resolve(draft, &mut cx)).collect();
    let (mut delivery, delivery_places) = settings::delivery(&draft.delivery, &mut cx);
    delivery.commit_every = delivery.commit_every.or_else(|| delivery::commits_by_itself(&delivery, &sources));
    let sinks = sink::resolve_all(draft.sinks, &delivery, &mut cx);
    let batching = settings::batching(&draft.batching);
    let letters_draft = draft.dead_letters.as_ref();
    let dead_letters = letters_draft.and_then(|draft| settings::dead_letters(draft, &mut cx));
    cx.topics.check_loops();
    let transactions = delivery.transactional_id.as_deref();
    transactions.iter().for_each(|id| cx.topics.transacts(&delivery_places.transactional_id, id));

    let letters = match (letters_draft, &dead_letters) {
        (None, _) => Letters::Nowhere,
        (Some(draft), Some(DeadLettersPlan::Kafka(config))) => Letters::Kafka(draft.place.clone(), config),
        (Some(draft), _) => Letters::File(draft.place.clone()),
    };

    delivery::check(&delivery, &delivery_places, &sources, &sinks, &letters, problems);
    check_dead_letters(letters_draft.is_some(), &sources, &stages, &sinks, problems);
    let (bound, sink_inputs) = check_chain(&sources, &stages, &sinks, cx.paths.folders(), problems);
    for (part, (_, schema)) in sinks.iter().zip(&sink_inputs) {
        schema.iter().for_each(|schema| kafka_sink::check_columns(&part.columns, schema, problems));
    }
    check_state(&stages, &bound, &sources, delivery.state.is_some(), problems);
    check_instances(&stages, id, &cx.ceiling.limits, problems);

    let Context { paths, topics, ceiling, .. } = cx;
    let (rights, groups) = (topics.rights().clone(), topics.into_groups());
    let name_spot = draft.name.place.as_ref().map(|place| problems.spot(place));
    let (limits, folders) = (ceiling.limits, paths.folders().clone());
    let uses = paths.into_uses();
    Some(Plan {
        name: draft.name.value?,
        tenant: tenant.map(|(id, _)| id)?,
        sources: sources.into_iter().map(source_plan).collect::<Option<_>>()?,
        stages: stages.into_iter().zip(bound).map(|(part, bound)| stage_plan(part, bound)).collect::<Option<_>>()?,
        sinks: sinks.into_iter().zip(sink_inputs).map(|(part, input)| sink_plan(part, input)).collect::<Option<_>>()?,
        delivery,
        batching,
        dead_letters,
        warnings: Vec::new(),
        limits,
        topics: rights,
        folders,
        name_spot: name_spot?,
        uses,
        groups,
    })
}

/// The query's tenant, and its limits in the limits file, if there is one.
pub(super) fn tenant(
    text: Option<&str>,
    place: &KeyPlace,
    problems: &Problems,
    path: Option<&Path>,
    limits: Option<&LimitsFile>,
) -> Option<(TenantId, Option<TenantLimits>)> {
    let tenant = match text?.parse::<TenantId>() {
        Ok(tenant) => tenant,
        Err(error) => {
            problems.error(place, error.to_string(), "");
            return None;
        }
    };
    let Some(limits) = limits else { return Some((tenant, None)) };
    let given = limits.of(&tenant).cloned();
    // Do not reveal names of other tenants to the author of a query file: no similar names, and not whether this one exists if the
    // file may not use it.
    if given.is_none() || !limits.may_speak(path, &tenant) {
        let message = format!("this file may not use the tenant `{tenant}`");
        let help = "set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)";
        problems.error(place, message, help);
        return Some((tenant, None));
    }
    Some((tenant, given))
}

/// Stages keep their instances, so a query that needs more than its tenant may have would wait for itself.
fn check_instances(stages: &[StagePart], tenant: Option<&TenantId>, limits: &Limits, problems: &Problems) {
    let (needed, most) = (instances(stages.iter().map(|stage| stage.isolation)), limits.instances_max);
    if let (Some(tenant), Some(last), true) = (tenant, stages.last(), needed > most) {
        let message = format!("the query needs {needed} instances at once, but tenant `{tenant}` may have only {most}");
        let help = "split it into several queries, or raise `instances_max` in the limits file";
        problems.error(&last.place, message, help);
    }
}

/// State in a function's memory is not stored with positions, so a query that continues from positions lacks it. Warns before
/// anything is lost.
fn check_state(
    stages: &[StagePart],
    bound: &[(Inputs, Option<BoundStage>)],
    sources: &[SourcePart],
    keeps_positions: bool,
    problems: &Problems,
) {
    let by_group = sources.iter().any(|source| matches!(source.kind, Some(SourceKind::Kafka(_))));
    for (draft, bound) in stages.iter().zip(bound.iter().map(|(_, bound)| bound)) {
        let Some(function) = bound.as_ref().map(|bound| &bound.function) else { continue };
        let policy = loss_policy(function.state, draft.isolation, draft.on_state_loss);
        if function.state == FunctionState::None && draft.on_state_loss.is_some() {
            let message =
                format!("function `{}` declares that it keeps no state, so it cannot lose any", function.name);
            problems.warning(&draft.on_state_loss_place, message, "remove `on_state_loss`");
        }
        if policy == Some(LossPolicy::Fail) && (keeps_positions || by_group) {
            let message = format!(
                "function `{}` keeps state in memory, which is not stored with the positions: the query cannot continue after a restart",
                function.name
            );
            let help = "`on_state_loss = \"warn\"` continues with empty state";
            problems.warning(&draft.on_state_loss_place, message, help);
        }
    }
}

type Inputs = (Vec<Node>, Option<Arc<Schema>>);

/// Checks the stages in their order, and binds each function to the schema of its input.
fn check_chain(
    sources: &[SourcePart],
    stages: &[StagePart],
    sinks: &[SinkPart],
    folders: &Folders,
    problems: &Problems,
) -> (Vec<(Inputs, Option<BoundStage>)>, Vec<Inputs>) {
    let mut chain = ChainCheck::new(sources, stages, sinks.iter().map(|sink| &*sink.name).collect());
    let mut modules = Modules::new(folders);
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

fn check_dead_letters(
    present: bool,
    sources: &[SourcePart],
    stages: &[StagePart],
    sinks: &[SinkPart],
    problems: &Problems,
) {
    if present {
        return;
    }
    let of_sources = sources.iter().map(|source| (source.on_error, &source.on_error_place));
    let of_stages = stages.iter().map(|stage| (stage.on_error, &stage.on_error_place));
    let of_sinks = sinks.iter().map(|sink| (sink.on_error, &sink.on_error_place));
    for (policy, place) in of_sources.chain(of_stages).chain(of_sinks) {
        if policy == ErrorPolicy::DeadLetter {
            let help = "add `[dead_letters]` with `path = \"dead/letters.jsonl\"`";
            problems.error(place, "the query has no destination for dead letters", help);
        }
    }
}

fn source_plan(draft: SourcePart) -> Option<SourcePlan> {
    Some(SourcePlan { name: draft.name, kind: draft.kind?, schema: draft.schema?, on_error: draft.on_error })
}

fn stage_plan(draft: StagePart, (inputs, bound): (Inputs, Option<BoundStage>)) -> Option<StagePlan> {
    let bound = bound?;
    let (_, module_path) = draft.module?;
    let given = draft.params.into_iter().filter(|param| param.of_environment);
    let params_of_environment = given.map(|param| param.name).collect();
    Some(StagePlan {
        name: draft.name,
        inputs: inputs.0,
        module_path,
        module: bound.module,
        function: bound.function,
        bound: bound.bound?,
        params_of_environment,
        schema: bound.output?,
        on_error: draft.on_error,
        retry: draft.retry,
        trapped_percent_max: draft.trapped_percent_max,
        isolation: draft.isolation,
        on_state_loss: draft.on_state_loss,
        verify_every_batches: draft.verify_every_batches,
        limits: draft.limits,
    })
}

fn sink_plan(draft: SinkPart, (inputs, schema): Inputs) -> Option<SinkPlan> {
    Some(SinkPlan {
        name: draft.name,
        inputs,
        config: draft.config?,
        schema: schema?,
        queue_batches_max: draft.queue_batches_max,
        on_error: draft.on_error,
        retry: draft.retry,
    })
}
