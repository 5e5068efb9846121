//! `weir try`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::json;
use weir_batch::{Batch, Field, Schema};
use weir_files::open_regular;
use weir_formats::{CsvOptions, Decoder, Format, Inferred, infer, infer_csv, open_csv_decoder, open_decoder};
use weir_query::MetricRegistry;
use weir_sandbox::{
    CallError, Carry, Fault, Function, FunctionKind, Instance, Limits, OutputShape, ParamType, ParamValue, Phase,
};
use weir_sinks::Table;

use super::again::Again;
use super::inspect::{admit, limits_of};
use super::schema::format_of;
use crate::args;
use crate::engine::{config, engine};
use crate::exit::{Exit, report, say_json, wrong};
use crate::live::grouped;

/// Records of one call.
const BATCH_RECORDS: usize = 8192;

/// Records that end the function before no more are tried: then it is the function that is broken.
const TRAPPED_MAX: usize = 64;

/// Errors printed of all there were.
const ERRORS_SHOWN: usize = 10;

pub(crate) fn try_out(args: &args::Try, json: bool) -> anyhow::Result<Exit> {
    let engine = engine(config())?;
    let limits = limits_of(args.limits.as_deref(), &args.tenant)?;
    let module = admit(&engine, &args.module, &limits)?;
    let function = choose(&module.manifest().functions, args.function.as_deref()).map_err(wrong)?;
    let params = params(&function, &args.params).map_err(wrong)?;
    let mut decoder = open(args, &function)?;
    let transforms_rows = matches!(function.kind, FunctionKind::Transform(shape) if shape != OutputShape::Filter);
    let carry = if args.carry && transforms_rows { Carry::All } else { Carry::None };
    let bound = function.bind(decoder.schema(), &carry, &params).map_err(|errors| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        wrong(anyhow!("{}", errors.join("; ")))
    })?;
    let bound = Arc::new(bound);
    let mut trial = Trial::new(&function, &limits, args.rows_max);
    let mut instance = Instance::new(&module, &bound, &limits);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failure = None;
    loop {
        let decoded = match decoder.next() {
            Ok(Some(decoded)) => decoded,
            Ok(None) => break,
            Err(error) => {
                failure = Some(anyhow!("{}: {error}", args.input.display()));
                break;
            }
        };
        for bad in &decoded.bad {
            trial.undecodable += 1;
            trial.error(format!("record {} cannot be decoded: {}", bad.offset, bad.message));
        }
        let left = args.records_max.map_or(usize::MAX, |most| most.saturating_sub(trial.records));
        let batch = Arc::new(decoded.batch);
        let batch = batch.slice(0, batch.rows().min(left))?;
        if let Err(error) = trial.run(&runtime, &mut instance, &batch) {
            failure = Some(error);
            break;
        }
        if args.records_max.is_some_and(|most| trial.records >= most) {
            break;
        }
    }
    if failure.is_none() && trial.trapped > 0 {
        let plural = if trial.trapped == 1 { "record ends" } else { "records end" };
        failure = Some(anyhow!("{} {plural} the function {}", trial.trapped, trial.name));
    }
    if failure.is_none() && trial.all_failed() {
        failure = Some(anyhow!("every record of {} failed", args.input.display()));
    }
    // What failed for another reason is not compared.
    if failure.is_none()
        && let Some(difference) = trial.again.run(&runtime, &instance)?
    {
        failure = Some(anyhow!(
            "hidden_state: function {} gives other results in other batches on new instances: {difference}; it keeps state that its module does not declare (`#[transform]` on an `impl`, or \"state\":\"kept\" in the manifest)",
            trial.name
        ));
    }
    trial.metrics.commit();
    if json {
        trial.print_json()?;
    } else {
        trial.print()?;
    }
    match failure {
        None => Ok(Exit::Done),
        Some(error) => {
            report(&error, None, json);
            Ok(Exit::Failed)
        }
    }
}

