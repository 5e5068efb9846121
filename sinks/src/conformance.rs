//! Checks that a sink fulfils the contract of [`Sink`].
//!
//! The tests of every implementation, including fakes, run [`check`] with a [`SinkPlace`].

mod batches;

use std::fmt;
use std::sync::Arc;
use weir_batch::Fault;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};

use crate::{Sink, SinkError, SinkStats, Written};

/// The destination of a sink's records, and how to read them back.
#[async_trait]
pub trait SinkPlace: Send {
    /// Opens a sink with an empty destination: records of earlier sinks must not be read back any more.
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError>;

    /// Opens another sink with the destination as it is. Only called for sinks that store data besides their output.
    async fn reopen(&mut self, _schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        Err(SinkError::NothingKept)
    }

    /// What a reader of the destination finds now.
    async fn read_back(&mut self, schema: &Arc<Schema>) -> ReadBack;

    /// Whether the purpose of the sink is to keep batches.
    fn keeps_batches(&self) -> bool {
        false
    }

    /// Whether the sink accepts batches after a flush.
    fn goes_on_after_flush(&self) -> bool {
        true
    }

    /// Whether the sink accepts records without fields.
    fn takes_records_without_fields(&self) -> bool {
        true
    }

    /// The length of text above which the sink refuses a row, without failing; more than 4,000, so that the other rows of the check
    /// are accepted. `None` if the sink accepts every row.
    fn refuses_text_above(&self) -> Option<usize> {
        None
    }

    /// What a sink leaves behind besides its output, such as hidden files.
    fn leftovers(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// What a reader finds.
#[derive(Clone, Debug)]
pub enum ReadBack {
    /// The records, in order.
    Batches(Vec<Arc<Batch>>),
    /// Only their number can be read back, because they are formatted for people.
    Count(usize),
    /// The destination does not keep records.
    Unreadable,
    /// Incomplete output.
    Torn(String),
}

/// A rule that a sink violated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule, in the words of [`Sink`].
    pub rule: &'static str,
    /// What happened instead.
    pub detail: String,
}

impl Violation {
    /// Who has to act: the author of the sink.
    pub fn fault(&self) -> Fault {
        Fault::Internal
    }

    /// Whether the same check may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}

impl std::error::Error for Violation {}

const ALL_ONCE_IN_ORDER: &str = "all, once, in order";
const FLUSH_IS_DURABLE: &str = "flush is durable";
const ERRORS_LAST: &str = "errors last";
const CLOSE_IS_THE_END: &str = "close is the end";
const DROPPED_IS_GONE: &str = "dropped is gone";
const BATCHES_ARE_SHARED: &str = "batches are shared";
const COUNT: &str = "count";
const REFUSED_ROWS_ARE_NAMED: &str = "refused rows are named";
const KEEP_IN_ONE_STEP: &str = "keep in one step";

/// Checks the contract with this destination.
///
/// # Errors
///
/// The first rule that the sink violated.
pub async fn check<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    all_once_in_order(place).await?;
    records_without_fields(place).await?;
    flush_is_durable(place).await?;
    errors_last(place).await?;
    close_is_the_end(place).await?;
    dropped_is_gone(place).await?;
    batches_are_shared(place).await?;
    refused_rows_are_named(place).await?;
    keep_in_one_step(place).await
}

/// Checks that a batch is written and no row is refused.
async fn taken(rule: &'static str, step: &str, sink: &mut Box<dyn Sink>, batch: &Arc<Batch>) -> Result<(), Violation> {
    let Written { refused } = owed(rule, step, sink.write(Arc::clone(batch)).await)?;
    expect(rule, refused.is_empty(), || format!("{step} refused {refused:?}"))
}

/// Checks that a call succeeds, as the contract promises.
fn owed<T>(rule: &'static str, step: &str, result: Result<T, SinkError>) -> Result<T, Violation> {
    result.map_err(|error| Violation { rule, detail: format!("{step} failed: {error}") })
}

/// Checks that a call fails, as the contract promises.
fn refused<T>(rule: &'static str, step: &str, result: Result<T, SinkError>) -> Result<(), Violation> {
    match result {
        Ok(_) => Err(Violation { rule, detail: format!("{step} was accepted") }),
        Err(_) => Ok(()),
    }
}

fn expect(rule: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { rule, detail: detail() }) }
}

