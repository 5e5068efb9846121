//! What CPU time do tenants get beside each other, with short and with long calls?
//!
//! Model: where guests compete for the cores, each tenant gets what it needs, at most its share by weight. Time is CPU time as the
//! engine counts it (`Usage::cpu`: the thread's, of guests and of the host's work on their answers); what the host does
//! between two calls is nobody's. `fair` is what a tenant should get of the CPU time of all guests in the case, given what it
//! takes when it runs alone.
//!
//! Each case runs for a fifth of a second; for two with `cargo bench`, which passes `--bench`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use weir_batch::arrow::array::{ArrayRef, Int64Array};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_sandbox::{Carry, Engine, EngineConfig, Instance, Limits};

/// Counts down from a number that is put in.
const GUEST: &str = r#"(module
    (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "weir_call_f") (param $rows i32) (result i32) (local $left i32)
        (local.set $left (i32.const COUNT))
        (loop $again
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (call $emit_filter (i32.const 0) (local.get $rows)))
    (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#;

/// One who calls: a weight, and how long a call takes.
#[derive(Clone, Copy)]
struct Caller {
    weight: u32,
    call: Duration,
}

struct Ground {
    engine: Engine,
    batch: Arc<Batch>,
    counts_per_ms: u32,
    time: Duration,
    cores: usize,
}

impl Ground {
    fn new(cores: usize, time: Duration) -> Ground {
        let config = EngineConfig::default().with(|it| {
            it.guests_running_max = cores;
            it.instances_max = 64;
        });
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::I64)]).expect("a schema"));
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = Arc::new(Batch::new(schema, vec![column]).expect("a batch"));
        let engine = Engine::new(&config).expect("an engine");
        let mut ground = Ground { engine, batch, counts_per_ms: 1_000_000, time, cores };
        let (ran, calls) = ground.run(&[Caller { weight: 100, call: Duration::from_millis(5) }])[0];
        ground.counts_per_ms = (ground.counts_per_ms as f64 * 5.0 * calls as f64 / (ran.as_secs_f64() * 1e3)) as u32;
        ground
    }

    fn instance(&self, tenant: usize, caller: Caller) -> Instance {
        let limits = Limits::default().with(|it| it.cpu_weight = caller.weight);
        let count = (f64::from(self.counts_per_ms) * caller.call.as_secs_f64() * 1e3) as u32;
        let guest = wat::parse_str(GUEST.replace("COUNT", &count.to_string())).expect("a module");
        let tenant = format!("tenant-{tenant}").parse().expect("a tenant");
        let module = self.engine.admit(&tenant, &guest, &limits).expect("an admitted module");
        let function = module.manifest().functions.first().expect("a function");
        let bound = function.bind(self.batch.schema(), &Carry::None, &BTreeMap::new()).expect("a function that fits");
        Instance::new(&module, &Arc::new(bound), &limits)
    }

    /// All call at once, again and again: the time that each ran, and its calls.
    fn run(&self, callers: &[Caller]) -> Vec<(Duration, u64)> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2 * self.cores).build();
        let runtime = runtime.expect("a runtime");
        let until = Instant::now() + self.time;
        let tasks = callers.iter().enumerate().map(|(tenant, caller)| {
            let (mut instance, batch) = (self.instance(tenant, *caller), Arc::clone(&self.batch));
            let (ran, calls) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let (counted, called) = (Arc::clone(&ran), Arc::clone(&calls));
            let task = runtime.spawn(async move {
                while Instant::now() < until {
                    let usage = instance.call(&batch).await.expect("an answer").usage;
                    counted.fetch_add(u64::try_from(usage.cpu.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
                    called.fetch_add(1, Ordering::Relaxed);
                }
            });
            (task, ran, calls)
        });
        let tasks: Vec<_> = tasks.collect();
        let ended = tasks.into_iter().map(|(task, ran, calls)| {
            runtime.block_on(task).expect("a caller");
            (Duration::from_nanos(ran.load(Ordering::Relaxed)), calls.load(Ordering::Relaxed))
        });
        ended.collect()
    }

    /// Runs a case, and says what each got.
    fn say(&self, name: &str, callers: &[Caller]) {
        let time = self.time.as_secs_f64();
        let alone = callers.iter().map(|caller| self.run(std::slice::from_ref(caller))[0].0.as_secs_f64() / time);
        let needs: Vec<f64> = alone.collect();
        let got: Vec<f64> = self.run(callers).iter().map(|(ran, _)| ran.as_secs_f64() / time).collect();
        let sum: f64 = got.iter().sum();
        println!("{name}; {sum:.2} cores of {}", self.cores);
        let weights: Vec<f64> = callers.iter().map(|caller| f64::from(caller.weight)).collect();
        for (index, fair) in fair(&needs, &weights, sum).iter().enumerate() {
            let Caller { weight, call } = callers[index];
            let (got, needs) = (got[index], needs[index]);
            println!(
                "    weight {weight:5}, calls of {call:>8?}: {got:5.3} s a second; fair {fair:5.3}, {:+4.0} %; alone {needs:5.3}",
                (got / fair - 1.0) * 100.0
            );
        }
    }
}

/// The fair part of `cores` for each caller: what it needs, but not more than its share by weight of the rest.
fn fair(needs: &[f64], weights: &[f64], cores: f64) -> Vec<f64> {
    let mut fair = vec![None; needs.len()];
    loop {
        let open = |index: &usize| fair[*index].is_none();
        let left = cores - fair.iter().flatten().sum::<f64>();
        let weight: f64 = (0..needs.len()).filter(open).map(|index| weights[index]).sum();
        let sated: Vec<usize> =
            (0..needs.len()).filter(open).filter(|&index| needs[index] <= left * weights[index] / weight).collect();
        if sated.is_empty() {
            return (0..needs.len()).map(|index| fair[index].unwrap_or(left * weights[index] / weight)).collect();
        }
        sated.into_iter().for_each(|index| fair[index] = Some(needs[index]));
    }
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let time = Duration::from_millis(if is_bench { 2_000 } else { 200 });
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let caller = |weight, call_us| Caller { weight, call: Duration::from_micros(call_us) };
    for cores in [1, cores] {
        let ground = Ground::new(cores, time);
        let long = caller(100, 20_000);
        ground.say("short beside long", &[caller(100, 10), long, long, long]);
        ground.say("short and heavy", &[caller(300, 10), long, long, long]);
        ground.say("much heavier", &[caller(10_000, 10), caller(1, 20_000), caller(1, 20_000), caller(1, 20_000)]);
        ground.say("short and light", &[caller(100, 10), caller(300, 20_000), caller(300, 20_000)]);
        ground.say("long calls by weight", &[caller(300, 20_000), long, long]);
        ground.say("short calls by weight", &[caller(300, 10), caller(100, 10), caller(100, 10), caller(100, 10)]);
        ground.say("calls of a millisecond", &[caller(100, 1_000), caller(100, 100), long, long]);
    }
}