/// What came of running the function.
struct Trial {
    name: String,
    metrics: MetricRegistry,
    outputs: Vec<Arc<Batch>>,
    outputs_rows: usize,
    rows_max: usize,
    errors: Vec<String>,
    errors_total: usize,
    logs: Vec<String>,
    records: usize,
    rows_out: usize,
    filtered: usize,
    failed: usize,
    /// Records that did not decode.
    undecodable: usize,
    /// Records that each ended the function by themselves; they count as failed.
    trapped: usize,
    fuel: u64,
    host_calls: u64,
    time: Duration,
    memory_bytes: usize,
    again: Again,
}

impl Trial {
    fn new(function: &Arc<Function>, limits: &Limits, rows_max: usize) -> Trial {
        let mut metrics = MetricRegistry::default();
        metrics.add_stage(&Arc::from(function.name.as_str()), function, limits.series_max);
        Trial {
            name: function.name.clone(),
            metrics,
            outputs: Vec::new(),
            outputs_rows: 0,
            rows_max,
            errors: Vec::new(),
            errors_total: 0,
            logs: Vec::new(),
            records: 0,
            rows_out: 0,
            filtered: 0,
            failed: 0,
            undecodable: 0,
            trapped: 0,
            fuel: 0,
            host_calls: 0,
            time: Duration::ZERO,
            memory_bytes: 0,
            again: Again::new(),
        }
    }

    fn error(&mut self, message: String) {
        self.errors_total += 1;
        if self.errors.len() < ERRORS_SHOWN {
            self.errors.push(message);
        }
    }

    /// Whether there were records, and none of them was taken in.
    fn all_failed(&self) -> bool {
        let records = self.records + self.undecodable;
        records > 0 && self.failed + self.undecodable == records
    }

    /// Calls the function with a batch. One that ends badly is halved until the records that end it by themselves are found: they are
    /// named, and the others go on. A function that keeps state begins anew after each.
    ///
    /// # Errors
    ///
    /// More records that end the function than anybody reads, or errors that are not the fault of a record.
    fn run(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        instance: &mut Instance,
        batch: &Arc<Batch>,
    ) -> anyhow::Result<()> {
        let outcome = match runtime.block_on(instance.call(batch)) {
            Ok(outcome) => outcome,
            Err(error) if batch.rows() > 1 && is_of_records(&error) => {
                let half = batch.rows() / 2;
                self.run(runtime, instance, &batch.slice(0, half)?)?;
                return self.run(runtime, instance, &batch.slice(half, batch.rows() - half)?);
            }
            Err(error) => {
                let text = ended(&error);
                if !is_of_records(&error) {
                    bail!("{text}");
                }
                self.error(format!("record {}: {text}", offset(batch, 0)));
                (self.records, self.failed, self.trapped) = (self.records + 1, self.failed + 1, self.trapped + 1);
                if self.trapped >= TRAPPED_MAX {
                    bail!("{TRAPPED_MAX} records have ended the function {}: stopping here", self.name);
                }
                return Ok(());
            }
        };
        self.again.keep(batch, &outcome)?;
        for failed in &outcome.failed {
            let record = offset(batch, failed.row);
            let message = format!("record {record}: {}: {}", failed.code, failed.message);
            self.error(message);
        }
        self.logs.extend(outcome.logs.iter().map(|line| format!("{}: {}", line.level, line.text)));
        self.records += batch.rows();
        self.rows_out += outcome.output.rows();
        self.filtered += outcome.filtered;
        self.failed += outcome.failed.len();
        self.fuel += outcome.usage.fuel;
        self.host_calls += outcome.usage.host_calls;
        self.time += outcome.usage.time;
        self.memory_bytes = self.memory_bytes.max(outcome.usage.memory_bytes);
        self.metrics.stage(0, &outcome.metrics);
        let wanted = self.rows_max.saturating_sub(self.outputs_rows).min(outcome.output.rows());
        if wanted > 0 {
            self.outputs.push(outcome.output.slice(0, wanted)?);
            self.outputs_rows += wanted;
        }
        Ok(())
    }

    fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if let Some(first) = self.outputs.first() {
            let mut table = Table::new(first.schema(), self.rows_max);
            for batch in &self.outputs {
                out.write_all(table.render(batch)?.as_bytes())?;
            }
        }
        if self.rows_out > self.rows_max {
            writeln!(out, "… and {} more rows", grouped((self.rows_out - self.rows_max) as u64))?;
        }
        for error in &self.errors {
            writeln!(out, "error: {error}")?;
        }
        if self.errors_total > self.errors.len() {
            writeln!(out, "… and {} more errors", self.errors_total - self.errors.len())?;
        }
        for line in &self.logs {
            writeln!(out, "log {line}")?;
        }
        for series in self.metrics.committed() {
            writeln!(out, "{series}")?;
        }
        let records = self.records.max(1) as f64;
        writeln!(
            out,
            "{}: {} records in, {} rows out, {} filtered, {} failed",
            self.name,
            grouped(self.records as u64),
            grouped(self.rows_out as u64),
            grouped(self.filtered as u64),
            grouped(self.failed as u64)
        )?;
        writeln!(
            out,
            "{:.1} ns, {:.1} fuel and {:.3} host calls a record; {} bytes of memory",
            self.time.as_nanos() as f64 / records,
            self.fuel as f64 / records,
            self.host_calls as f64 / records,
            grouped(self.memory_bytes as u64)
        )?;
        Ok(())
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let batches = self.outputs.iter().map(|batch| batch.to_arrow()).collect::<Result<Vec<_>, _>>()?;
        let mut writer = arrow::json::LineDelimitedWriter::new(&mut out);
        for batch in &batches {
            writer.write(batch)?;
        }
        writer.finish()?;
        let account = json!({
            "function": self.name,
            "records": self.records,
            "rows_out": self.rows_out,
            "filtered": self.filtered,
            "failed": self.failed,
            "undecodable": self.undecodable,
            "trapped": self.trapped,
            "errors": self.errors,
            "logs": self.logs,
            "metrics": self.metrics.committed(),
            "fuel": self.fuel,
            "host_calls": self.host_calls,
            "nanos": u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX),
            "memory_bytes": self.memory_bytes,
        });
        say_json(&account);
        Ok(())
    }
}

/// Whether fewer records may go well: the guest ended while it had a batch, by itself or at a limit.
fn is_of_records(error: &CallError) -> bool {
    error.context.phase == Phase::Batch && error.fault() == Fault::Tenant
}

/// What ended a call, with what the guest logged and where it was.
fn ended(error: &CallError) -> String {
    let mut text = error.to_string();
    for line in &error.context.logs {
        text.push_str(&format!("\n  log {}: {}", line.level, line.text));
    }
    for frame in &error.context.backtrace {
        text.push_str(&format!("\n  at {frame}"));
    }
    text
}

/// The number of a row's record in its file.
fn offset(batch: &Batch, row: usize) -> i64 {
    let offsets = batch.system().offset.as_ref().zip(batch.physical_row(row));
    offsets.and_then(|(column, row)| column.values().get(row).copied()).unwrap_or_default()
}

/// The function named, or the only one there is.
fn choose(functions: &[Arc<Function>], name: Option<&str>) -> anyhow::Result<Arc<Function>> {
    let names: Vec<_> = functions.iter().map(|function| function.name.as_str()).collect();
    let found = match (name, functions) {
        (None, [only]) => Some(only),
        (None, _) => bail!("the module has {} functions: choose with --function {}", names.len(), names.join(" | ")),
        (Some(name), _) => functions.iter().find(|function| function.name == name),
    };
    match found {
        Some(function) => Ok(Arc::clone(function)),
        None => bail!("--function: the module has no such function; its functions are {}", names.join(", ")),
    }
}