/// Checks that the reader finds exactly these rows.
async fn finds<P: SinkPlace>(
    place: &mut P,
    rule: &'static str,
    when: &str,
    schema: &Arc<Schema>,
    expected: &[Arc<Batch>],
) -> Result<(), Violation> {
    let expected = batches::rows(expected);
    let detail = match place.read_back(schema).await {
        ReadBack::Unreadable => return Ok(()),
        ReadBack::Torn(what) => format!("{when} the reader finds something torn: {what}"),
        ReadBack::Count(found) if found == expected.len() => return Ok(()),
        ReadBack::Count(found) => format!("{when} the reader counts {found} records of {}", expected.len()),
        ReadBack::Batches(found) => {
            let found = batches::rows(&found);
            if found == expected {
                return Ok(());
            }
            let row = found.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
            let (one, other) = (found.get(row), expected.get(row));
            let (found, expected) = (found.len(), expected.len());
            format!(
                "{when} the reader finds {found} records of {expected}; number {row} is {one:?}, written as {other:?}"
            )
        }
    };
    Err(Violation { rule, detail })
}

/// Opens a new sink, writes all of these batches and closes it.
async fn written_and_closed<P: SinkPlace>(
    place: &mut P,
    schema: &Arc<Schema>,
    written: &[Arc<Batch>],
) -> Result<(), Violation> {
    let rule = ALL_ONCE_IN_ORDER;
    let mut sink = owed(rule, "open", place.open(schema).await)?;
    for batch in written {
        taken(rule, "write", &mut sink, batch).await?;
    }
    let rows: usize = written.iter().map(|batch| batch.rows()).sum();
    let stats = sink.stats();
    expect(COUNT, (stats.records, stats.batches) == (rows as u64, written.len() as u64), || {
        format!("{stats:?} after {rows} records in {} batches", written.len())
    })?;
    owed(rule, "close", sink.close().await)?;
    finds(place, rule, "after close", schema, written).await
}

async fn all_once_in_order<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let schema = batches::schema();
    let of = |first, rows| batches::batch(&schema, first, rows);
    written_and_closed(place, &schema, &[]).await?;
    written_and_closed(place, &schema, &[of(0, 0)]).await?;
    written_and_closed(place, &schema, &[of(0, 1)]).await?;
    let odd = batches::every_second(&of(100, 9));
    let none = batches::none_of(&of(200, 5));
    let written = [of(0, 3), of(3, 0), odd, none, of(300, 1), of(301, 5_000), of(0, 3)];
    written_and_closed(place, &schema, &written).await
}

async fn records_without_fields<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let schema = Arc::new(batches::no_fields());
    let batch = Batch::with_rows(Arc::clone(&schema), vec![], 3).map(Arc::new);
    let batch = owed(ALL_ONCE_IN_ORDER, "making a batch", batch.map_err(|error| SinkError::Encode(error.into())))?;
    if place.takes_records_without_fields() {
        return written_and_closed(place, &schema, &[batch]).await;
    }
    // The sink may refuse them, already when it is opened, but must not lose them.
    if let Ok(mut sink) = place.open(&schema).await {
        refused(ALL_ONCE_IN_ORDER, "a record without fields", sink.write(batch).await)?;
    }
    Ok(())
}

async fn flush_is_durable<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = FLUSH_IS_DURABLE;
    let schema = batches::schema();
    let (one, two, three) =
        (batches::batch(&schema, 0, 5), batches::batch(&schema, 5, 5), batches::batch(&schema, 10, 5));
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    owed(rule, "a flush without a write", sink.flush().await)?;
    taken(rule, "write", &mut sink, &one).await?;
    if let ReadBack::Torn(what) = place.read_back(&schema).await {
        return Err(Violation { rule, detail: format!("before flush the reader finds something torn: {what}") });
    }
    taken(rule, "a second write", &mut sink, &two).await?;
    owed(rule, "flush", sink.flush().await)?;
    finds(place, rule, "after flush", &schema, &[Arc::clone(&one), Arc::clone(&two)]).await?;
    owed(rule, "a second flush", sink.flush().await)?;
    finds(place, rule, "after a second flush", &schema, &[Arc::clone(&one), Arc::clone(&two)]).await?;
    if !place.goes_on_after_flush() {
        refused(rule, "a write that cannot be published any more", sink.write(three).await)?;
        return finds(place, rule, "after a refused write", &schema, &[one, two]).await;
    }
    taken(rule, "a write after flush", &mut sink, &three).await?;
    owed(rule, "close", sink.close().await)?;
    finds(place, rule, "after close", &schema, &[one, two, three]).await
}

async fn keep_in_one_step<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = KEEP_IN_ONE_STEP;
    let schema = batches::schema();
    let (one, two) = (batches::batch(&schema, 0, 5), batches::batch(&schema, 5, 5));
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    if owed(rule, "asking what is kept", sink.kept().await)?.is_none() {
        return refused(rule, "a commit by a sink that keeps nothing", sink.commit(b"kept").await);
    }
    taken(rule, "write", &mut sink, &one).await?;
    owed(rule, "commit", sink.commit(b"kept").await)?;
    finds(place, rule, "after commit", &schema, &[Arc::clone(&one)]).await?;
    taken(rule, "a write after commit", &mut sink, &two).await?;
    drop(sink);
    let mut sink = owed(rule, "open again", place.reopen(&schema).await)?;
    let kept = owed(rule, "asking what is kept", sink.kept().await)?;
    expect(rule, kept.as_deref() == Some(b"kept"), || format!("a new sink has kept {kept:?}"))?;
    finds(place, rule, "after what was not committed is gone", &schema, &[one]).await
}

