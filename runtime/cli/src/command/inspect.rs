//! `weir inspect`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Value, json};
use weir_batch::Field;
use weir_files::{FileError, open_regular, read_bounded};
use weir_plan::LimitsFile;
use weir_sandbox::{
    CodeOrigin, Engine, Function, FunctionState, Limits, Module, ModuleManifest, Refusal, TenantId, Tier,
};
use weir_text::escape;

use crate::args;
use crate::engine::{config, engine};
use crate::exit::{Exit, wrong};
use crate::live::grouped;

pub(crate) fn inspect(args: &args::Inspect, json: bool) -> anyhow::Result<Exit> {
    let engine = engine(config())?;
    let module = admit(&engine, &args.module, &limits_of(args.limits.as_deref(), &args.tenant)?)?;
    let mut stdout = std::io::stdout().lock();
    if json {
        writeln!(stdout, "{}", as_json(&module))?;
    } else {
        print(&mut stdout, &module)?;
    }
    Ok(Exit::Done)
}

/// What a limits file gives a tenant; the defaults without one.
pub(crate) fn limits_of(file: Option<&std::path::Path>, tenant: &str) -> anyhow::Result<Limits> {
    let tenant = tenant.parse::<TenantId>().map_err(|error| wrong(anyhow!("--tenant: {error}")))?;
    match file {
        None => Ok(Limits::default()),
        Some(path) => Ok(LimitsFile::load(path).map_err(wrong)?.limits_of(&tenant).clone()),
    }
}

/// The module in this file, admitted for a tenant of the command's own.
pub(crate) fn admit(engine: &Engine, path: &std::path::Path, limits: &Limits) -> anyhow::Result<Arc<Module>> {
    let refused = |refusal: Refusal| wrong(anyhow!("`{}` is refused ({}): {refusal}", path.display(), refusal.code()));
    let unreadable = |error: FileError| wrong(anyhow!("{}: {error:#}", path.display()));
    let file = open_regular(path).map_err(unreadable)?;
    let length = file.metadata().map_err(|error| unreadable(error.into()))?.len();
    ModuleManifest::check_file(length, limits).map_err(refused)?;
    let bytes = read_bounded(file, limits.module.module_file_bytes_max as u64).map_err(unreadable)?;
    let tenant: TenantId = "local".parse().map_err(|error| anyhow!("{error}"))?;
    let module = engine.admit(&tenant, &bytes, limits).map_err(refused)?;
    // Size and speed are those of the code that a query would run.
    module.wait_optimised(Duration::from_secs(limits.compile_cpu_s_max));
    Ok(module)
}

fn print(out: &mut impl Write, module: &Module) -> std::io::Result<()> {
    writeln!(out, "module {}", module.digest())?;
    let native = grouped(module.native_bytes() as u64);
    let bytes = grouped(module.bytes_len() as u64);
    let how = match (module.origin(), module.tier()) {
        (CodeOrigin::Cache, _) => "found in the code cache in",
        (CodeOrigin::Compiler, Tier::Optimised) => "compiled in",
        (CodeOrigin::Compiler, Tier::Baseline) => "not optimised, compiled in",
    };
    writeln!(out, "  {bytes} bytes, {native} of native code, {how} {:.0} ms", millis(module))?;
    let cost = module.compile_cost();
    if let (Some(cpu), Some(memory)) = (cost.cpu, cost.memory_bytes_peak) {
        let memory_mib = memory as f64 / f64::from(1 << 20);
        writeln!(out, "  compiling it took {:.2} s of CPU time and {memory_mib:.0} MiB", cpu.as_secs_f64())?;
    }
    let maximum = match module.memory_bytes_max() {
        Some(bytes) => format!("at most {}", grouped(bytes)),
        None => "limited by the tenant's limits".to_owned(),
    };
    writeln!(out, "  memory: {} bytes at first, {maximum}", grouped(module.memory_bytes_min()))?;
    writeln!(out, "  imports: {}", module.imports().join(", "))?;
    for function in &module.manifest().functions {
        writeln!(out)?;
        let fallible = if function.fallible { ", fallible" } else { "" };
        let state = if function.state == FunctionState::Kept { ", keeps state" } else { "" };
        writeln!(out, "{} ({}{fallible}{state})", function.name, function.kind)?;
        for line in function.doc.lines() {
            writeln!(out, "  {}", escape(line))?;
        }
        fields(out, "reads", &function.input)?;
        fields(out, "writes", &function.output)?;
        for param in &function.params {
            let default = match &param.default {
                Some(value) => format!(" = {value}"),
                None => ", required".to_owned(),
            };
            writeln!(out, "  param   {} {}{default}{}", param.name, param.kind, help(&param.help))?;
        }
        for metric in &function.metrics {
            let labels =
                if metric.labels.is_empty() { String::new() } else { format!(" by {}", metric.labels.join(", ")) };
            let unit = if metric.unit.is_empty() { String::new() } else { format!(" in {}", escape(&metric.unit)) };
            writeln!(out, "  metric  {} {}{labels}{unit}{}", metric.name, metric.kind, help(&metric.help))?;
        }
    }
    Ok(())
}

fn fields(out: &mut impl Write, what: &str, fields: &[Field]) -> std::io::Result<()> {
    for field in fields {
        writeln!(out, "  {what:<7} {field}")?;
    }
    Ok(())
}

fn help(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", escape(text)) }
}

fn millis(module: &Module) -> f64 {
    module.compile_cost().time.as_secs_f64() * 1e3
}

fn as_json(module: &Module) -> Value {
    json!({
        "digest": module.digest().to_string(),
        "bytes": module.bytes_len(),
        "native_bytes": module.native_bytes(),
        "compile_ms": millis(module),
        "compile_cpu_ms": module.compile_cost().cpu.map(|cpu| cpu.as_secs_f64() * 1e3),
        "compile_memory_bytes_peak": module.compile_cost().memory_bytes_peak,
        "from_cache": module.origin() == CodeOrigin::Cache,
        "optimised": module.tier() == Tier::Optimised,
        "memory_bytes_min": module.memory_bytes_min(),
        "memory_bytes_max": module.memory_bytes_max(),
        "imports": module.imports(),
        "functions": module.manifest().functions.iter().map(|function| function_json(function)).collect::<Vec<_>>(),
    })
}

fn function_json(function: &Function) -> Value {
    let fields = |fields: &[Field]| {
        fields
            .iter()
            .map(|field| json!({ "name": &*field.name, "type": field.data_type.name(), "nullable": field.nullable }))
            .collect::<Vec<_>>()
    };
    json!({
        "name": function.name,
        "kind": function.kind.name(),
        "fallible": function.fallible,
        "state": function.state.name(),
        "doc": function.doc,
        "input": fields(&function.input),
        "output": fields(&function.output),
        "params": function.params.iter().map(|param| json!({
            "name": param.name,
            "type": param.kind.name(),
            "default": param.default.as_ref().map(ToString::to_string),
            "help": param.help,
        })).collect::<Vec<_>>(),
        "metrics": function.metrics.iter().map(|metric| json!({
            "name": metric.name,
            "kind": metric.kind.name(),
            "unit": metric.unit,
            "help": metric.help,
            "labels": metric.labels,
            "buckets": metric.buckets,
        })).collect::<Vec<_>>(),
    })
}
