//! What the benches share: CPU time as a criterion measurement, and a stage's guest over a batch on one thread.
//!
//! Each bench file opens with its question and its cost model, and pairs the thing with native Rust doing the same work in
//! the same run. `README.md` beside this crate says how to run them and what they said.

mod cpu_time;
mod guest;

/// The `main` of a bench: its functions, which take a `Criterion<impl Measurement>` and the name of a clock, by wall time
/// and then by CPU time.
#[macro_export]
macro_rules! by_both_clocks {
    ($($bench:ident),+) => {
        fn wall(criterion: &mut ::criterion::Criterion<::criterion::measurement::WallTime>) {
            $($bench(criterion, "wall");)+
        }

        fn cpu(criterion: &mut ::criterion::Criterion<$crate::CpuTime>) {
            $($bench(criterion, "cpu");)+
        }

        ::criterion::criterion_group!(wall_time, wall);
        ::criterion::criterion_group! {
            name = cpu_time;
            config = ::criterion::Criterion::default().with_measurement($crate::CpuTime);
            targets = cpu
        }
        ::criterion::criterion_main!(wall_time, cpu_time);
    };
}

pub use cpu_time::CpuTime;
pub use guest::{Guest, one_thread};
