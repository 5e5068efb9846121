//! Common parts of the benches: CPU time as a criterion measurement, and running a stage's guest on a batch on one thread.
//!
//! Each bench file begins with its question and its cost model, and compares with native Rust that does the same work in the same
//! run. `README.md` in this crate's folder describes how to run the benches, and their results.

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
