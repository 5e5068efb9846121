//! What the spans of a query say of its sources, stages and sinks, made once.

use weir_sinks::SinkConfig;

use weir_plan::{Guarantee, Plan, SinkPlan, SourceKind, SourcePlan, StagePlan};
use weir_trace::{Attributes, Places, SpanKind, SpanPlace};

/// Every place of a plan.
pub(super) fn places(plan: &Plan) -> Places {
    let query: Attributes =
        vec![("weir.tenant", plan.tenant.as_str().into()), ("weir.query", plan.name.as_str().into())];
    let mut commit = query.clone();
    let guarantee = match plan.delivery.guarantee {
        Guarantee::AtLeastOnce => "at_least_once",
        Guarantee::ExactlyOnce => "exactly_once",
    };
    commit.push(("weir.guarantee", guarantee.into()));
    let mut places = Places::default();
    places.sources = plan.sources.iter().map(|source| source_place(source, &query)).collect();
    places.stages = plan.stages.iter().map(|stage| stage_place(stage, &query)).collect();
    places.sinks = plan.sinks.iter().map(|sink| sink_place(sink, &query)).collect();
    (places.commit, places.query) = (commit, query);
    places
}

// The `messaging.*` names are of OpenTelemetry's semantic conventions for messaging and for Kafka, whose kinds the spans
// have too: to receive and to send a batch are requests of a client, and to work on it is a consumer's.

fn source_place(source: &SourcePlan, query: &Attributes) -> SpanPlace {
    let mut attributes = query.clone();
    attributes.push(("weir.source", (&source.name).into()));
    let kind = match &source.kind {
        SourceKind::Kafka(config) => {
            attributes.push(("messaging.system", "kafka".into()));
            attributes.push(("messaging.consumer.group.name", config.group.as_str().into()));
            SpanKind::Client
        }
        _ => SpanKind::Internal,
    };
    SpanPlace::new(kind, attributes)
}

fn stage_place(stage: &StagePlan, query: &Attributes) -> SpanPlace {
    let mut attributes = query.clone();
    attributes.push(("weir.stage", (&stage.name).into()));
    attributes.push(("weir.function", stage.function.name.as_str().into()));
    SpanPlace::new(SpanKind::Internal, attributes)
}

fn sink_place(sink: &SinkPlan, query: &Attributes) -> SpanPlace {
    let mut attributes = query.clone();
    attributes.push(("weir.sink", (&sink.name).into()));
    let kind = match &sink.config {
        SinkConfig::Kafka(config) => {
            attributes.push(("messaging.system", "kafka".into()));
            attributes.push(("messaging.destination.name", config.topic.as_str().into()));
            attributes.push(("messaging.operation.name", "send".into()));
            attributes.push(("messaging.operation.type", "send".into()));
            SpanKind::Client
        }
        _ => SpanKind::Internal,
    };
    SpanPlace::new(kind, attributes)
}
