//! Everything that a query holds open, opened anew for each attempt.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use weir_kafka::KafkaProblem;
use weir_sinks::{
    KafkaKey, KafkaSink, KafkaSinkConfig, KafkaTimestamp, KafkaTransactions, KafkaValue, Prepared, Sink, SinkConfig,
    TransactionError, publish_prepared,
};

use super::commit::{Commit, FlushThenKeep, Kept, ManifestCommit, SinkCommit, TransactionCommit};
use super::error::BuildError;
use super::ids::{Nodes, SinkId, SourceId};
use super::metrics::MetricRegistry;
use super::open_source::open_source;
use super::running_source::OpenSource;
use super::shared::Shared;
use super::state::StateFolder;
use super::transactions::{has_slot, transactions};
use weir_files::{Denied, Folders};
use weir_letters::{DeadLetters, LETTER_COLUMN};
use weir_plan::{DeadLettersPlan, Guarantee, Plan, SinkPlan};
use weir_state::Positions;
use weir_state::StateManifest;

/// Sinks that stand in for those a plan names, by name: for tests and benches.
pub type SinkOverrides = HashMap<String, Box<dyn Sink>>;

/// What one attempt reads from and writes to, standing where the last commit left it.
pub(super) struct Opened {
    pub(super) sources: Nodes<SourceId, OpenSource>,
    pub(super) sinks: Nodes<SinkId, Box<dyn Sink>>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) commit: Box<dyn Commit>,
}

impl Opened {
    /// Finishes what a crashed run has committed and not published, and opens everything behind that: behind
    /// `committed`, where this run has committed something already. The metrics of earlier runs come in where `metrics`
    /// has none yet.
    pub(super) async fn open(
        shared: &Shared,
        given: &mut SinkOverrides,
        mut metrics: Option<&mut MetricRegistry>,
        committed: &Nodes<SourceId, Positions>,
    ) -> Result<Opened, BuildError> {
        let plan = &*shared.plan;
        let mut kept = match &plan.delivery.state {
            Some(folder) => Some(open_state(plan, folder).await?),
            None => None,
        };
        if let (Some(kept), Some(metrics)) = (&kept, &mut metrics) {
            restore(metrics, &kept.manifest);
        }
        // Before any source looks for its positions: what an older run left open is aborted by this.
        let transactions = open_transactions(shared).await?;
        let dead_letters = open_dead_letters(plan, kept.as_ref(), transactions.as_ref()).await?;
        // From here on the registry has them.
        kept.iter_mut().for_each(|kept| kept.manifest.metrics = Vec::new());
        let mut sinks = Vec::with_capacity(plan.sinks.len());
        for sink in &plan.sinks {
            sinks.push(match given.remove(&*sink.name) {
                Some(sink) => sink,
                None => open_sink(sink, &plan.folders, kept.as_ref(), transactions.as_ref()).await?,
            });
        }
        let mut sinks = sinks.into_iter().collect();
        // Where the file says nothing of where positions are kept, a sink may.
        let by_sink = match (&kept, &transactions) {
            (None, None) => SinkCommit::kept_by(plan, &mut sinks).await?,
            _ => None,
        };
        if let (Some((_, manifest)), Some(metrics)) = (&by_sink, &mut metrics) {
            restore(metrics, manifest);
        }
        let manifest = kept.as_ref().map(|kept| &kept.manifest).or(by_sink.as_ref().map(|(_, manifest)| manifest));
        let mut sources = Vec::with_capacity(plan.sources.len());
        for ((id, committed), source) in committed.pairs().zip(&plan.sources) {
            sources.push(open_source(plan, &shared.readers, id, source, manifest, committed).await?);
        }
        let commit: Box<dyn Commit> = match (plan.delivery.guarantee, kept, transactions, by_sink) {
            (Guarantee::ExactlyOnce, _, Some(transactions), _) => Box::new(TransactionCommit::new(transactions)),
            (Guarantee::ExactlyOnce, Some(kept), None, _) => Box::new(ManifestCommit::new(kept)),
            (_, None, _, Some((sink, manifest))) => Box::new(SinkCommit::new(sink, manifest)),
            (_, kept, _, _) => Box::new(FlushThenKeep::new(kept)),
        };
        let sources = sources.into_iter().collect();
        Ok(Opened { sources, sinks, dead_letters, commit })
    }
}

