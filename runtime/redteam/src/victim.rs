//! The tenant beside an attack: works back to back, checks every answer, and keeps the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use seen::lock;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir_batch::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use weir_batch::arrow::datatypes::Float64Type;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_sandbox::{Bound, Carry, Instance, Limits, Module};

use crate::ground::{Ground, tenant};
use crate::{RedteamError, Spread, guest};

/// Rows of a batch.
const ROWS: i64 = 8_192;
/// Different batches, taken in turn: an answer that belongs to another batch is then a wrong one.
const BATCHES: i64 = 4;

const MANIFEST: &str = r#"{"abi":1,"name":"sum","kind":"transform","output_shape":"filter_map","input":[{"name":"n","type":"i64"},{"name":"f","type":"f64"}],"output":[{"name":"total","type":"f64"}]}"#;

/// Windows of 1,024 rows: `n` at 0, `f` at 8,192, the sums at 16,384, the bitmap of kept rows at 24,576.
const BODY: &str = r#"(memory (export "memory") 1)
(func (export "weir_call_sum") (param $rows i32) (result i32)
  (local $row i32) (local $count i32) (local $i i32) (local $kept i32) (local $n i64) (local $bit i32)
  (loop $windows
    (local.set $count (i32.sub (local.get $rows) (local.get $row)))
    (if (i32.gt_u (local.get $count) (i32.const 1024)) (then (local.set $count (i32.const 1024))))
    (if (i32.ne (call $window (i32.const 0) (local.get $row) (local.get $count) (i32.const 0)) (local.get $count))
      (then (return (i32.const 1))))
    (if (i32.ne (call $window (i32.const 1) (local.get $row) (local.get $count) (i32.const 8192)) (local.get $count))
      (then (return (i32.const 2))))
    (memory.fill (i32.const 24576) (i32.const 0) (i32.const 128))
    (local.set $i (i32.const 0))
    (local.set $kept (i32.const 0))
    (loop $values
      (local.set $n (i64.load (i32.shl (local.get $i) (i32.const 3))))
      (if (i64.lt_s (local.get $n) (i64.const 500)) (then
        (f64.store (i32.add (i32.const 16384) (i32.shl (local.get $kept) (i32.const 3)))
          (f64.add (f64.convert_i64_s (local.get $n))
                   (f64.load (i32.add (i32.const 8192) (i32.shl (local.get $i) (i32.const 3))))))
        (local.set $kept (i32.add (local.get $kept) (i32.const 1)))
        (local.set $bit (i32.add (i32.const 24576) (i32.shr_u (local.get $i) (i32.const 3))))
        (i32.store8 (local.get $bit) (i32.or (i32.load8_u (local.get $bit))
          (i32.shl (i32.const 1) (i32.and (local.get $i) (i32.const 7)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $values (i32.lt_u (local.get $i) (local.get $count))))
    (if (call $emit_filter (i32.const 24576) (local.get $count)) (then (return (i32.const 3))))
    (if (call $emit_column (i32.const 0) (i32.const 16384) (local.get $kept) (i32.const 0)) (then (return (i32.const 4))))
    (local.set $row (i32.add (local.get $row) (local.get $count)))
    (br_if $windows (i32.lt_u (local.get $row) (local.get $rows))))
  (i32.const 0))"#;

/// A tenant that works until it is dropped, while it is not paused.
#[derive(Debug)]
pub(crate) struct Victim {
    seen: Arc<seen::Shared>,
    works: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// How a victim works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Back to back, and the time of each batch is kept.
    BackToBack,
    /// With a pause after each batch, and no time is kept: for runs of hours.
    Paced(Duration),
}

/// What a victim did in a while.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// Rows answered rightly.
    pub(crate) rows: u64,
    /// How long the while was.
    pub(crate) time: Duration,
    /// From one answer to the next.
    pub(crate) latency: Option<Spread>,
    /// The first wrong answer or error.
    pub(crate) wrong: Option<String>,
}

impl Span {
    pub(crate) fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// A batch, and the sums of its rows that are kept.
struct Task {
    batch: Arc<Batch>,
    sums: Vec<f64>,
}

impl Victim {
    /// Uploads the guest, and starts paused.
    pub(crate) fn start(ground: &Ground, name: &str, pace: Pace) -> Result<Victim, RedteamError> {
        // A tenant of its own, under limits of its own: what attackers may use says nothing of what it needs.
        let limits = Limits::default();
        let failed = |error: &dyn std::fmt::Display| RedteamError::Victim(error.to_string());
        let bytes = guest::wasm(MANIFEST, BODY);
        let module = ground.engine().admit(&tenant(name), &bytes, &limits).map_err(|error| failed(&error))?;
        let tasks = tasks().map_err(|error| failed(&error))?;
        let schema = tasks.first().map(|task| Arc::clone(task.batch.schema()));
        let schema = schema.ok_or_else(|| failed(&"it has no batches"))?;
        let function = module.manifest().functions.first().ok_or_else(|| failed(&"it has no function"))?;
        let bound = function
            .bind(&schema, &Carry::None, &BTreeMap::new())
            .map_err(|errors| RedteamError::Victim(format!("{errors:?}")))?;
        let seen = Arc::new(seen::Shared::default());
        let (works, working) = watch::channel(false);
        let task = ground.spawn(work(module, Arc::new(bound), limits, tasks, pace, working, Arc::clone(&seen)));
        Ok(Victim { seen, works, task })
    }

    /// Works on, until [`Victim::pause`].
    pub(crate) fn resume(&self) {
        lock(&self.seen).last = Instant::now();
        self.works.send_replace(true);
        self.take();
    }

    pub(crate) fn pause(&self) {
        self.works.send_replace(false);
    }

    /// What it did since it was last asked or resumed.
    pub(crate) fn take(&self) -> Span {
        let now = Instant::now();
        let seen = lock(&self.seen).take(now);
        let mut latencies = seen.latencies;
        // A batch that is not answered yet counts with its age, or a victim that starves would look well.
        if *self.works.borrow() {
            latencies.push(now.saturating_duration_since(seen.last));
        }
        let time = now.duration_since(seen.since);
        Span { rows: seen.rows, time, latency: Spread::of(latencies), wrong: seen.wrong }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work(
    module: Arc<Module>,
    bound: Arc<Bound>,
    limits: Limits,
    tasks: Vec<Task>,
    pace: Pace,
    mut working: watch::Receiver<bool>,
    seen: Arc<seen::Shared>,
) {
    let mut instance = Instance::new(&module, &bound, &limits);
    let mut last = Instant::now();
    for task in tasks.iter().cycle() {
        if !*working.borrow() {
            if working.wait_for(|works| *works).await.is_err() {
                return;
            }
            last = Instant::now();
        }
        let checked = match instance.call(&task.batch).await {
            Ok(outcome) => check(&outcome.output, &task.sums),
            Err(error) => Err(error.to_string()),
        };
        let now = Instant::now();
        lock(&seen).add(checked, (pace == Pace::BackToBack).then(|| now.duration_since(last)));
        last = now;
        match pace {
            Pace::BackToBack => tokio::task::yield_now().await,
            Pace::Paced(pause) => tokio::time::sleep(pause).await,
        }
    }
}

/// The rows answered, if the answer is right.
fn check(output: &Batch, sums: &[f64]) -> Result<u64, String> {
    let column = output.column(0).as_primitive::<Float64Type>();
    if column.null_count() > 0 || column.values()[..] != *sums {
        return Err(format!("a wrong answer: {} rows that should be {}, or other sums", output.rows(), sums.len()));
    }
    Ok(ROWS.unsigned_abs())
}

fn tasks() -> Result<Vec<Task>, weir_batch::BatchError> {
    let fields = vec![Field::new("n", DataType::I64), Field::new("f", DataType::F64)];
    let schema = Arc::new(Schema::new(fields)?);
    let task = |number: i64| {
        let n: Vec<i64> = (0..ROWS).map(|row| (row * 7 + number) % 1_000).collect();
        let f: Vec<f64> = (0..ROWS).map(|row| (row * (number + 1)) as f64 * 0.25).collect();
        let sums = n.iter().zip(&f).filter(|(n, _)| **n < 500).map(|(n, f)| *n as f64 + f).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(n)), Arc::new(Float64Array::from(f))];
        Ok(Task { batch: Arc::new(Batch::new(Arc::clone(&schema), columns)?), sums })
    };
    (0..BATCHES).map(task).collect()
}

/// What a victim has seen, behind a lock.
mod seen {
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::time::{Duration, Instant};

    pub(super) type Shared = Mutex<Seen>;

    #[derive(Debug)]
    pub(super) struct Seen {
        pub(super) since: Instant,
        /// When the last answer came.
        pub(super) last: Instant,
        pub(super) rows: u64,
        pub(super) latencies: Vec<Duration>,
        pub(super) wrong: Option<String>,
    }

    impl Default for Seen {
        fn default() -> Seen {
            let now = Instant::now();
            Seen { since: now, last: now, rows: 0, latencies: Vec::new(), wrong: None }
        }
    }

    impl Seen {
        pub(super) fn add(&mut self, checked: Result<u64, String>, latency: Option<Duration>) {
            match checked {
                Ok(rows) => self.rows += rows,
                Err(wrong) => {
                    self.wrong.get_or_insert(wrong);
                }
            }
            self.latencies.extend(latency);
            self.last = Instant::now();
        }

        pub(super) fn take(&mut self, now: Instant) -> Seen {
            std::mem::replace(self, Seen { since: now, last: self.last, ..Seen::default() })
        }
    }

    /// What is seen is a few numbers, whole at any moment: a panic elsewhere changes nothing in that.
    pub(super) fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
        seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_victim_works_while_it_is_not_paused_and_a_wrong_answer_is_told() {
        let ground = Ground::new(&Limits::default(), &weir_sandbox::EngineConfig::default()).unwrap();
        let victim = Victim::start(&ground, "victim", Pace::BackToBack).unwrap();
        victim.resume();
        std::thread::sleep(Duration::from_millis(200));
        let span = victim.take();
        assert_eq!(span.wrong, None);
        assert!(span.rows > 0 && span.rows.is_multiple_of(ROWS.unsigned_abs()), "{span:?}");
        assert!(span.latency.unwrap().count as u64 > span.rows / ROWS.unsigned_abs());
        victim.pause();
        std::thread::sleep(Duration::from_millis(50));
        victim.take();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(victim.take().rows, 0);

        let task = &tasks().unwrap()[0];
        let schema = Arc::new(Schema::new(vec![Field::new("total", DataType::F64)]).unwrap());
        let answer = |sums: Vec<f64>| {
            let column: ArrayRef = Arc::new(Float64Array::from(sums));
            Batch::new(Arc::clone(&schema), vec![column]).unwrap()
        };
        assert_eq!(check(&answer(task.sums.clone()), &task.sums), Ok(8_192));
        assert!(check(&answer(task.sums[1..].to_vec()), &task.sums).is_err());
        let mut other = task.sums.clone();
        other[4_000] += 1.0;
        assert!(check(&answer(other), &task.sums).is_err());
    }
}
