//! Many sinks, one batch: what they share, and what one does to the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use weir_batch::Batch;
use weir_query::{Ending, SinkOverrides};
use weir_sinks::{MemoryHandle, MemorySink, Sink, SinkError, SinkStats, Written};

use crate::support::{Text, ids, memory, run, run_with};

fn memory_sinks(text: &Text, names: &[&str]) -> (Vec<MemoryHandle>, SinkOverrides) {
    let plan = text.plan(std::path::Path::new("."));
    let mut handles = Vec::new();
    let mut sinks = SinkOverrides::new();
    for name in names {
        let sink = plan.sinks.iter().find(|sink| &*sink.name == *name).expect("the sink");
        let handle = MemoryHandle::default();
        sinks.insert((*name).to_owned(), Box::new(MemorySink::new(&sink.schema, handle.clone())));
        handles.push(handle);
    }
    (handles, sinks)
}

#[tokio::test]
async fn ten_sinks_get_the_same_batches_and_not_copies_of_them() {
    let names: Vec<String> = (0..10).map(|index| format!("sink-{index}")).collect();
    let mut text = Text::new().seed("seed", 5).stage("pass", "seed", "pass", "");
    for name in &names {
        text = text.sink(name, "");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (handles, sinks) = memory_sinks(&text, &names);
    let summary = run(&text, std::path::Path::new("."), sinks).await.expect("a run");
    let first = handles[0].batches();
    assert_eq!(first.len(), 5);
    for handle in &handles[1..] {
        for (one, other) in first.iter().zip(handle.batches()) {
            assert!(Arc::ptr_eq(one, &other));
        }
    }
    // All five batches of the generator are the template's columns, through the filter too.
    assert!(first.iter().all(|batch| Arc::ptr_eq(batch.column(1), first[0].column(1))));
    // Nobody asked for traces: nothing was written to.
    assert_eq!((summary.copy_on_write_free, summary.copy_on_write_copied), (0, 0));
    assert!(first.iter().all(|batch| batch.trace().is_none()));
}

#[tokio::test]
async fn each_sink_gets_what_leaves_the_point_it_is_attached_to() {
    let text = Text::new()
        .seed("seed", 2)
        .stage("wanted", "seed", "two_field", "")
        .stage("product", "seed", "product", "carry = [\"id\"]")
        .sink("raw", "input = \"seed\"")
        .sink("kept", "input = \"wanted\"")
        .sink("last", "");
    let (handles, sinks) = memory_sinks(&text, &["raw", "kept", "last"]);
    run(&text, std::path::Path::new("."), sinks).await.expect("a run");
    let wanted: Vec<i64> =
        (0..2).flat_map(|_| (0..1000).filter(|id| id % 2 == 0 && *id as f64 * 1.5 > 100.0)).collect();
    assert_eq!(ids(&handles[0].batches()).len(), 2000);
    assert_eq!(ids(&handles[1].batches()), wanted);
    assert_eq!(ids(&handles[2].batches()), wanted);
    let names: Vec<String> =
        handles[2].batches()[0].schema().fields().iter().map(|field| field.name.to_string()).collect();
    assert_eq!(names, ["id", "product"]);
}

#[tokio::test]
async fn several_sources_all_arrive_and_the_end_of_one_is_not_the_end_of_all() {
    let text = Text::new().seed("short", 1).seed("long", 40).stage("pass", "seed", "pass", "").sink("out", "");
    let (out, sinks) = memory(&text, std::path::Path::new("."), "out");
    let summary = run(&text, std::path::Path::new("."), sinks).await.expect("a run");
    assert_eq!(ids(&out.batches()).len(), 41_000);
    let read: Vec<u64> = summary.progress.sources.iter().map(|source| source.records).collect();
    assert_eq!(read, [1000, 40_000]);
}

/// A sink that waits, fails, or says that its reader is gone, after some batches.
struct Misbehaving {
    after: usize,
    written: usize,
    how: How,
    in_flight: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum How {
    Stall,
    Fail,
    ReaderGone,
}

#[async_trait]
impl Sink for Misbehaving {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        drop(batch);
        self.written += 1;
        self.in_flight.store(self.written, Ordering::SeqCst);
        if self.written <= self.after {
            return Ok(Written::ALL);
        }
        match self.how {
            How::Stall => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok(Written::ALL)
            }
            How::Fail => Err(SinkError::Stdout(std::io::Error::other("the disk is on fire"))),
            How::ReaderGone => Err(SinkError::ReaderGone),
        }
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn stats(&self) -> SinkStats {
        let mut stats = SinkStats::default();
        stats.batches = self.written as u64;
        stats
    }
}

fn misbehaving(how: How, after: usize) -> (Arc<AtomicUsize>, SinkOverrides) {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let sink: Box<dyn Sink> = Box::new(Misbehaving { after, written: 0, how, in_flight: Arc::clone(&in_flight) });
    (in_flight, SinkOverrides::from([("bad".to_owned(), sink)]))
}

fn two_sinks() -> Text {
    Text::new().seed("seed", 1_000_000).sink("bad", "").sink("good", "queue_batches_max = 4")
}

#[tokio::test]
async fn a_sink_that_fails_fails_the_query_by_name() {
    let (_, sinks) = misbehaving(How::Fail, 3);
    let error = run(&two_sinks(), std::path::Path::new("."), sinks).await.expect_err("a failure");
    assert_eq!(error.to_string(), "sinks.bad: cannot write to standard output: the disk is on fire");
    assert_eq!(error.summary.ending, Ending::Failed);
    assert_eq!(error.summary.progress.committed_records, 0);
}

#[tokio::test]
async fn a_reader_that_is_gone_drains_the_query_and_the_other_sink_keeps_what_was_taken_in() {
    let text = two_sinks();
    let (_, mut sinks) = misbehaving(How::ReaderGone, 3);
    let (good, more) = memory(&text, std::path::Path::new("."), "good");
    sinks.extend(more);
    let summary = run(&text, std::path::Path::new("."), sinks).await.expect("a quiet end");
    assert_eq!(summary.ending, Ending::ReaderGone);
    let kept = ids(&good.batches()).len() as u64;
    assert!(kept >= 3000);
    assert_eq!(summary.progress.sinks[1].records, kept);
}

#[tokio::test]
async fn what_a_gone_reader_misses_the_sinks_after_it_and_later_stages_still_get() {
    // The sink whose reader goes stands first, and before the stage.
    let text = Text::new()
        .seed("seed", 1_000_000)
        .stage("seen", "faulty", "seen", "")
        .sink("bad", "input = \"seed\"")
        .sink("good", "input = \"seen\"");
    let (_, mut sinks) = misbehaving(How::ReaderGone, 3);
    let (good, more) = memory(&text, std::path::Path::new("."), "good");
    sinks.extend(more);
    let summary = run(&text, std::path::Path::new("."), sinks).await.expect("a quiet end");
    assert_eq!(summary.ending, Ending::ReaderGone);
    let kept = ids(&good.batches()).len() as u64;
    assert_eq!(summary.progress.committed_records, kept);
    assert_eq!(crate::support::counter(&summary, "records"), kept as f64);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_is_noticed_while_another_stalls() {
    let text = Text::new().seed("seed", 1_000_000).sink("bad", "").sink("stalled", "");
    let (_, mut sinks) = misbehaving(How::Fail, 2);
    let (_, stalled) = misbehaving(How::Stall, 0);
    sinks.extend(stalled.into_values().map(|sink| ("stalled".to_owned(), sink)));
    let ended = tokio::time::timeout(Duration::from_secs(600), run(&text, std::path::Path::new("."), sinks)).await;
    let error = ended.expect("an end before the stall's").expect_err("a failure");
    assert!(error.to_string().starts_with("sinks.bad: "), "{error}");
}

#[tokio::test]
async fn a_query_that_is_dropped_publishes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = Text::new().seed("seed", 1_000_000).add("[sinks.file]\nkind = \"file\"\npath = \"out.csv\"");
    let query = weir_query::Query::build(text.plan(folder.path()), &crate::support::engine()).await.expect("a query");
    let handle = query.handle();
    let running = query.run();
    let some = async {
        while handle.progress().sources[0].batches < 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = running => panic!("it ended"),
        () = some => {}
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!folder.path().join("out.csv").exists());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stalls_holds_the_query_back_at_its_queue_and_nothing_piles_up() {
    let text = two_sinks();
    let (written, sinks) = misbehaving(How::Stall, 3);
    let engine = crate::support::engine();
    let query = weir_query::Query::build_with(text.plan(std::path::Path::new(".")), &engine, sinks);
    let query = query.await.expect("a query");
    let handle = query.handle();
    let running = tokio::spawn(query.run());
    tokio::time::sleep(Duration::from_secs(60)).await;
    let progress = handle.progress();
    assert_eq!(written.load(Ordering::SeqCst), 4, "the stalled sink has three batches and one in hand");
    let read = progress.sources[0].batches;
    // One in the sink's hand, four in its queue, one that waits to be queued.
    assert!(read <= 4 + 4 + 1, "{read} batches were taken in");
    running.abort();
}

#[tokio::test]
async fn a_stop_drains_what_was_taken_in() {
    let text = Text::new().seed("seed", 1_000_000).stage("pass", "seed", "pass", "").sink("out", "");
    let (out, sinks) = memory(&text, std::path::Path::new("."), "out");
    let summary = run_with(&text, std::path::Path::new("."), sinks, |handle| {
        tokio::spawn(async move {
            while handle.progress().sources[0].batches < 20 {
                tokio::task::yield_now().await;
            }
            handle.stop();
        });
    });
    let summary = summary.await.expect("a run");
    assert_eq!(summary.ending, Ending::Stopped);
    let read = summary.progress.sources[0].records;
    assert!((20_000..1_000_000_000).contains(&read));
    assert_eq!(ids(&out.batches()).len() as u64, read);
    assert_eq!(summary.progress.committed_records, read);
    assert!(summary.adds_up());
}

/// The query into a memory sink over this handle, with another sink beside it.
async fn into_memory(text: &Text, handle: &MemoryHandle, beside: &MemoryHandle) -> weir_query::Query {
    let plan = text.plan(std::path::Path::new("."));
    let sinks = plan.sinks.iter().zip([handle, beside]).map(|(sink, handle)| {
        let memory: Box<dyn Sink> = Box::new(MemorySink::new(&sink.schema, handle.clone()));
        (sink.name.to_string(), memory)
    });
    let sinks = sinks.collect();
    weir_query::Query::build_with(plan, &crate::support::engine(), sinks).await.expect("a query")
}

#[tokio::test]
async fn a_sink_that_keeps_positions_has_each_record_once_through_runs_that_are_cut_off() {
    let text = Text::new()
        .seed("seed", 40)
        .stage("seen", "faulty", "seen", "")
        .sink("table", "queue_batches_max = 1")
        .sink("beside", "")
        .add("[delivery]\ncommit_ms = 1");
    let (table, beside) = (MemoryHandle::new().keeping_positions(), MemoryHandle::new());
    for round in 1..4 {
        let query = into_memory(&text, &table, &beside).await;
        let handle = query.handle();
        let some = async {
            while handle.progress().committed_records < 2000 * round {
                tokio::task::yield_now().await;
            }
        };
        // Dropped where it is, as with the process: some of what the sinks have is not committed.
        tokio::select! {
            biased;
            ended = query.run() => panic!("it ended: {ended:?}"),
            () = some => {}
        }
    }
    let summary = into_memory(&text, &table, &beside).await.run().await.expect("a run");
    let wanted: Vec<i64> = (0..40).flat_map(|_| 0..1000).collect();
    assert_eq!(ids(&table.batches()), wanted);
    // The other sink has each of them at least once, and functions' metrics have it once.
    assert!(beside.rows() >= wanted.len(), "{}", beside.rows());
    assert_eq!(crate::support::counter(&summary, "records"), wanted.len() as f64);
    assert!(summary.records_read() < wanted.len() as u64, "{}", summary.records_read());
}

#[tokio::test]
async fn positions_that_another_query_keeps_in_a_sink_are_refused() {
    let table = MemoryHandle::new().keeping_positions();
    let text = Text::new().seed("seed", 1).sink("table", "");
    let sink = |text: &Text| {
        let plan = text.plan(std::path::Path::new("."));
        let memory: Box<dyn Sink> = Box::new(MemorySink::new(&plan.sinks[0].schema, table.clone()));
        (plan, SinkOverrides::from([("table".to_owned(), memory)]))
    };
    let engine = crate::support::engine();
    let (plan, sinks) = sink(&text);
    let query = weir_query::Query::build_with(plan, &engine, sinks).await.expect("a query");
    query.run().await.expect("a run");
    let (plan, sinks) = sink(&text.replace("name = \"test\"", "name = \"other\""));
    let error = weir_query::Query::build_with(plan, &engine, sinks).await.err().expect("a refusal").to_string();
    assert!(error.contains("sinks.table") && error.contains("test"), "{error}");
}
