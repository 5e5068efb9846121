//! The loops over a batch: read a window, call the author's function for each row, emit the results.

use std::cell::RefCell;

use weir_abi::WINDOW_ROWS;

use crate::answer::Answer;
use crate::metrics::Metrics;
use crate::params::Params;
use crate::row::ReadRow;
use crate::sink::Sink;

/// Processes a batch with this number of rows.
type Run = Box<dyn FnMut(u32)>;

/// The state of an exported function, which its init function creates.
pub struct Runner(RefCell<Option<Run>>);

impl Runner {
    /// Empty.
    #[expect(clippy::new_without_default, reason = "only made by an expansion, in a constant")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Replaces the state.
    pub fn set(&self, run: Run) {
        *self.0.borrow_mut() = Some(run);
    }

    /// Processes a batch of `rows` rows.
    pub fn run(&self, rows: u32) {
        match &mut *self.0.borrow_mut() {
            Some(run) => run(rows),
            None => panic!("the init function was not called"),
        }
    }
}

/// Runs a transform, for a function that processes a row of a window.
pub fn transform<R: ReadRow<'static>, P: Params + 'static, A: Answer>(
    call: impl Fn(&R::Columns, &P, &mut A::Sink, usize) + 'static,
) -> Run {
    let mut transform = Transform::<_, P, A::Sink>::new(R::columns());
    Box::new(move |rows| transform.run(rows, R::fill, &call))
}

/// Runs a transform with state, for functions that create the state and process a row of a window.
pub fn stateful<R: ReadRow<'static>, P: Params, A: Answer, T: 'static>(
    start: impl FnOnce(P) -> T,
    call: impl Fn(&R::Columns, &mut T, &mut A::Sink, usize) + 'static,
) -> Run {
    let mut transform = Stateful::<_, T, A::Sink>::new(R::columns(), start(P::load()));
    Box::new(move |rows| transform.run(rows, R::fill, &call))
}

/// Runs a set of metrics, for a function that observes a row of a window.
pub fn metrics<M: Metrics, R: ReadRow<'static>>(call: impl Fn(&R::Columns, &mut M, usize) + 'static) -> Run {
    let mut observer = Observer::<_, M>::new(R::columns());
    Box::new(move |rows| observer.run(rows, R::fill, &call))
}

/// The state of a transform between batches: buffers and parameters.
pub struct Transform<C, P, S> {
    columns: C,
    params: P,
    sink: S,
}

impl<C, P: Params, S: Sink> Transform<C, P, S> {
    /// With empty `columns`, and the parameters of the query.
    pub fn new(columns: C) -> Self {
        Self { columns, params: P::load(), sink: S::new() }
    }

    /// Processes a batch of `rows` rows.
    #[inline(always)]
    pub fn run(&mut self, rows: u32, fill: impl Fn(&mut C, u32, usize) -> usize, call: impl Fn(&C, &P, &mut S, usize)) {
        let Self { columns, params, sink } = self;
        windows(rows, |row, count| {
            let count = fill(columns, row, count);
            sink.begin(row);
            each(columns, sink, count, |columns, sink, slot| call(columns, params, sink, slot));
            sink.end(count);
            count
        });
        sink.finish();
    }
}

/// The state of a transform with state between batches: buffers, and the author's value.
pub struct Stateful<C, T, S> {
    columns: C,
    state: T,
    sink: S,
}

impl<C, T, S: Sink> Stateful<C, T, S> {
    /// With empty `columns`, and the author's initial value.
    pub fn new(columns: C, state: T) -> Self {
        Self { columns, state, sink: S::new() }
    }

    /// Processes a batch of `rows` rows.
    #[inline(always)]
    pub fn run(
        &mut self,
        rows: u32,
        fill: impl Fn(&mut C, u32, usize) -> usize,
        call: impl Fn(&C, &mut T, &mut S, usize),
    ) {
        let Self { columns, state, sink } = self;
        windows(rows, |row, count| {
            let count = fill(columns, row, count);
            sink.begin(row);
            each(columns, &mut (&mut *state, &mut *sink), count, |columns, (state, sink), slot| {
                call(columns, state, sink, slot);
            });
            sink.end(count);
            count
        });
        sink.finish();
    }
}

/// The state of a set of metrics between batches.
pub struct Observer<C, M> {
    columns: C,
    metrics: M,
}

impl<C, M: Metrics> Observer<C, M> {
    /// With empty `columns`, and the author's metrics bound and started.
    pub fn new(columns: C) -> Self {
        let mut metrics = M::default();
        metrics.bind();
        metrics.start(M::Params::load());
        Self { columns, metrics }
    }

    /// Processes a batch of `rows` rows.
    #[inline(always)]
    pub fn run(&mut self, rows: u32, fill: impl Fn(&mut C, u32, usize) -> usize, call: impl Fn(&C, &mut M, usize)) {
        let Self { columns, metrics } = self;
        if !metrics.observe_batch(rows) {
            windows(rows, |row, count| {
                let count = fill(columns, row, count);
                each(columns, metrics, count, &call);
                count
            });
        }
        metrics.flush();
    }
}

/// Calls `window` with the first row and the number of remaining rows until all are processed. `window` returns the number of
/// processed rows.
#[inline(always)]
fn windows(rows: u32, mut window: impl FnMut(u32, usize) -> usize) {
    let mut row = 0;
    while row < rows {
        let done = window(row, WINDOW_ROWS.min((rows - row) as usize));
        assert!(done > 0, "a window has at least one row");
        row += done as u32;
    }
}

/// The loop over a window's rows. A separate function, so that the compiler knows that its arguments do not overlap and that
/// `count` does not exceed the buffers, and can vectorise it.
#[inline(never)]
fn each<C, S>(columns: &C, sink: &mut S, count: usize, call: impl Fn(&C, &mut S, usize)) {
    for slot in 0..count.min(WINDOW_ROWS) {
        call(columns, sink, slot);
    }
}
