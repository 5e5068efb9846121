//! `#[metrics]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, ImplItem, ItemImpl, Result};

use crate::function::{Export, at_static, exported_name};
use crate::text;

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut item: ItemImpl = syn::parse2(item).map_err(|error| Error::new(error.span(), SHAPE))?;
    if item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last()).is_none_or(|last| last.ident != "Metrics") {
        return Err(Error::new(item.impl_token.span, SHAPE));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new(
            item.generics.span(),
            "an exported set of metrics cannot be generic; remove the generic parameters",
        ));
    }
    let ty = (*item.self_ty).clone();
    let name = exported_name(&ty, arguments, SHAPE, "expected `#[metrics(name = \"…\")]`")?;

    let associated = |name: &str| {
        item.items.iter().find_map(|item| match item {
            ImplItem::Type(associated) if associated.ident == name => Some(associated.ty.clone()),
            _ => None,
        })
    };
    let Some(row) = associated("Row") else {
        return Err(Error::new(item.self_ty.span(), "missing the type of the observed row: add `type Row<'a> = …;`"));
    };
    let row = at_static(&row);
    if associated("Params").is_none() {
        item.items.push(syn::parse_quote!(
            type Params = ();
        ));
    }

    let doc = text::doc(&item.attrs);
    let export = Export {
        function: quote!(::weir_guest::rt::Function::metrics::<#ty, #row>(#name, #doc)),
        runner: quote! {
            ::weir_guest::rt::metrics::<#ty, #row>(
                #[inline(always)]
                |__columns, __metrics, __slot| {
                    ::weir_guest::rt::Metrics::observe(__metrics, ::weir_guest::rt::ReadRow::get(__columns, __slot))
                },
            )
        },
        name,
    }
    .expand();
    Ok(quote!(#item #export))
}

const SHAPE: &str = "expected `impl Metrics for …` with `type Row<'a>` and `fn observe(&mut self, row: …)`";
