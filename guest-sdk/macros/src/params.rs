//! `#[derive(Params)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, ExprLit, Fields, Lit, LitStr, Result};

use crate::text;

pub(crate) fn expand(input: DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(ident.span(), "expected a struct with one field for each parameter"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(
            ident.span(),
            "expected named fields: their names are the names of the parameters in query files",
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "parameters cannot be generic; remove the generic parameters"));
    }
    let (mut specs, mut loads, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for (index, field) in fields.named.iter().enumerate() {
        let field_ident = &field.ident;
        let ty = &field.ty;
        let mut name = field_ident.as_ref().map(text::plain).unwrap_or_default();
        let mut help = text::doc(&field.attrs);
        let mut default = quote!(::core::option::Option::None);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    name = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.path.is_ident("help") {
                    help = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.path.is_ident("default") {
                    let value: Expr = meta.value()?.parse()?;
                    let json = json(&value)?;
                    default = quote!(::core::option::Option::Some(#json));
                    checks.push(quote_spanned!(value.span()=> <#ty as ::weir_guest::rt::Param>::Literal = #value));
                } else {
                    return Err(meta.error("expected `default = …`, `help = \"…\"` or `name = \"…\"`"));
                }
                Ok(())
            })?;
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let as_param = quote_spanned!(ty.span()=> <#ty as ::weir_guest::rt::Param>);
        specs.push(quote! {
            ::weir_guest::rt::ParamSpec { name: #name, ty: #as_param::TYPE, default: #default, help: #help }
        });
        loads.push(quote!(#field_ident: #as_param::load(#index)));
    }
    Ok(quote! {
        #[automatically_derived]
        impl ::weir_guest::rt::Params for #ident {
            const SPECS: &'static [::weir_guest::rt::ParamSpec] = &[#(#specs),*];
            fn load() -> Self {
                Self { #(#loads),* }
            }
        }
        #(const _: #checks;)*
    })
}

/// A default as JSON. The compiler checks that it has the type of the field.
fn json(value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(bool), .. }) => Ok(bool.value.to_string()),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text::json_text(&text.value())),
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => Ok(int.base10_digits().to_owned()),
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => Ok(format!("-{}", json(&unary.expr)?)),
        other => match text::number(other) {
            Some(number) if number.is_finite() => Ok(text::json_number(number)),
            _ => Err(Error::new(other.span(), "expected a literal, for example `default = 60`")),
        },
    }
}
