//! Tenants beside each other: shares of the cores, quotas of instances, waiting that is nobody's fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use weir_batch::Batch;
use weir_sandbox::{CallError, Carry, Engine, EngineConfig, Instance, Limits, Outcome};

use crate::support::{batch, block_on, i64s, wasm};

/// Counts to such a number, then keeps nothing.
fn work(count: u32) -> String {
    const WORK: &str = r#"(memory (export "memory") 1)
        (func (export "weir_call_f") (param $rows i32) (result i32) (local $left i32)
          (local.set $left (i32.const COUNT))
          (loop $again
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
          (call $emit_filter (i32.const 0) (local.get $rows)))"#;
    WORK.replace("COUNT", &count.to_string())
}

/// Some milliseconds, and some microseconds.
const LONG: u32 = 4_000_000;
const SHORT: u32 = 10_000;

const MANIFEST: &str =
    r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;

fn rows() -> Arc<Batch> {
    batch(vec![("n", i64s([Some(1), Some(2)]))])
}

fn one_seat() -> Engine {
    Engine::new(&EngineConfig::default().with(|it| {
        it.guests_running_max = 1;
        it.instances_max = 64;
    }))
    .unwrap()
}

fn instance(engine: &Engine, tenant: &str, limits: &Limits) -> Instance {
    instance_of(engine, tenant, limits, LONG)
}

fn instance_of(engine: &Engine, tenant: &str, limits: &Limits, count: u32) -> Instance {
    let module = engine.admit(&tenant.parse().unwrap(), &wasm(MANIFEST, &work(count)), limits).unwrap();
    let bound = module.manifest().functions[0].bind(rows().schema(), &Carry::None, &[].into()).unwrap();
    Instance::new(&module, &Arc::new(bound), limits)
}

/// Runs calls of all these tenants at once for a while: how long each ran, by name, in milliseconds.
fn compete(engine: &Engine, tenants: &[(&str, Limits, usize)], time: Duration) -> Vec<u64> {
    let instances = |(name, limits, calls): &(&str, Limits, usize)| {
        (0..*calls).map(|_| instance(engine, name, limits)).collect::<Vec<_>>()
    };
    compete_as(tenants.iter().map(instances).collect(), time)
}

/// The same of instances; how long each of these groups of them ran.
fn compete_as(groups: Vec<Vec<Instance>>, time: Duration) -> Vec<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let ran: Vec<_> = groups.iter().map(|_| Arc::new(AtomicU64::new(0))).collect();
    let mut tasks = Vec::new();
    for (group, ran) in groups.into_iter().zip(&ran) {
        for mut instance in group {
            let ran = Arc::clone(ran);
            tasks.push(runtime.spawn(async move {
                let until = Instant::now() + time;
                while Instant::now() < until {
                    let usage = instance.call(&rows()).await.unwrap().usage;
                    let micros = usage.cpu.as_micros();
                    ran.fetch_add(u64::try_from(micros).unwrap(), Ordering::Relaxed);
                }
            }));
        }
    }
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    ran.iter().map(|ran| ran.load(Ordering::Relaxed) / 1_000).collect()
}

/// A machine that does other things may poll some tenants late, and not every time.
fn once_of_five(time: Duration, tenants: &[(&str, Limits, usize)], is_fair: impl Fn(&[u64]) -> bool) {
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|ran: &Vec<u64>| is_fair(ran)) {
        assert!(seen.len() < 5, "{seen:?}");
        seen.push(compete(&one_seat(), tenants, time));
    }
}

#[test]
fn a_tenant_with_many_calls_gets_no_more_than_one_with_few() {
    let limits = Limits::default();
    let tenants = [("few", limits.clone(), 2), ("many", limits, 16)];
    // A ninth without the gate; a half with it, where the machine lets both be polled as they should.
    once_of_five(Duration::from_millis(600), &tenants, |ran| {
        (0.3..0.7).contains(&(ran[0] as f64 / (ran[0] + ran[1]) as f64))
    });
}

#[test]
fn weights_are_kept() {
    let heavy = Limits::default().with(|it| it.cpu_weight = 300);
    let tenants = [("heavy", heavy, 6), ("light", Limits::default(), 6)];
    // Three, where the machine lets all be polled as they should; the gate's own tests are exact.
    once_of_five(Duration::from_millis(800), &tenants, |ran| (1.3..8.0).contains(&(ran[0] as f64 / ran[1] as f64)));
}