async fn errors_last<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = ERRORS_LAST;
    let schema = batches::schema();
    let batch = batches::batch(&schema, 0, 5);
    let foreign = batches::foreign();
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    taken(rule, "write", &mut sink, &batch).await?;
    refused(rule, "a batch of another schema", sink.write(foreign).await)?;
    refused(rule, "a write after an error", sink.write(batch).await)?;
    refused(rule, "a flush after an error", sink.flush().await)?;
    refused(rule, "a close after an error", sink.close().await)?;
    drop(sink);
    let left = place.leftovers();
    expect(rule, left.is_empty(), || format!("after an error it leaves {left:?}"))
}

async fn close_is_the_end<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = CLOSE_IS_THE_END;
    let schema = batches::schema();
    let batch = batches::batch(&schema, 0, 5);
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    taken(rule, "write", &mut sink, &batch).await?;
    owed(rule, "close", sink.close().await)?;
    finds(place, rule, "after close", &schema, std::slice::from_ref(&batch)).await?;
    let left = place.leftovers();
    expect(rule, left.is_empty(), || format!("after close it leaves {left:?}"))?;
    expect(rule, sink.next_deadline().is_none(), || "a closed sink has a deadline".to_owned())?;
    owed(rule, "a second close", sink.close().await)?;
    refused(rule, "a write after close", sink.write(Arc::clone(&batch)).await)?;
    refused(rule, "a flush after close", sink.flush().await)?;
    drop(sink);
    finds(place, rule, "after a refused write", &schema, &[batch]).await
}

async fn dropped_is_gone<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = DROPPED_IS_GONE;
    let schema = batches::schema();
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    taken(rule, "write", &mut sink, &batches::batch(&schema, 0, 5)).await?;
    drop(sink);
    if let ReadBack::Torn(what) = place.read_back(&schema).await {
        return Err(Violation { rule, detail: format!("the reader finds something torn: {what}") });
    }
    let left = place.leftovers();
    expect(rule, left.is_empty(), || format!("it leaves {left:?}"))
}

async fn batches_are_shared<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = BATCHES_ARE_SHARED;
    let schema = batches::schema();
    let batch = batches::every_second(&batches::batch(&schema, 0, 9));
    let before = batch.to_string();
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    taken(rule, "write", &mut sink, &batch).await?;
    owed(rule, "flush", sink.flush().await)?;
    let (held, may_hold) = (Arc::strong_count(&batch) - 1, usize::from(place.keeps_batches()));
    expect(rule, held <= may_hold, || format!("after flush {held} references to the batch are held"))?;
    owed(rule, "close", sink.close().await)?;
    expect(rule, batch.to_string() == before, || "the batch was altered".to_owned())
}

async fn refused_rows_are_named<P: SinkPlace>(place: &mut P) -> Result<(), Violation> {
    let rule = REFUSED_ROWS_ARE_NAMED;
    let Some(text_bytes) = place.refuses_text_above() else { return Ok(()) };
    let schema = batches::schema();
    let long = |first, rows, long: &[usize]| batches::with_long_text(&schema, first, rows, long, text_bytes + 1);
    // Batches with the rows that are refused: in a selection, all rows, and none.
    let mixed = long(0, 6, &[1, 4]);
    let selected = batches::every_second(&long(100, 7, &[1, 2, 6]));
    let of = |first, rows| batches::batch(&schema, first, rows);
    let written =
        [(mixed, vec![1, 4]), (selected, vec![1, 3]), (long(200, 2, &[0, 1]), vec![0, 1]), (of(300, 3), vec![])];
    let mut sink = owed(rule, "open", place.open(&schema).await)?;
    let mut kept = Vec::new();
    for (batch, expected) in &written {
        let Written { refused } = owed(rule, "write", sink.write(Arc::clone(batch)).await)?;
        let rows: Vec<usize> = refused.iter().map(|refused| refused.row).collect();
        expect(rule, rows == *expected, || format!("it names rows {rows:?} of {expected:?} that are too long"))?;
        kept.push(batches::without(batch, expected));
    }
    let SinkStats { records, .. } = sink.stats();
    let rows: usize = kept.iter().map(|batch| batch.rows()).sum();
    expect(COUNT, records == rows as u64, || format!("{records} records counted after {rows} were taken"))?;
    owed(rule, "flush", sink.flush().await)?;
    finds(place, rule, "after rows were refused", &schema, &kept).await?;
    owed(rule, "close", sink.close().await)
}