/// Takes over the metrics that an earlier run has counted.
fn restore(metrics: &mut MetricRegistry, manifest: &StateManifest) {
    let dropped = metrics.restore(manifest.metrics.clone());
    if dropped > 0 {
        tracing::warn!(
            "{dropped} metric series are dropped: no stage declares them any more, or they exceed the number or size that a query may have"
        );
    }
}

/// Takes the slot of a query whose transactions are called by it, and has aborted what dead processes left open: readers of
/// committed records wait for that, and need not wait for modules to be compiled.
pub(super) async fn take_slot(shared: &Shared) -> Result<(), BuildError> {
    let Shared { plan, slot, .. } = shared;
    if let Some((connection, settings)) = transactions(plan).filter(|_| has_slot(plan)) {
        slot.begin((plan.tenant.as_str(), &plan.name), connection, settings).await?;
    }
    Ok(())
}

/// Takes the state folder, and publishes the files that its manifest names. On a thread for such work: a manifest may be
/// large, and a disk slow.
async fn open_state(plan: &Plan, folder: &Path) -> Result<Kept, BuildError> {
    let (query, tenant) = (plan.name.clone(), plan.tenant.to_string());
    let (folders, folder) = (plan.folders.clone(), folder.to_owned());
    let opened = tokio::task::spawn_blocking(move || open_state_now(&query, &tenant, &folders, &folder));
    opened.await.map_err(|error| BuildError::Thread(error.to_string()))?
}

fn open_state_now(query: &str, tenant: &str, folders: &Folders, folder: &Path) -> Result<Kept, BuildError> {
    still_within(folders, &folder.join("manifest"), || "delivery.state".to_owned())?;
    let folder = StateFolder::open(folder, folders)?;
    let manifest = folder.load(query, tenant)?.unwrap_or_else(|| StateManifest {
        query: query.to_owned(),
        tenant: tenant.to_owned(),
        ..StateManifest::default()
    });
    for file in &manifest.files {
        let prepared = Prepared::new(file.hidden.clone(), file.path.clone(), file.number);
        // The manifest lies where the tenant may write, so that what it names is looked at like any other path.
        for path in [&prepared.hidden, &prepared.path] {
            still_within(folders, path, || "delivery.state".to_owned())?;
        }
        let done = publish_prepared(std::slice::from_ref(&prepared), |path| folders.folder(path));
        done.map_err(|source| BuildError::Sink { name: "delivery.state".to_owned(), source })?;
    }
    Ok(Kept::new(folder, manifest))
}

/// The transactions of a query that delivers exactly once to Kafka.
async fn open_transactions(shared: &Shared) -> Result<Option<KafkaTransactions>, BuildError> {
    let Shared { plan, slot, .. } = shared;
    let Some((connection, settings)) = transactions(plan) else { return Ok(None) };
    if let Some(id) = &plan.delivery.transactional_id {
        return Ok(Some(KafkaTransactions::open(&connection, id, &settings).await?));
    }
    loop {
        let id = slot.id(plan.tenant.as_str(), &plan.name).await?;
        match KafkaTransactions::open(&connection, &id, &settings).await {
            Err(TransactionError::Open { source: KafkaProblem::Fenced(_), .. }) => move_on(shared),
            opened => return Ok(Some(opened?)),
        }
    }
}

/// Has the query go on under another slot: somebody who does not see the locks of this one has the same.
pub(super) fn move_on(shared: &Shared) {
    if let Some(id) = shared.slot.move_on() {
        let (query, tenant) = (&shared.plan.name, shared.plan.tenant.as_str());
        tracing::warn!(
            query,
            tenant,
            id,
            "another process uses the same transactional id because it does not see the lock (another user, or a container with the same host name): this process continues with another slot"
        );
    }
}