#[test]
fn short_calls_keep_their_share_beside_long_ones() {
    let mut seen = Vec::new();
    let is_fair = |ran: &Vec<u64>| ran[0] as f64 / (ran[0] + ran[1]) as f64 > 0.3;
    while !seen.last().is_some_and(is_fair) {
        assert!(seen.len() < 5, "{seen:?}");
        let (engine, limits) = (one_seat(), Limits::default());
        let short = vec![instance_of(&engine, "short", &limits, SHORT)];
        let long = (0..3).map(|_| instance(&engine, "long", &limits)).collect();
        // A half, less what the host does between short calls; a hundredth where each waits for a tick.
        seen.push(compete_as(vec![short, long], Duration::from_millis(600)));
    }
}

#[test]
fn queries_of_a_tenant_share_equally_whatever_the_number_of_their_instances() {
    let mut seen = Vec::new();
    let is_fair = |ran: &Vec<u64>| (0.3..0.7).contains(&(ran[0] as f64 / (ran[0] + ran[1]) as f64));
    while !seen.last().is_some_and(is_fair) {
        assert!(seen.len() < 5, "{seen:?}");
        let (engine, limits) = (one_seat(), Limits::default());
        let group = |instances: usize| {
            let share = instance(&engine, "acme", &limits).module().query_share();
            (0..instances).map(|_| instance(&engine, "acme", &limits).in_share(&share)).collect()
        };
        seen.push(compete_as(vec![group(2), group(12)], Duration::from_millis(600)));
    }
}

#[test]
fn a_tenant_at_its_share_waits_with_nobody_beside_it() {
    let capped = Limits::default().with(|it| it.cpu_percent_max = Some(20));
    let started = Instant::now();
    let ran = compete(&one_seat(), &[("capped", capped, 1)], Duration::from_millis(1000));
    let percent = ran[0] as f64 / started.elapsed().as_millis() as f64 * 100.0;
    // A call that is longer than what is left is finished; a first period's share is there at once.
    assert!((5.0..40.0).contains(&percent), "{percent}");
}

#[test]
fn waiting_for_others_does_not_count_against_a_deadline() {
    // Each of ten calls runs for a few milliseconds, and together they are beyond the deadline of each.
    let limits = Limits::default().with(|it| it.deadline_ms_max = 60);
    let engine = one_seat();
    let ran = compete(&engine, &[("acme", limits, 10)], Duration::from_millis(400));
    assert!(ran[0] > 100, "{ran:?}");
}

#[test]
fn a_tenant_has_so_many_instances_and_others_have_theirs() {
    let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 8)).unwrap();
    let limits = Limits::default().with(|it| it.instances_max = 2);
    let call = |instance: &mut Instance| -> Result<Outcome, CallError> { block_on(instance.call(&rows())) };
    let mut acme: Vec<_> = (0..3).map(|_| instance(&engine, "acme", &limits)).collect();
    call(&mut acme[0]).unwrap();
    call(&mut acme[1]).unwrap();
    let error = call(&mut acme[2]).unwrap_err();
    assert_eq!(error.code(), "instances_limit");
    assert_eq!(error.cause.to_string(), "instances limit reached: limit 2, current 2, requested 1");
    assert!(error.retryable() && error.no_instance());
    call(&mut instance(&engine, "beta", &limits)).unwrap();
    // One that ends makes room.
    acme.remove(0);
    call(&mut acme[1]).unwrap();
    let error = call(&mut instance(&engine, "acme", &limits)).unwrap_err();
    assert_eq!(error.code(), "instances_limit");
}

#[test]
fn a_tenant_whose_modules_keep_being_refused_is_slowed_down_and_no_other() {
    let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 8)).unwrap();
    let hand_in = |tenant: &str, bytes: &[u8]| {
        let started = Instant::now();
        let admitted = engine.admit(&tenant.parse().unwrap(), bytes, &Limits::default());
        (admitted.map(drop).map_err(|refusal| refusal.code()), started.elapsed())
    };
    for _ in 0..32 {
        assert_eq!(hand_in("flood", b"no module").0, Err("not_wasm"));
    }
    // 1, 2, 4, … ms; sleeping takes no less.
    let waited: Duration = (0..7).map(|_| hand_in("flood", b"no module").1).sum();
    assert!(waited >= Duration::from_millis(127), "{waited:?}");
    let module = wasm(MANIFEST, &work(LONG));
    hand_in("other", &module).0.unwrap();
    // A good one ends it.
    hand_in("flood", &module).0.unwrap();
    for _ in 0..32 {
        assert_eq!(hand_in("flood", b"no module").0, Err("not_wasm"));
    }
}
