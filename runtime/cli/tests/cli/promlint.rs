//! What `promtool check metrics` finds fault with in names, beyond what it cannot read.

use weir_tests::Exposition;

/// Units that stand for others in names, and those that they are to be replaced by.
const UNITS: [(&str, &str); 20] = [
    ("amperes", "amperes"),
    ("bits", "bytes"),
    ("bytes", "bytes"),
    ("calories", "joules"),
    ("celsius", "celsius"),
    ("days", "seconds"),
    ("fahrenheit", "celsius"),
    ("grams", "grams"),
    ("hours", "seconds"),
    ("inches", "meters"),
    ("joules", "joules"),
    ("meters", "meters"),
    ("miles", "meters"),
    ("minutes", "seconds"),
    ("ounces", "grams"),
    ("pounds", "grams"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("weeks", "seconds"),
    ("yards", "meters"),
];

const PREFIXES: [&str; 13] =
    ["pico", "nano", "micro", "milli", "centi", "deci", "kilo", "kibi", "mega", "mibi", "giga", "gibi", "tera"];

const ABBREVIATIONS: [&str; 14] = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

/// What is wrong with the names of the runtime's own families. A guest's are its author's to choose.
pub(crate) fn faults(read: &Exposition) -> Vec<String> {
    let own = read.types.iter().filter(|(name, _)| !name.starts_with("weir_guest_"));
    let mut faults: Vec<String> = own.flat_map(|(name, kind)| of_family(name, kind)).collect();
    for sample in &read.samples {
        let kind = read.types.get(&sample.name).map(String::as_str);
        for label in sample.labels.keys() {
            let reserved = (label == "le" && kind.is_some()) || label == "quantile" || label.starts_with("__");
            if reserved || label.bytes().any(|byte| byte.is_ascii_uppercase()) {
                faults.push(format!("{}: label {label}", sample.name));
            }
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

fn of_family(name: &str, kind: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if (kind == "counter") != name.ends_with("_total") {
        faults.push("counters end in _total, and nothing else does".to_owned());
    }
    if let Some(ending) = ["_bucket", "_count", "_sum"].iter().find(|&&ending| name.ends_with(ending)) {
        faults.push(format!("{ending} is a histogram's"));
    }
    for of_kind in ["counter", "gauge", "histogram", "summary", "untyped"] {
        if name.split('_').any(|word| word == of_kind) {
            faults.push(format!("the type `{of_kind}` in the name"));
        }
    }
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        faults.push("not in snake case".to_owned());
    }
    for word in name.split('_') {
        if ABBREVIATIONS.contains(&word) {
            faults.push(format!("the unit `{word}` is abbreviated"));
        }
        for (unit, base) in UNITS {
            let prefixed = word.strip_suffix(unit).is_some_and(|prefix| PREFIXES.contains(&prefix));
            if prefixed || (word == unit && unit != base) {
                faults.push(format!("`{word}` in place of `{base}`"));
            }
        }
    }
    faults.into_iter().map(|fault| format!("{name}: {fault}")).collect()
}

#[test]
fn names_that_prometheus_would_not_have_are_found() {
    let found = |name: &str, kind: &str| {
        let samples = match kind {
            "histogram" => format!("{name}_bucket{{le=\"+Inf\"}} 1\n{name}_sum 1\n{name}_count 1\n"),
            _ => format!("{name} 1\n"),
        };
        let text = format!("# HELP {name} h\n# TYPE {name} {kind}\n{samples}");
        faults(&Exposition::parse(&text).expect("a text of the format"))
    };
    for (name, kind) in [
        ("weir_x_seconds_total", "counter"),
        ("weir_memory_bytes", "gauge"),
        ("weir_x_duration_seconds", "histogram"),
        ("weir_guest_x_milliseconds_count", "gauge"),
    ] {
        assert_eq!(found(name, kind), Vec::<String>::new());
    }
    for (name, kind) in [
        ("weir_x_total", "gauge"),
        ("weir_x_ms", "gauge"),
        ("weir_x_milliseconds", "histogram"),
        ("weir_x_minutes_total", "counter"),
        ("weir_x_bits", "gauge"),
        ("weir_x_count", "gauge"),
        ("weir_x_gauge", "gauge"),
        ("weir_X", "gauge"),
    ] {
        assert_eq!(found(name, kind).len(), 1, "{name}: {:?}", found(name, kind));
    }
    let labels = "# HELP weir_a h\n# TYPE weir_a gauge\nweir_a{le=\"1\",aB=\"2\"} 1\n";
    assert_eq!(faults(&Exposition::parse(labels).expect("a text of the format")).len(), 2);
}
