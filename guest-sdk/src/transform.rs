//! The loops over a batch: a window is read, the author's function called for each of its rows, the answers emitted.

use std::cell::RefCell;

use weir_abi::WINDOW_ROWS;

use crate::answer::Answer;
use crate::metrics::Metrics;
use crate::params::Params;
use crate::row::ReadRow;
use crate::sink::Sink;

/// What runs a batch of so many rows.
type Run = Box<dyn FnMut(u32)>;

/// What an exported function keeps from batch to batch: made by its init function.
pub struct Runner(RefCell<Option<Run>>);

impl Runner {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "only made by an expansion, in a constant")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Begins anew with `run`.
    pub fn set(&self, run: Run) {
        *self.0.borrow_mut() = Some(run);
    }

    /// Runs a batch of `rows` rows.
    pub fn run(&self, rows: u32) {
        match &mut *self.0.borrow_mut() {
            Some(run) => run(rows),
            None => panic!("the init function was not called"),
        }
    }
}

/// What runs a transform, given how a row of a window is answered.
pub fn transform<R: ReadRow<'static>, P: Params + 'static, A: Answer>(
    call: impl Fn(&R::Columns, &P, &mut A::Sink, usize) + 'static,
) -> Run {
    let mut transform = Transform::<_, P, A::Sink>::new(R::columns());
    Box::new(move |rows| transform.run(rows, R::fill, &call))
}

/// What runs a transform that keeps state, given how it starts and how it answers a row of a window.
pub fn stateful<R: ReadRow<'static>, P: Params, A: Answer, T: 'static>(
    start: impl FnOnce(P) -> T,
    call: impl Fn(&R::Columns, &mut T, &mut A::Sink, usize) + 'static,
) -> Run {
    let mut transform = Stateful::<_, T, A::Sink>::new(R::columns(), start(P::load()));
    Box::new(move |rows| transform.run(rows, R::fill, &call))
}

/// What runs a set of metrics, given how a row of a window is observed.
pub fn metrics<M: Metrics, R: ReadRow<'static>>(call: impl Fn(&R::Columns, &mut M, usize) + 'static) -> Run {
    let mut observer = Observer::<_, M>::new(R::columns());
    Box::new(move |rows| observer.run(rows, R::fill, &call))
}

/// What a transform keeps from batch to batch: buffers and parameters, nothing of the author's.
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

    /// Runs a batch of `rows` rows.
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

/// What a transform with state keeps from batch to batch: buffers, and the author's value.
pub struct Stateful<C, T, S> {
    columns: C,
    state: T,
    sink: S,
}

impl<C, T, S: Sink> Stateful<C, T, S> {
    /// With empty `columns`, and the author's value as it starts.
    pub fn new(columns: C, state: T) -> Self {
        Self { columns, state, sink: S::new() }
    }

    /// Runs a batch of `rows` rows.
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

/// What a set of metrics keeps from batch to batch.
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

    /// Runs a batch of `rows` rows.
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

/// Calls `window` with the first row and the number of rows wanted until all are done. It returns how many it did.
#[inline(always)]
fn windows(rows: u32, mut window: impl FnMut(u32, usize) -> usize) {
    let mut row = 0;
    while row < rows {
        let done = window(row, WINDOW_ROWS.min((rows - row) as usize));
        assert!(done > 0, "a window has at least one row");
        row += done as u32;
    }
}

/// The loop over a window's rows, a function of its own: its arguments are known not to overlap, and `count` not
/// to exceed the buffers, so that it can be vectorised.
#[inline(never)]
fn each<C, S>(columns: &C, sink: &mut S, count: usize, call: impl Fn(&C, &mut S, usize)) {
    for slot in 0..count.min(WINDOW_ROWS) {
        call(columns, sink, slot);
    }
}
