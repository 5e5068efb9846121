//! Everything that a query holds open, opened anew for each attempt.

use std::path::Path;
use std::sync::Arc;

use weir_batch::format::Fill;
use weir_sinks::{KafkaTransactions, Prepared, Sink, SinkConfig, publish_prepared};

use super::commit::{Committing, Kept};
use super::dead_letters::DeadLetters;
use super::error::BuildError;
use super::metrics::MetricRegistry;
use super::query::SinkOverrides;
use super::state::{Manifest, StateFolder};
use crate::file::{Denied, Folders, Guarantee, Plan, SinkPlan, SourceKind};
use crate::letters::LettersSource;
use crate::source::{FileSource, GeneratorSource, NexmarkSource, PositionKeeper, Positions, Source};

/// What one attempt reads from and writes to, standing where the last commit left it.
pub(super) struct Opened {
    pub(super) sources: Vec<Box<dyn Source>>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) committing: Committing,
    pub(super) positions: Vec<Positions>,
    pub(super) keepers: Vec<Option<Arc<dyn PositionKeeper>>>,
}

impl Opened {
    /// What stands in while an attempt has the rest.
    pub(super) fn nothing() -> Opened {
        let committing = Committing::AtLeastOnce(None);
        let (sources, sinks, positions, keepers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Opened { sources, sinks, dead_letters: None, committing, positions, keepers }
    }

    /// Finishes what a crashed run has committed and not published, and opens everything behind that. The metrics of
    /// earlier runs come in where `metrics` has none yet.
    pub(super) async fn open(
        plan: &Plan,
        given: &mut SinkOverrides,
        metrics: Option<&mut MetricRegistry>,
    ) -> Result<Opened, BuildError> {
        let kept = plan.delivery.state.as_deref().map(|folder| open_state(plan, folder)).transpose()?;
        if let (Some(kept), Some(metrics)) = (&kept, metrics) {
            let dropped = metrics.restore(kept.manifest.metrics.clone());
            if dropped > 0 {
                tracing::warn!("{dropped} series of metrics are dropped: no stage declares them any more");
            }
        }
        // Before any source looks for its positions: what an older run left open is aborted by this.
        let transactions = open_transactions(plan).await?;
        let dead_letters = open_dead_letters(plan, kept.as_ref(), transactions.as_ref()).await?;
        let mut sinks = Vec::with_capacity(plan.sinks.len());
        for sink in &plan.sinks {
            sinks.push(match given.remove(&*sink.name) {
                Some(sink) => sink,
                None => open_sink(sink, &plan.folders, kept.as_ref(), transactions.as_ref()).await?,
            });
        }
        let (mut sources, mut positions, mut keepers) = (Vec::new(), Vec::new(), Vec::new());
        for source in &plan.sources {
            let named = |error| BuildError::Source { name: source.name.to_string(), source: error };
            let mut opened = open_source(plan, &source.kind, &source.schema)?;
            let from = match &kept {
                Some(kept) if !source.kind.kept_by_group() => kept.manifest.positions(&source.name_in_manifest()),
                _ => Positions::default(),
            };
            if !from.is_empty() {
                opened.seek(&from).await.map_err(named)?;
            }
            keepers.push(opened.keeper());
            positions.push(from);
            sources.push(opened);
        }
        let committing = match (plan.delivery.guarantee, kept, transactions) {
            (Guarantee::ExactlyOnce, _, Some(transactions)) => Committing::Transaction(transactions),
            (Guarantee::ExactlyOnce, Some(kept), None) => Committing::Manifest(kept),
            (_, kept, _) => Committing::AtLeastOnce(kept),
        };
        Ok(Opened { sources, sinks, dead_letters, committing, positions, keepers })
    }
}

/// Takes the state folder, and publishes the files that its manifest names.
fn open_state(plan: &Plan, folder: &Path) -> Result<Kept, BuildError> {
    still_within(&plan.folders, &folder.join("manifest"), || "delivery.state".to_owned())?;
    let (query, tenant) = (plan.name.as_str(), plan.tenant.as_str());
    let folder = StateFolder::open(folder)?;
    let manifest = folder.load(query, tenant)?.unwrap_or_else(|| Manifest {
        query: query.to_owned(),
        tenant: tenant.to_owned(),
        ..Manifest::default()
    });
    for file in &manifest.files {
        let prepared = Prepared { hidden: file.hidden.clone(), path: file.path.clone(), number: file.number };
        // The manifest lies where the tenant may write, so that what it names is looked at like any other path.
        for path in [&prepared.hidden, &prepared.path] {
            still_within(&plan.folders, path, || "delivery.state".to_owned())?;
        }
        let done = publish_prepared(std::slice::from_ref(&prepared));
        done.map_err(|source| BuildError::Sink { name: "delivery.state".to_owned(), source })?;
    }
    Ok(Kept { folder, manifest })
}

/// The transactions of a query that delivers exactly once to Kafka.
async fn open_transactions(plan: &Plan) -> Result<Option<KafkaTransactions>, BuildError> {
    let Some((connection, settings)) = plan.transactions() else { return Ok(None) };
    Ok(Some(KafkaTransactions::open(&connection, &plan.transactional_id(), &settings).await?))
}

async fn open_dead_letters(
    plan: &Plan,
    kept: Option<&Kept>,
    transactions: Option<&KafkaTransactions>,
) -> Result<Option<DeadLetters>, BuildError> {
    let Some(path) = &plan.dead_letters else { return Ok(None) };
    let _ = transactions;
    still_within(&plan.folders, path, || "dead_letters".to_owned())?;
    let committed = kept.and_then(|kept| kept.manifest.dead_letter_bytes);
    let letters = DeadLetters::to_file(path, &plan.folders, committed)?;
    // Somebody has taken the letters away since. Before new ones come, the manifest has to know.
    if let Some(kept) = kept.filter(|_| committed.is_some_and(|committed| letters.file_bytes() != Some(committed))) {
        let manifest = Manifest { dead_letter_bytes: letters.file_bytes(), ..kept.manifest.clone() };
        kept.folder.save(&manifest)?;
    }
    Ok(Some(letters))
}

fn open_source(
    plan: &Plan,
    kind: &SourceKind,
    schema: &Arc<weir_batch::Schema>,
) -> Result<Box<dyn Source>, BuildError> {
    let records_max = plan.batching.records_max;
    let fill = Fill { records_max, delay_max: Some(plan.batching.delay_max) };
    Ok(match kind {
        SourceKind::File { paths, format, .. } => {
            let source = FileSource::new(paths.clone(), *format, Arc::clone(schema), fill);
            Box::new(source.within(plan.folders.clone()))
        }
        SourceKind::Letters(letters) => Box::new(LettersSource::new(letters, schema, records_max)),
        SourceKind::Generator { batches } => Box::new(GeneratorSource::new(*batches)?),
        SourceKind::Nexmark { stream, events } => Box::new(NexmarkSource::new(*stream, *events, records_max)?),
    })
}

/// Opens a sink. A file sink's folder is looked at before and after its first hidden file is made in it.
async fn open_sink(
    sink: &SinkPlan,
    folders: &Folders,
    kept: Option<&Kept>,
    transactions: Option<&KafkaTransactions>,
) -> Result<Box<dyn Sink>, BuildError> {
    let named = |source| BuildError::Sink { name: sink.name.to_string(), source };
    match (&sink.config, transactions) {
        (SinkConfig::File(config), _) => {
            let within = || still_within(folders, &config.path, || format!("sinks.{}", sink.name));
            within()?;
            let mut config = config.clone();
            config.number_min = kept.map_or(1, |kept| kept.manifest.next_number(&sink.name));
            let opened = SinkConfig::File(config).build(&sink.schema).await.map_err(named)?;
            within()?;
            Ok(opened)
        }
        (SinkConfig::Kafka(config), Some(transactions)) => {
            Ok(Box::new(transactions.sink(config, &sink.schema).await.map_err(named)?))
        }
        (config, _) => config.build(&sink.schema).await.map_err(named),
    }
}

/// Whether a file that is to be written still lies where the check of the query file found it.
fn still_within(folders: &Folders, path: &Path, place: impl FnOnce() -> String) -> Result<(), BuildError> {
    let denied = match folders.output(path) {
        Ok(real) if real == path => return Ok(()),
        Ok(_) => Denied::Outside,
        Err(denied) => denied,
    };
    Err(BuildError::Denied { place: place(), source: denied })
}
