//! Spans of queries whose exporter is in the test.

use std::path::Path;
use std::sync::{Arc, Mutex};

use weir_query::{Query, Summary};
use weir_sinks::MemoryHandle;
use weir_trace::{Sampler, Span, SpanExporter, SpanValue, Tracing};

use crate::support::{Text, engine, memory};

#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);

impl SpanExporter for Kept {
    fn export(&self, span: Span) {
        self.0.lock().expect("a lock").push(span);
    }
}

impl Kept {
    fn named(&self, name: &str) -> Vec<Span> {
        self.0.lock().expect("a lock").iter().filter(|span| span.name == name).cloned().collect()
    }
}

async fn run(text: &Text, sampler: Sampler) -> (Summary, MemoryHandle, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let (out, sinks) = memory(text, Path::new("."), "out");
    let query = Query::build_with(text.plan(Path::new(".")), &engine(), sinks).await.expect("a query");
    let exporter: Arc<dyn SpanExporter> = Arc::<Kept>::clone(&kept);
    let summary = query.traced(Tracing::new(sampler, exporter)).run().await.expect("a run");
    (summary, out, kept)
}

fn seed(batches: u64) -> Text {
    Text::new().seed("seed", batches).stage("pass", "seed", "pass", "").sink("out", "")
}

fn ratio(ratio: &str) -> Sampler {
    Sampler::named(Some("traceidratio"), Some(ratio)).expect("a sampler")
}

#[tokio::test]
async fn the_context_of_nearly_every_batch_is_set_without_a_copy() {
    let (summary, out, kept) = run(&seed(200), Sampler::default()).await;
    let (free, copied) = (summary.copy_on_write_free, summary.copy_on_write_copied);
    assert_eq!(free + copied, 200);
    assert!(free * 100 > (free + copied) * 95, "{free} free, {copied} copied");
    let batches = kept.named("weir.batch");
    assert_eq!(batches.len(), 200);
    // What reaches a sink says the span that it was part of.
    for batch in out.batches() {
        let context = batch.trace().expect("a context");
        assert!(context.sampled() && batches.iter().any(|span| span.context == context));
    }
}

#[tokio::test]
async fn each_step_is_a_span_of_its_batch() {
    let (_, _, kept) = run(&seed(3), Sampler::default()).await;
    for batch in kept.named("weir.batch") {
        assert!(batch.parent.is_none() && batch.links.is_empty());
        for name in ["weir.source", "weir.stage", "weir.sink"] {
            let of_batch: Vec<Span> =
                kept.named(name).into_iter().filter(|span| span.parent == Some(batch.context.span_id())).collect();
            let [child] = of_batch.as_slice() else { panic!("{name}: {of_batch:?}") };
            assert_eq!(child.context.trace_id(), batch.context.trace_id());
            assert!(batch.start <= child.start && child.start <= child.end && child.end <= batch.end, "{name}");
            assert!(child.attributes.contains(&("weir.records.in", SpanValue::Number(1000))), "{child:?}");
            assert_eq!(child.error, None);
        }
    }
    let commits = kept.named("weir.commit");
    let links: usize = commits.iter().map(|commit| commit.links.len()).sum();
    assert_eq!(links, 3, "each batch is linked by the commit that it is part of");
    assert_eq!(kept.0.lock().expect("a lock").len(), 3 * 4 + commits.len());
}

#[tokio::test]
async fn a_share_of_the_batches_is_sampled_and_the_others_have_no_context() {
    let (summary, out, kept) = run(&seed(400), ratio("0.25")).await;
    let traces = summary.traces.expect("a traced query");
    assert_eq!(traces.sampled + traces.unsampled, 400);
    assert!((40..160).contains(&traces.sampled), "{traces:?}");
    assert_eq!(kept.named("weir.batch").len() as u64, traces.sampled);
    assert_eq!(out.batches().iter().filter(|batch| batch.trace().is_some()).count() as u64, traces.sampled);
    assert_eq!(summary.copy_on_write_free, traces.sampled);

    let (summary, _, kept) = run(&seed(20), ratio("0")).await;
    assert!(kept.0.lock().expect("a lock").is_empty());
    assert_eq!((summary.copy_on_write_free, summary.copy_on_write_copied), (0, 0));
}

#[tokio::test]
async fn a_stage_that_fails_says_so_in_its_span() {
    let kept = Arc::new(Kept::default());
    let text = Text::new().seed("seed", 1).stage("bad", "faulty", "panics", "params = { at = 7 }").sink("out", "");
    let query = Query::build(text.plan(Path::new(".")), &engine()).await.expect("a query");
    let exporter: Arc<dyn SpanExporter> = Arc::<Kept>::clone(&kept);
    let error = query.traced(Tracing::new(Sampler::default(), exporter)).run().await.expect_err("a failure");
    let [stage] = kept.named("weir.stage").try_into().expect("one stage's span");
    let said = stage.error.expect("an error");
    assert!(error.to_string().contains(&said), "{error} does not say {said}");
    assert_eq!(kept.named("weir.batch").len(), 1);
}
