//! `#[derive(MetricSet)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, LitStr, Result, Token, meta::ParseNestedMeta};

use crate::text;

/// A field's `#[metric(…)]`.
struct Metric {
    name: String,
    help: String,
    unit: String,
    labels: Vec<String>,
    buckets: Vec<f64>,
    beside: Option<Beside>,
}

/// The meaning of a field that is not a metric.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    /// `#[metric(skip)]`: state that the function keeps.
    State,
    /// `#[metric(param)]`: set at the start, and only read afterwards.
    Param,
}

pub(crate) fn expand(input: DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(ident.span(), "expected a struct with one field for each metric"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(ident.span(), "expected named fields: their names are the names of the metrics"));
    };
    let (mut specs, mut binds, mut flushes, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut keeps_state = false;
    for field in &fields.named {
        let metric = parse(field)?;
        if let Some(beside) = metric.beside {
            keeps_state |= beside == Beside::State;
            continue;
        }
        let Metric { name, help, unit, labels, buckets, .. } = &metric;
        if names.contains(name) {
            return Err(Error::new(
                field.span(),
                format!("two metrics are named `{name}`: rename one with `#[metric(name = \"…\")]`"),
            ));
        }
        let index = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names.push(name.clone());
        let field_ident = &field.ident;
        let ty = &field.ty;
        let as_metric = quote_spanned!(ty.span()=> <#ty as ::weir_guest::rt::Metric>);
        let buckets: Vec<String> = buckets.iter().copied().map(text::json_number).collect();
        specs.push(quote! {
            ::weir_guest::rt::MetricSpec {
                name: #name,
                kind: #as_metric::KIND,
                unit: #unit,
                help: #help,
                labels: &[#(#labels),*],
                buckets: &[#(#buckets),*],
            }
            .checked(#as_metric::LABELS)
        });
        binds.push(quote!(#as_metric::bind(&mut self.#field_ident, #index, #name);));
        flushes.push(quote!(#as_metric::flush(&mut self.#field_ident);));
    }
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::weir_guest::rt::MetricSet for #ident #ty_generics #where_clause {
            const SPECS: &'static [::weir_guest::rt::MetricSpec] = &[#(#specs),*];
            const KEEPS_STATE: bool = #keeps_state;
            fn bind(&mut self) {
                #(#binds)*
            }
            fn flush(&mut self) {
                #(#flushes)*
            }
        }

        // Evaluated here, so that the compiler reports mistakes even if the set is not used.
        const _: &[::weir_guest::rt::MetricSpec] = <#ident #ty_generics as ::weir_guest::rt::MetricSet>::SPECS;
    })
}

fn parse(field: &Field) -> Result<Metric> {
    let name = field.ident.as_ref().map(text::plain).unwrap_or_default();
    let mut metric = Metric {
        name,
        help: text::doc(&field.attrs),
        unit: String::new(),
        labels: Vec::new(),
        buckets: Vec::new(),
        beside: None,
    };
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("metric")) {
        attribute.parse_nested_meta(|meta| parse_key(&meta, &mut metric))?;
    }
    if metric.beside.is_none() && !text::is_name(&metric.name) {
        let message = format!(
            "invalid metric name `{}`: use 1 to 64 lower-case letters, digits and `_`, and begin with a letter",
            metric.name
        );
        return Err(Error::new(field.span(), message));
    }
    Ok(metric)
}

fn parse_key(meta: &ParseNestedMeta<'_>, metric: &mut Metric) -> Result<()> {
    let text = |meta: &ParseNestedMeta<'_>| Ok::<_, Error>(meta.value()?.parse::<LitStr>()?.value());
    if meta.path.is_ident("skip") {
        metric.beside = Some(Beside::State);
    } else if meta.path.is_ident("param") {
        metric.beside = Some(Beside::Param);
    } else if meta.path.is_ident("name") {
        metric.name = text(meta)?;
    } else if meta.path.is_ident("help") {
        metric.help = text(meta)?;
    } else if meta.path.is_ident("unit") {
        metric.unit = text(meta)?;
    } else if meta.path.is_ident("labels") {
        let content;
        syn::parenthesized!(content in meta.input);
        for label in Punctuated::<LitStr, Token![,]>::parse_terminated(&content)? {
            let name = label.value();
            if !text::is_name(&name) || metric.labels.contains(&name) {
                let message = format!(
                    "invalid or repeated label `{name}`: use different names of lower-case letters, digits and `_`, for example `labels(\"origin\")`"
                );
                return Err(Error::new(label.span(), message));
            }
            metric.labels.push(name);
        }
    } else if meta.path.is_ident("buckets") {
        let content;
        syn::parenthesized!(content in meta.input);
        for bound in Punctuated::<Expr, Token![,]>::parse_terminated(&content)? {
            let number = text::number(&bound).filter(|number| number.is_finite());
            let ascends = number.is_some_and(|number| metric.buckets.last().is_none_or(|last| *last < number));
            match number {
                Some(number) if ascends => metric.buckets.push(number),
                _ => {
                    return Err(Error::new(
                        bound.span(),
                        "expected ascending numbers, for example `buckets(0, 15, 60)`",
                    ));
                }
            }
        }
    } else {
        return Err(meta.error("expected `help`, `unit`, `labels(…)`, `buckets(…)`, `name`, `param` or `skip`"));
    }
    Ok(())
}
