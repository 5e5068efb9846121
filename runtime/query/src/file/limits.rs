//! Reading limits: those of a tenant, and `[stages.limits]` below them.

use toml::de::DeValue;
use weir_sandbox::{Limits, ModuleLimits, TenantId};

use super::table::{Item, Table};

/// What the stages of a query may have.
pub(super) struct Ceiling<'a> {
    /// What each stage starts from.
    pub(super) limits: Limits,
    /// Whose limits those are, where a limits file says so; without one a stage may have what it asks for.
    pub(super) tenant: Option<&'a TenantId>,
}

/// A limit as a number, for the question which of two is more; `None` is no limit, and more than all others.
trait Amount {
    fn most(&self) -> Option<u64>;
}

impl Amount for u64 {
    fn most(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Amount for usize {
    fn most(&self) -> Option<u64> {
        Some(*self as u64)
    }
}

impl Amount for Option<u64> {
    fn most(&self) -> Option<u64> {
        *self
    }
}

/// Calls a macro with every field and its reader: those of a stage, then those that are one value for all of a tenant.
macro_rules! with_fields {
    ($macro:ident!($($argument:tt)*)) => {
        $macro! {
            ($($argument)*)
            [
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
            ]
            [
                compile_cpu_s_max: number,
                compile_memory_bytes_max: size,
                instances_max: size,
                cpu_percent_max: percent,
                cpu_weight: part,
                trap_pause_ms_max: number,
                hardened: truth,
            ]
        }
    };
}

/// Reads `[stages.limits]`. Each is checked alone, so that each bad one is reported at its own line.
pub(super) fn of_stage(mut table: Table<'_>, ceiling: &Ceiling<'_>) -> Limits {
    let mut limits = ceiling.limits.clone();
    macro_rules! read_stage {
        (() [$($field:ident: $read:ident,)+] [$($of_tenant:ident: $_read:ident,)+]) => {
            $(if let Some(item) = table.optional(stringify!($field))
                && let Some(value) = $read(&item)
                && in_range(&item, &Limits { $field: value, ..Limits::default() })
                && !is_raised(&item, stringify!($field), &value, &ceiling.limits.$field, ceiling.tenant)
            {
                limits.$field = value;
            })+
            $(of_all_queries(&mut table, stringify!($of_tenant), ceiling.tenant);)+
        };
    }
    with_fields!(read_stage!());
    read_caps(&mut table, &mut limits.module, |item, key, value| {
        let most = ceiling.limits.module.get(key).unwrap_or(usize::MAX);
        !is_raised(item, key, &value, &most, ceiling.tenant)
    });
    table.finish("`limits`");
    limits
}

/// Reads a tenant's limits over `base`; the table may have further keys.
pub(super) fn of_tenant(table: &mut Table<'_>, base: &Limits) -> Limits {
    let mut limits = base.clone();
    macro_rules! read_tenant {
        (() [$($field:ident: $read:ident,)+] [$($of_tenant:ident: $read_of_tenant:ident,)+]) => {
            // Lists every field: one that the sandbox adds and this reader does not know is an error here.
            let Limits { $($field: _,)+ $($of_tenant: _,)+ module: _ } = base;
            $(if let Some(item) = table.optional(stringify!($field))
                && let Some(value) = $read(&item)
                && in_range(&item, &Limits { $field: value, ..Limits::default() })
            {
                limits.$field = value;
            })+
            $(if let Some(item) = table.optional(stringify!($of_tenant))
                && let Some(value) = $read_of_tenant(&item)
                && in_range(&item, &Limits { $of_tenant: value, ..Limits::default() })
            {
                limits.$of_tenant = value;
            })+
        };
    }
    with_fields!(read_tenant!());
    read_caps(table, &mut limits.module, |_, _, _| true);
    limits
}

/// Reads the caps on what a module may be, which stand beside the other limits; those that are `allowed` are set.
fn read_caps(table: &mut Table<'_>, caps: &mut ModuleLimits, allowed: impl Fn(&Item<'_>, &'static str, usize) -> bool) {
    for cap in ModuleLimits::CAPS {
        if let Some(item) = table.optional(cap.key)
            && let Some(value) = item.integer(cap.least as u64..=cap.most as u64)
            && let Ok(value) = usize::try_from(value)
            && allowed(&item, cap.key, value)
        {
            caps.set(cap.key, value);
        }
    }
}

/// Whether a value makes sense by itself; reports it if not.
fn in_range(item: &Item<'_>, alone: &Limits) -> bool {
    let Err(error) = alone.validate() else { return true };
    item.error(
        format!("{} is out of range", error.value),
        format!("use a number from {} to {}", error.least, error.most),
    );
    false
}

/// Whether a stage asks for more than its tenant has; reports it if so.
fn is_raised<T: Amount>(item: &Item<'_>, name: &str, value: &T, most: &T, tenant: Option<&TenantId>) -> bool {
    let (Some(tenant), Some(most)) = (tenant, most.most()) else { return false };
    let value = value.most();
    if value.is_some_and(|value| value <= most) {
        return false;
    }
    let asked = value.map_or_else(|| "no limit".to_owned(), |value| amount(name, value));
    item.error(
        format!("{asked} is more than tenant `{tenant}` may have: {}", amount(name, most)),
        format!("use at most {most}"),
    );
    true
}

/// Reports a limit that no stage has for itself.
fn of_all_queries(table: &mut Table<'_>, name: &'static str, tenant: Option<&TenantId>) {
    // Only where it is there: what is no key of a stage is not to be suggested as one.
    if table.get(name).is_none() {
        return;
    }
    if let Some(item) = table.optional(name) {
        let place = tenant.map_or("`[defaults]`".to_owned(), |tenant| format!("`[tenants.{tenant}]`"));
        item.error(
            "this limit is one value for all queries of a tenant, and no stage has its own",
            format!("set it under {place} in the limits file (`--limits`)"),
        );
    }
}

/// A limit with its number; whole KiB and MiB are said beside it.
fn amount(name: &str, value: u64) -> String {
    let whole = |shift: u32| name.contains("_bytes_") && value > 0 && value.trailing_zeros() >= shift;
    if whole(20) {
        format!("{value} ({} MiB)", value >> 20)
    } else if whole(10) {
        format!("{value} ({} KiB)", value >> 10)
    } else {
        value.to_string()
    }
}

fn number(item: &Item<'_>) -> Option<u64> {
    item.integer(0..=u64::MAX)
}

fn size(item: &Item<'_>) -> Option<usize> {
    item.integer(0..=usize::MAX as u64).and_then(|value| usize::try_from(value).ok())
}

fn part(item: &Item<'_>) -> Option<u32> {
    item.integer(0..=u64::from(u32::MAX)).and_then(|value| u32::try_from(value).ok())
}

fn truth(item: &Item<'_>) -> Option<bool> {
    item.boolean()
}

/// A number, or `"none"`: TOML has no null, and 0 would read as no fuel at all.
fn fuel(item: &Item<'_>) -> Option<Option<u64>> {
    or_none(item, number)
}

fn percent(item: &Item<'_>) -> Option<Option<u32>> {
    or_none(item, part)
}

fn or_none<T>(item: &Item<'_>, read: impl FnOnce(&Item<'_>) -> Option<T>) -> Option<Option<T>> {
    match item.value() {
        DeValue::String(word) if word == "none" => Some(None),
        DeValue::Integer(_) => read(item).map(Some),
        _ => item.wrong_type("an integer or \"none\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_tenant_here_is_so_in_the_sandbox() {
        macro_rules! names {
            (() [$($field:ident: $read:ident,)+] [$($of_tenant:ident: $_read:ident,)+]) => {
                [$(stringify!($of_tenant)),+]
            };
        }
        assert_eq!(with_fields!(names!()), Limits::OF_TENANT);
    }
}