/// `name=value`, each as the type that the function declares.
fn params(function: &Function, given: &[String]) -> anyhow::Result<BTreeMap<String, ParamValue>> {
    let mut params = BTreeMap::new();
    for text in given {
        let (name, value) = text.split_once('=').ok_or_else(|| anyhow!("--param {text:?}: write it as name=value"))?;
        let kind = function.params.iter().find(|param| param.name == name).map(|param| param.kind);
        let parsed = match kind {
            Some(ParamType::Bool) => value.parse().ok().map(ParamValue::Bool),
            Some(ParamType::I64) => value.parse().ok().map(ParamValue::I64),
            Some(ParamType::F64) => value.parse().ok().map(ParamValue::F64),
            // An unknown name goes on as text: binding says which names there are.
            Some(ParamType::Utf8) | None => Some(ParamValue::Utf8(value.to_owned())),
        };
        let kind = kind.map_or("text", ParamType::name);
        let parsed = parsed.ok_or_else(|| anyhow!("--param {name}: {value:?} is not a valid {kind}"))?;
        if params.insert(name.to_owned(), parsed).is_some() {
            bail!("--param {name} is given twice");
        }
    }
    Ok(params)
}

/// The number of records from which fields are inferred.
const LOOK_AT: usize = 1000;

/// The input, its fields typed as the function reads them where the format leaves it open.
fn open(args: &args::Try, function: &Function) -> anyhow::Result<Box<dyn Decoder>> {
    let format = format_of(&args.input, args.format.as_deref())?;
    let name = || args.input.display().to_string();
    let file = || open_regular(&args.input).with_context(name).map_err(|error| wrong(anyhow!("{error:#}")));
    let csv = CsvOptions::of_path(&args.input);
    let schema = match &args.schema {
        Some(declared) => declared_schema(declared).map_err(|error| wrong(anyhow!("--schema: {error}")))?,
        None => {
            let found = match format {
                Format::Csv => infer_csv(file()?, LOOK_AT, &csv),
                format => infer(format, file()?, LOOK_AT),
            };
            let found = found.map_err(|error| wrong(anyhow!("{}: {error}", name())))?;
            read_by(function, format, found, args.carry).map_err(|error| wrong(anyhow!("{}: {error}", name())))?
        }
    };
    let schema = Arc::new(schema);
    let decoder = match format {
        Format::Csv => open_csv_decoder(file()?, &schema, BATCH_RECORDS, &csv),
        format => open_decoder(format, file()?, Some(&schema), BATCH_RECORDS),
    };
    decoder.map_err(|error| wrong(anyhow!("{}: {error}", name())))
}

/// `delay i64, origin utf8?`: the fields that are read, as messages write them.
fn declared_schema(text: &str) -> anyhow::Result<Schema> {
    let fields = text.split(',').map(|field| {
        let expected = || anyhow!("`{}`: expected a name and a type, as in `delay i64, origin utf8?`", field.trim());
        let (name, data_type) = field.trim().rsplit_once(char::is_whitespace).ok_or_else(expected)?;
        let nullable = data_type.ends_with('?');
        let data_type = data_type.trim_end_matches('?').parse().map_err(|error| anyhow!("{error}"))?;
        Ok(Field::with_nulls(name.trim(), data_type, nullable))
    });
    Ok(Schema::new(fields.collect::<anyhow::Result<_>>()?)?)
}

/// The fields that the function reads, or all where they are carried, with its types where the format leaves them open.
/// What else a file holds is not looked at.
fn read_by(function: &Function, format: Format, found: Inferred, carry: bool) -> anyhow::Result<Schema> {
    let Inferred { schema: found, left_out, .. } = found;
    let read = |field: &Field| function.input.iter().find(|input| input.name == field.name);
    if let Some(column) = left_out.iter().find(|column| function.input.iter().any(|input| *input.name == *column.name))
    {
        bail!("column `{}` cannot be read: {}", column.name, column.reason);
    }
    let fields = found.fields().iter().filter(|field| carry || read(field).is_some());
    let fields = fields.map(|field| match read(field) {
        Some(typed) if !format.carries_schema() => typed.clone(),
        _ => field.clone(),
    });
    Ok(Schema::new(fields.collect())?)
}
