//! Limits of tenants and stages.

use weir_admission::{Limits, TenantId};
use weir_config::{KeyPlace, LimitDraft, LimitValue, Problems};

/// The limits for the stages of a query.
pub(super) struct Ceiling<'a> {
    /// The limits of the tenant.
    pub(super) limits: Limits,
    /// The tenant, if a limits file sets the limits; otherwise a stage may raise them.
    pub(super) tenant: Option<&'a TenantId>,
}

/// The limits of a stage according to `[stages.limits]`, within those of its tenant.
pub(super) fn of_stage(drafts: &[LimitDraft], ceiling: &Ceiling<'_>, problems: &Problems) -> Limits {
    let mut limits = ceiling.limits.clone();
    for draft in drafts {
        match draft.value {
            None => of_all_queries(&draft.place, ceiling.tenant, problems),
            Some(value) if is_raised(draft, value, ceiling, problems) => {}
            Some(value) => set(&mut limits, &draft.name, value),
        }
    }
    limits
}

/// A tenant's limits, with `base` for keys that are not set.
pub(super) fn of_tenant(drafts: &[LimitDraft], base: &Limits) -> Limits {
    let mut limits = base.clone();
    for LimitDraft { name, value, .. } in drafts {
        value.iter().for_each(|value| set(&mut limits, name, *value));
    }
    limits
}

/// Converts a field of the sandbox's limits to a value in a file, and back.
trait Field: Sized {
    fn of(value: LimitValue) -> Option<Self>;
    fn value(&self) -> LimitValue;
}

impl Field for u64 {
    fn of(value: LimitValue) -> Option<u64> {
        if let LimitValue::Number(number) = value { Some(number) } else { None }
    }

    fn value(&self) -> LimitValue {
        LimitValue::Number(*self)
    }
}

impl Field for usize {
    fn of(value: LimitValue) -> Option<usize> {
        usize::try_from(u64::of(value)?).ok()
    }

    fn value(&self) -> LimitValue {
        LimitValue::Number(*self as u64)
    }
}

impl Field for u32 {
    fn of(value: LimitValue) -> Option<u32> {
        u32::try_from(u64::of(value)?).ok()
    }

    fn value(&self) -> LimitValue {
        LimitValue::Number(u64::from(*self))
    }
}

impl Field for Option<u64> {
    fn of(value: LimitValue) -> Option<Option<u64>> {
        if let LimitValue::OrNone(number) = value { Some(number) } else { None }
    }

    fn value(&self) -> LimitValue {
        LimitValue::OrNone(*self)
    }
}

impl Field for Option<u32> {
    fn of(value: LimitValue) -> Option<Option<u32>> {
        match Option::<u64>::of(value)? {
            None => Some(None),
            Some(number) => u32::try_from(number).ok().map(Some),
        }
    }

    fn value(&self) -> LimitValue {
        LimitValue::OrNone(self.map(u64::from))
    }
}

impl Field for bool {
    fn of(value: LimitValue) -> Option<bool> {
        if let LimitValue::Switch(value) = value { Some(value) } else { None }
    }

    fn value(&self) -> LimitValue {
        LimitValue::Switch(*self)
    }
}

macro_rules! fields {
    ($($field:ident)+) => {
        #[cfg(test)]
        const FIELDS: &[&str] = &[$(stringify!($field)),+];

        /// Sets a limit by name. A test covers all names in files.
        fn set(limits: &mut Limits, name: &str, value: LimitValue) {
            match name {
                $(stringify!($field) => limits.$field = Field::of(value).unwrap_or(limits.$field),)+
                cap => {
                    if let Some(value) = usize::of(value) {
                        limits.module.set(cap, value);
                    }
                }
            }
        }

        /// The limit with this name.
        fn get(limits: &Limits, name: &str) -> Option<LimitValue> {
            match name {
                $(stringify!($field) => Some(limits.$field.value()),)+
                cap => limits.module.get(cap).map(|value| value.value()),
            }
        }
    };
}

fields! {
    module_bytes_max native_bytes_max memory_bytes_max table_elements_max fuel_batch_max fuel_init_max deadline_ms_max
    deadline_init_ms_max output_rows_max output_rows_per_input_max output_bytes_max row_error_bytes_max
    row_errors_bytes_max log_lines_batch_max log_line_bytes_max series_max series_label_bytes_max log_bytes_batch_max
    compile_cpu_s_max compile_memory_bytes_max instances_max cpu_percent_max cpu_weight trap_pause_ms_max hardened
}

