//! Reading `[stages.limits]`.

use toml::de::DeValue;
use weir_sandbox::Limits;

use super::table::{Item, Table};

/// Reads limits over the defaults. Each is checked alone, so that each bad one is reported at its own line.
pub(super) fn read(mut table: Table<'_>) -> Limits {
    let mut limits = Limits::default();
    macro_rules! read {
        ($($field:ident: $read:ident),+ $(,)?) => {
            // Lists every field: one that the sandbox adds and this reader does not know is an error here.
            let Limits {
                $($field: _,)+
                compile_cpu_s_max: _,
                compile_memory_bytes_max: _,
                instances_max: _,
                cpu_percent_max: _,
                cpu_weight: _,
                trap_pause_ms_max: _,
                hardened: _,
            } = &limits;
            $(if let Some(item) = table.optional(stringify!($field)) {
                let mut alone = Limits::default();
                if let Some(value) = $read(&item) {
                    alone.$field = value;
                    limits.$field = alone.$field;
                    if let Err(error) = alone.validate() {
                        item.error(
                            format!("{} is out of range", error.value),
                            format!("use a number from {} to {}", error.least, error.most),
                        );
                    }
                }
            })+
        };
    }
    read! {
        module_bytes_max: size,
        native_bytes_max: size,
        memory_bytes_max: size,
        table_elements_max: size,
        fuel_batch_max: fuel,
        fuel_init_max: fuel,
        deadline_ms_max: number,
        deadline_init_ms_max: number,
        output_rows_max: size,
        output_rows_per_input_max: size,
        output_bytes_max: size,
        row_error_bytes_max: size,
        row_errors_bytes_max: size,
        log_lines_batch_max: size,
        log_line_bytes_max: size,
        series_max: size,
        series_label_bytes_max: size,
        log_bytes_batch_max: size,
    }
    table.finish("`limits`");
    limits
}

fn number(item: &Item<'_>) -> Option<u64> {
    item.integer(0..=u64::MAX)
}

fn size(item: &Item<'_>) -> Option<usize> {
    item.integer(0..=usize::MAX as u64).and_then(|value| usize::try_from(value).ok())
}

/// A number, or `"none"`: TOML has no null, and 0 would read as no fuel at all.
fn fuel(item: &Item<'_>) -> Option<Option<u64>> {
    match item.value() {
        DeValue::String(word) if word == "none" => Some(None),
        DeValue::Integer(_) => number(item).map(Some),
        _ => item.wrong_type("an integer or \"none\""),
    }
}
