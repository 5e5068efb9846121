//! Resolves drafts of `[delivery]`, `[batching]` and `[dead_letters]`.

use std::path::Path;
use std::time::Duration;

use weir_config::{BatchingKeys, DeliveryKeys, FileLettersKeys, KeyPlace, LettersDraft, LettersKindDraft};

use super::absent::Part;
use super::context::Context;
use super::delivery::DeliveryPlaces;
use super::kafka_sink;
use super::plan::{Batching, DeadLettersPlan, Delivery};

/// Resolves `[delivery]`. Also returns the places of its keys, for checks that need the whole file.
pub(super) fn delivery(keys: &DeliveryKeys, cx: &mut Context<'_>) -> (Delivery, DeliveryPlaces) {
    let here = KeyPlace::default().child("delivery", 0);
    let places = DeliveryPlaces {
        guarantee: keys.guarantee.place_or(&here).clone(),
        state: keys.state.place_or(&here).clone(),
        transactional_id: keys.transactional_id.place_or(&here).clone(),
        commit_ms: keys.commit_ms.place_or(&here).clone(),
    };
    let state = keys.state.given().and_then(|(place, written)| {
        // The query writes a file in this folder.
        let manifest = cx.paths.output(place, &format!("{}/manifest", written.trim_end_matches('/')), false)?;
        manifest.parent().map(Path::to_owned)
    });
    let delivery = Delivery {
        guarantee: keys.guarantee.value.unwrap_or_default(),
        commit_every: keys.commit_ms.value.map(Duration::from_millis),
        state,
        transactional_id: keys.transactional_id.value.clone(),
    };
    (delivery, places)
}

/// Resolves `[batching]`.
pub(super) fn batching(keys: &BatchingKeys) -> Batching {
    let usual = Batching::default();
    let size = |value: Option<u64>, usual: usize| value.and_then(|it| usize::try_from(it).ok()).unwrap_or(usual);
    Batching {
        records_max: size(keys.records_max.value, usual.records_max),
        bytes_max: size(keys.bytes_max.value, usual.bytes_max),
        record_bytes_max: size(keys.record_bytes_max.value, usual.record_bytes_max),
        delay_max: keys.delay_ms_max.value.map_or(usual.delay_max, Duration::from_millis),
    }
}

/// Resolves `[dead_letters]`.
pub(super) fn dead_letters(draft: &LettersDraft, cx: &mut Context<'_>) -> Option<DeadLettersPlan> {
    match draft.kind.as_ref()? {
        LettersKindDraft::Kafka(keys) => {
            Part::Kafka.require(&draft.kind_place, cx.problems);
            kafka_sink::dead_letters(keys, cx).map(|config| DeadLettersPlan::Kafka(Box::new(config)))
        }
        LettersKindDraft::File(FileLettersKeys { path }) => {
            let (place, written) = path.given()?;
            if cx.paths.resolve(written).file_name().is_none() || written.ends_with('/') {
                cx.problems.error(place, "must end in the name of a file", "");
                return None;
            }
            cx.paths.output(place, written, false).map(DeadLettersPlan::File)
        }
    }
}
