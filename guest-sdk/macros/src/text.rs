//! Texts taken from an author's source: names, doc comments, literals.

use syn::{Attribute, Expr, ExprLit, ExprUnary, Lit, Meta, UnOp};

/// The longest name that the ABI allows: `weir_abi::NAME_LEN_MAX`.
const NAME_LEN_MAX: usize = 64;

/// The doc comment in `attributes`, without surrounding empty lines and one space of indentation.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// An identifier without the `r#` of a raw one.
pub(crate) fn plain(ident: &syn::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// Whether `name` can be the name of a function, metric or label.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= NAME_LEN_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `DelayMinutes` as `delay_minutes`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut previous_is_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && previous_is_lower {
            out.push('_');
        }
        previous_is_lower = !c.is_ascii_uppercase() && c != '_';
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A literal number, with or without a sign.
pub(crate) fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse::<f64>().ok(),
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => float.base10_parse::<f64>().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => number(expr).map(|number| -number),
        _ => None,
    }
}

/// A finite number as JSON.
pub(crate) fn json_number(number: f64) -> String {
    format!("{number:?}")
}

/// A text as JSON, quotes included.
pub(crate) fn json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let names = ["late", "a1_b", "", "Late", "1a", "_a", "a-b"];
        assert_eq!(names.map(is_name), [true, true, false, false, false, false, false]);
        assert!(is_name(&"a".repeat(64)) && !is_name(&"a".repeat(65)));
    }

    #[test]
    fn type_names_become_function_names() {
        let names = ["Delays", "DelayMinutes", "HTTPCalls", "Q1", "delays_x"].map(snake_case);
        assert_eq!(names, ["delays", "delay_minutes", "httpcalls", "q1", "delays_x"]);
    }

    #[test]
    fn texts_become_json() {
        assert_eq!(json_text("a \"b\" \\ \n ü"), "\"a \\\"b\\\" \\\\ \\u000a ü\"");
        assert_eq!([0.908, -1.0, 1e300].map(json_number), ["0.908", "-1.0", "1e300"]);
    }
}
