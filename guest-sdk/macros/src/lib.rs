//! The macros of `weir-guest`, which re-exports and documents them. Authors of guests depend only on that crate.
//!
//! The expansions contain plain data and calls into `weir_guest::rt`, but no loops or conversions. A defect is therefore fixed in
//! one place, and compile errors point at the author's code.

mod function;
mod metric_set;
mod metrics;
mod params;
mod row;
mod signature;
mod stateful;
mod text;
mod transform;

use proc_macro::TokenStream;

/// Makes a struct a row: its fields are the fields that a function reads or writes. See the crate `weir-guest`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(item: TokenStream) -> TokenStream {
    expand(syn::parse(item).and_then(row::expand))
}

/// Makes a struct the parameters of a function. See the crate `weir-guest`.
#[proc_macro_derive(Params, attributes(param))]
pub fn derive_params(item: TokenStream) -> TokenStream {
    expand(syn::parse(item).and_then(params::expand))
}

/// Declares the metrics among a struct's fields. See the crate `weir-guest`.
#[proc_macro_derive(MetricSet, attributes(metric))]
pub fn derive_metric_set(item: TokenStream) -> TokenStream {
    expand(syn::parse(item).and_then(metric_set::expand))
}

/// Exports a function, or an `impl` with `apply`, as a transformation of records. See the crate `weir-guest`.
#[proc_macro_attribute]
pub fn transform(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(item, |item| transform::expand(arguments.into(), item))
}

/// Exports a filter that reads and writes through `weir_guest::raw`. See that module.
#[proc_macro_attribute]
pub fn raw_filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(item, |item| transform::expand_raw(arguments.into(), item))
}

/// Exports an `impl Metrics for …` as a function that extracts metrics. See the crate `weir-guest`.
#[proc_macro_attribute]
pub fn metrics(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(item, |item| metrics::expand(arguments.into(), item))
}

/// Expands an attribute. After an error the author's item stays unchanged, so that one mistake causes one error.
fn attribute(
    item: TokenStream,
    work: impl FnOnce(proc_macro2::TokenStream) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    let original = item.clone();
    match work(item.into()) {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let mut tokens = TokenStream::from(error.into_compile_error());
            tokens.extend(original);
            tokens
        }
    }
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
