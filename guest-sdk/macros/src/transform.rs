//! `#[transform]` and `#[raw_filter]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, ItemImpl, Result, ReturnType, Type};

use crate::function::{Export, at_static, check_name};
use crate::signature::{RETURNS, answer, argument_type, check_signature, row_argument};
use crate::{stateful, text};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if let Ok(item) = syn::parse2::<ItemImpl>(item.clone()) {
        return stateful::expand(arguments, item);
    }
    if !arguments.is_empty() {
        return Err(Error::new(arguments.span(), "unexpected arguments: `#[transform]` on a function takes none"));
    }
    let function: ItemFn = syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            "expected a function `fn name(row: Row) -> …`, or an `impl` with `fn apply(&mut self, row: Row) -> …`",
        )
    })?;
    check_signature(&function.sig)?;
    let signature = &function.sig;
    let ident = &signature.ident;
    let name = text::plain(ident);
    check_name(&name, ident.span())?;

    let mut types = signature.inputs.iter().map(argument_type).collect::<Result<Vec<_>>>()?.into_iter();
    let (Some(row), params, None) = (types.next(), types.next(), types.next()) else {
        return Err(Error::new(
            signature.paren_token.span.join(),
            "expected one row and, optionally, a reference to parameters: `fn name(row: Row, params: &Params) -> …`",
        ));
    };
    let (row, row_argument) = row_argument(row);
    let (params, params_argument) = match params {
        None => (quote!(()), None),
        Some(Type::Reference(reference)) if reference.mutability.is_none() => {
            let params = at_static(&reference.elem);
            (quote!(#params), Some(quote!(__params)))
        }
        Some(other) => return Err(Error::new(other.span(), "take the parameters by reference: `&Params`")),
    };

    let ReturnType::Type(_, returned) = &signature.output else {
        return Err(Error::new(signature.paren_token.span.close(), RETURNS));
    };
    let (answer, wrap) = answer(returned)?;
    let answer = at_static(&answer);
    let called = wrap.around(quote_spanned!(returned.span()=> #ident(#row_argument, #params_argument)));

    let doc = text::doc(&function.attrs);
    let export = Export {
        function: quote!(::weir_guest::rt::Function::transform::<#row, #params, #answer>(#name, #doc)),
        runner: quote! {
            ::weir_guest::rt::transform::<#row, #params, #answer>(
                #[inline(always)]
                |__columns, __params, __sink, __slot| {
                    use ::weir_guest::rt::{CodeByDefault as _, CodeByTrait as _};
                    ::weir_guest::rt::Answer::put(#called, __sink, __slot, |__error| (&__error).code())
                },
            )
        },
        name,
    }
    .expand();
    Ok(quote!(#function #export))
}

pub(crate) fn expand_raw(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let row: Type = syn::parse2(arguments).map_err(|error| {
        Error::new(error.span(), "expected the row type whose fields the filter reads: `#[raw_filter(Row)]`")
    })?;
    let function: ItemFn = syn::parse2(item)?;
    check_signature(&function.sig)?;
    let ident = &function.sig.ident;
    let name = text::plain(ident);
    check_name(&name, ident.span())?;
    let row = at_static(&row);
    let doc = text::doc(&function.attrs);
    let export = Export {
        function: quote!(::weir_guest::rt::Function::raw_filter::<#row>(#name, #doc)),
        runner: quote!(::std::boxed::Box::new(|__rows: u32| #ident(__rows))),
        name,
    }
    .expand();
    Ok(quote!(#function #export))
}
