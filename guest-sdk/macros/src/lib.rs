//! The macros of `weir-guest`, which re-exports and documents them. Authors depend on that crate only.
//!
//! What they write is plain data and calls into `weir_guest::rt`: no loop and no conversion is spelled out in an
//! author's crate, so that a defect is mended in one place and a compile error points at what the author wrote.

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

/// Describes a struct as the fields that a function reads or writes. See the crate `weir-guest`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(item: TokenStream) -> TokenStream {
    expand(syn::parse(item).and_then(row::expand))
}

/// Describes a struct as the parameters of a function. See the crate `weir-guest`.
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

/// Exports a filter that reads and answers through `weir_guest::raw`. See there.
#[proc_macro_attribute]
pub fn raw_filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(item, |item| transform::expand_raw(arguments.into(), item))
}

/// Exports an `impl Metrics for …` as a function that extracts metrics. See the crate `weir-guest`.
#[proc_macro_attribute]
pub fn metrics(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(item, |item| metrics::expand(arguments.into(), item))
}

/// An attribute that cannot do its work leaves the author's item as it was: one mistake, one error.
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