/// Whether a stage exceeds its tenant's limit; then reports it.
fn is_raised(draft: &LimitDraft, value: LimitValue, ceiling: &Ceiling<'_>, problems: &Problems) -> bool {
    let most = get(&ceiling.limits, &draft.name).and_then(number);
    let (Some(tenant), Some(most)) = (ceiling.tenant, most) else { return false };
    let value = number(value);
    if value.is_some_and(|value| value <= most) {
        return false;
    }
    let asked = value.map_or_else(|| "no limit".to_owned(), |value| amount(&draft.name, value));
    let message = format!("{asked} exceeds the limit of tenant `{tenant}`: {}", amount(&draft.name, most));
    problems.error(&draft.place, message, format!("use at most {most}"));
    true
}

/// A limit as a number, for comparisons; `None` is unlimited, and more than any number.
fn number(value: LimitValue) -> Option<u64> {
    match value {
        LimitValue::Number(number) => Some(number),
        LimitValue::OrNone(number) => number,
        LimitValue::Switch(value) => Some(u64::from(value)),
    }
}

/// Reports a limit that a stage cannot set.
fn of_all_queries(place: &KeyPlace, tenant: Option<&TenantId>, problems: &Problems) {
    let table = tenant.map_or("`[defaults]`".to_owned(), |tenant| format!("`[tenants.{tenant}]`"));
    problems.error(
        place,
        "this limit applies to all queries of a tenant and cannot be set for a stage",
        format!("set it under {table} in the limits file (`--limits`)"),
    );
}

/// A limit with its number, and in KiB or MiB if these are whole.
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

#[cfg(test)]
mod tests {
    use super::*;
    use weir_admission::ModuleLimits;
    use weir_config::{LimitKey, OF_MODULES, OF_STAGE, OF_TENANT};

    #[test]
    fn names_are_those_of_the_sandbox() {
        let mut names: Vec<&str> = OF_TENANT.iter().map(|key| key.name).collect();
        assert_eq!(names, Limits::OF_TENANT);
        names = OF_MODULES.iter().map(|key| key.name).collect();
        assert_eq!(names, ModuleLimits::CAPS.iter().map(|cap| cap.key).collect::<Vec<_>>());
    }

    /// Every limit of the sandbox must be a key.
    #[test]
    fn every_limit_is_a_field_here() {
        let expected = serde_json::from_str::<Limits>(r#"{"":1}"#).unwrap_err().to_string();
        let (_, names) = expected.split_once("expected one of ").unwrap();
        let mut names: Vec<&str> =
            names.split('`').filter(|name| name.ends_with(|c: char| c.is_alphabetic())).collect();
        names.retain(|name| *name != "module" && !name.contains(' '));
        names.sort_unstable();
        let mut fields = FIELDS.to_vec();
        fields.sort_unstable();
        assert_eq!(names, fields);
    }

    #[test]
    fn defaults_and_ranges_are_those_of_the_sandbox() {
        for key in OF_STAGE.iter().chain(OF_TENANT).chain(OF_MODULES) {
            let LimitKey { name, least, most, default, .. } = *key;
            assert_eq!(get(&Limits::default(), name), Some(default), "{name}");
            let with = |number: u64| match default {
                LimitValue::Number(_) => LimitValue::Number(number),
                LimitValue::OrNone(_) => LimitValue::OrNone(Some(number)),
                LimitValue::Switch(_) => LimitValue::Switch(number == 1),
            };
            for (number, right) in [(least, true), (most, true), (least.wrapping_sub(1), false), (most + 1, false)] {
                if matches!(default, LimitValue::Switch(_)) && !right {
                    continue;
                }
                let mut limits = Limits::default();
                set(&mut limits, name, with(number));
                assert_eq!(get(&limits, name), Some(with(number)).filter(|_| right).or(get(&limits, name)), "{name}");
                // There are no numbers below zero.
                let is_right = limits.validate().is_ok() && get(&limits, name) == Some(with(number));
                assert_eq!(is_right, right || (least == 0 && number == u64::MAX && is_right), "{name} = {number}");
            }
        }
    }

    #[test]
    fn the_words_for_caps_are_those_of_refusals() {
        for (key, cap) in OF_MODULES.iter().zip(ModuleLimits::CAPS) {
            assert_eq!(key.doc.trim_end_matches('.').to_lowercase(), cap.what.to_lowercase());
        }
    }
}
