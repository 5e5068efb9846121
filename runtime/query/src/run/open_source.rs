//! Opening a source of a plan.

use std::sync::Arc;

use tokio::sync::Semaphore;
use weir_batch::Schema;
use weir_sources::{FileSource, GeneratorSource, KafkaSource, KafkaSourceConfig, NexmarkSource, Source};
use weir_state::{LETTERS_OF, Positions, StateManifest};

use super::error::BuildError;
use super::guest_stage::TRAPPED_RECORDS_MIN;
use super::ids::{Id, SourceId};
use super::running_source::OpenSource;
use super::transactions::transactions;
use weir_letters::LettersSource;
use weir_plan::{Guarantee, INFER_ROWS_MAX, Plan, SourceKind, SourcePlan};

/// What the manifest calls a source.
pub(super) fn name_in_manifest(source: &SourcePlan) -> String {
    match source.kind {
        SourceKind::Letters(_) => format!("{}{}", LETTERS_OF, source.name),
        _ => source.name.to_string(),
    }
}

/// Opens a source where the last commit left it: that of this run, which is `committed`, or that of an earlier one.
pub(super) async fn open_source(
    plan: &Plan,
    readers: &Arc<Semaphore>,
    id: SourceId,
    source: &SourcePlan,
    manifest: Option<&StateManifest>,
    committed: &Positions,
) -> Result<OpenSource, BuildError> {
    let named = |error| BuildError::Source { name: source.name.to_string(), source: error };
    // Only a run that has opened its sources before has positions here.
    let again = !committed.is_empty();
    let by_group = source.kind.kept_by_group();
    let mut opened = make_source(plan, readers, id, source, again)?;
    let positions = match manifest {
        _ if by_group => Positions::default(),
        None => committed.clone(),
        Some(manifest) => manifest.positions(&name_in_manifest(source)),
    };
    if !positions.is_empty() {
        opened.seek(&positions).await.map_err(named)?;
    }
    if by_group {
        opened.recall(committed);
    }
    let keeper = opened.keeper();
    Ok(OpenSource { source: opened, positions, keeper })
}

fn make_source(
    plan: &Plan,
    readers: &Arc<Semaphore>,
    id: SourceId,
    source: &SourcePlan,
    again: bool,
) -> Result<Box<dyn Source>, BuildError> {
    let (schema, records_max) = (&source.schema, plan.batching.records_max);
    let named = |error| BuildError::Source { name: source.name.to_string(), source: error };
    Ok(match &source.kind {
        SourceKind::File { paths, format, declared, csv, on_change } => {
            let fill = plan.batching.fill();
            let mut source = FileSource::new(paths.clone(), *format, Arc::clone(schema), fill).with_csv(csv.clone());
            source = source.on_change(*on_change).again(again);
            if !declared {
                source = source.inferred_from(INFER_ROWS_MAX as u64);
            }
            Box::new(source.within(plan.folders.clone()).sharing(Arc::clone(readers)))
        }
        SourceKind::Letters(letters) => {
            // Any number of them may end the guest again: that is no reason to take the function for broken.
            let letters_max = records_max.min(TRAPPED_RECORDS_MIN);
            Box::new(LettersSource::new(letters, schema, &plan.folders, letters_max).map_err(named)?)
        }
        SourceKind::Kafka(config) => {
            let config = kafka_source(plan, id.place(), schema, config);
            Box::new(KafkaSource::new(config, Arc::clone(schema)).map_err(named)?)
        }
        SourceKind::Custom(source) => source.open().map_err(named)?,
        SourceKind::Generator { batches } => Box::new(GeneratorSource::new(*batches)?),
        SourceKind::Nexmark { stream, events } => {
            // Its records are shorter than this.
            const RECORD_BYTES: usize = 512;
            let records_max = records_max.min(plan.batching.bytes_max / RECORD_BYTES).max(1);
            Box::new(NexmarkSource::new(*stream, *events, records_max).map_err(named)?)
        }
    })
}

/// The settings of the source at this index, with those that follow from the rest of the query: how batches are
/// filled, and whether a stage may want a record's bytes for a dead letter.
fn kafka_source(plan: &Plan, index: usize, schema: &Schema, config: &KafkaSourceConfig) -> KafkaSourceConfig {
    let mut config = config.clone();
    config.fill = plan.batching.fill().for_schema(schema);
    config.keep_raw = plan.keeps_originals(index);
    config.exactly_once = plan.delivery.guarantee == Guarantee::ExactlyOnce;
    config.kept_by_group = !config.exactly_once || transactions(plan).is_some();
    config.prefetch_records_max = config.prefetch_records_max.max(plan.batching.records_max);
    config
}