async fn open_dead_letters(
    plan: &Plan,
    kept: Option<&Kept>,
    transactions: Option<&KafkaTransactions>,
) -> Result<Option<DeadLetters>, BuildError> {
    let path = match &plan.dead_letters {
        None => return Ok(None),
        Some(DeadLettersPlan::File(path)) => path,
        Some(DeadLettersPlan::Kafka(config)) => return letters_to_kafka(config, transactions).await.map(Some),
    };
    still_within(&plan.folders, path, || "dead_letters".to_owned())?;
    let committed = kept.and_then(|kept| kept.manifest.dead_letter_bytes);
    let letters = DeadLetters::to_file(path, &plan.folders, committed)?;
    // Somebody has taken the letters away since. Before new ones come, the manifest has to know.
    if let Some(kept) = kept.filter(|_| committed.is_some_and(|committed| letters.file_bytes() != Some(committed))) {
        let manifest = StateManifest { dead_letter_bytes: letters.file_bytes(), ..kept.manifest.clone() };
        let folder = Arc::clone(&kept.folder);
        let saved = tokio::task::spawn_blocking(move || folder.save(&manifest));
        saved.await.map_err(|error| BuildError::Thread(error.to_string()))??;
    }
    Ok(Some(letters))
}

/// Letters to a topic: in the query's transactions, where it has any.
async fn letters_to_kafka(
    config: &KafkaSinkConfig,
    transactions: Option<&KafkaTransactions>,
) -> Result<DeadLetters, BuildError> {
    let value = KafkaValue::Raw { column: LETTER_COLUMN.to_owned() };
    // The time of writing: under a record's own the topic's retention might take the letter at once.
    let timestamp = KafkaTimestamp::Now;
    let mut config = config.clone();
    config.value = value;
    config.timestamp = timestamp;
    config.key = KafkaKey::System;
    config.pass_headers = true;
    let schema = Arc::new(DeadLetters::schema()?);
    let named = |source| BuildError::Sink { name: "dead_letters".to_owned(), source };
    let sink: Box<dyn Sink> = match transactions {
        Some(transactions) => {
            // Letters have no wishes of their own.
            let settings = transactions.settings();
            config.connection = transactions.connection().clone();
            config.partitioner = settings.partitioner;
            config.compression = settings.compression;
            config.delivery_timeout = settings.delivery_timeout;
            Box::new(transactions.sink(&config, &schema).await.map_err(named)?)
        }
        None => Box::new(KafkaSink::open(&config, &schema).await.map_err(named)?),
    };
    Ok(DeadLetters::to_sink(sink)?)
}

/// Opens a sink. A file sink's folder is walked from the tenant's folder on, and kept open.
async fn open_sink(
    sink: &SinkPlan,
    folders: &Folders,
    kept: Option<&Kept>,
    transactions: Option<&KafkaTransactions>,
) -> Result<Box<dyn Sink>, BuildError> {
    let named = |source| BuildError::Sink { name: sink.name.to_string(), source };
    match (&sink.config, transactions) {
        (SinkConfig::File(config), _) => {
            still_within(folders, &config.path, || format!("sinks.{}", sink.name))?;
            let mut config = config.clone();
            config.beneath = folders.root_of(&config.path).map(Path::to_owned);
            config.number_min = kept.map_or(1, |kept| kept.manifest.next_number(&sink.name));
            SinkConfig::File(config).build(&sink.schema).await.map_err(named)
        }
        (SinkConfig::Kafka(config), Some(transactions)) => {
            // The same brokers, which may be written in another order.
            let config = (**config).clone().with(|it| it.connection = transactions.connection().clone());
            Ok(Box::new(transactions.sink(&config, &sink.schema).await.map_err(named)?))
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
