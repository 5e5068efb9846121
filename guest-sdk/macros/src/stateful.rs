//! `#[transform]` on an `impl`: a transform that keeps state.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl, Result, ReturnType, Type};

use crate::function::{Export, at_static, exported_name};
use crate::signature::{RETURNS, answer, argument_type, check_signature, row_argument};
use crate::text;

const SHAPE: &str = "expected an `impl` without a trait, with `fn apply(&mut self, row: Row) -> …`, and with \
    `fn start(params: Params) -> Self` if it has parameters or does not implement `Default`";

pub(crate) fn expand(arguments: TokenStream, item: ItemImpl) -> Result<TokenStream> {
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new(path.span(), SHAPE));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new(
            item.generics.span(),
            "an exported transform cannot be generic; remove the generic parameters",
        ));
    }
    let ty = (*item.self_ty).clone();
    let name = exported_name(&ty, arguments, SHAPE, "expected `#[transform(name = \"…\")]`")?;

    let method = |name: &str| {
        item.items.iter().find_map(|item| match item {
            ImplItem::Fn(method) if method.sig.ident == name => Some(method),
            _ => None,
        })
    };
    let apply = method("apply").ok_or_else(|| Error::new(item.impl_token.span, SHAPE))?;
    let (row, returned) = row_of(apply)?;
    let (row, row_argument) = row_argument(row);
    let (answer, wrap) = answer(&returned)?;
    let answer = at_static(&answer);
    let (params, start) = match method("start") {
        Some(start) => start_of(start, &ty)?,
        None => (quote!(()), quote_spanned!(ty.span()=> |()| <#ty as ::core::default::Default>::default())),
    };
    let called = wrap.around(quote_spanned!(returned.span()=> <#ty>::apply(__state, #row_argument)));

    let doc = text::doc(&item.attrs);
    let export = Export {
        function: quote!(::weir_guest::rt::Function::stateful::<#row, #params, #answer>(#name, #doc)),
        runner: quote! {
            ::weir_guest::rt::stateful::<#row, #params, #answer, #ty>(
                #start,
                #[inline(always)]
                |__columns, __state, __sink, __slot| {
                    use ::weir_guest::rt::{CodeByDefault as _, CodeByTrait as _};
                    ::weir_guest::rt::Answer::put(#called, __sink, __slot, |__error| (&__error).code())
                },
            )
        },
        name,
    }
    .expand();
    Ok(quote!(#item #export))
}

/// The types of the row that `apply` takes and of the value that it returns.
fn row_of(apply: &ImplItemFn) -> Result<(Type, Type)> {
    let signature = &apply.sig;
    check_signature(signature)?;
    let mut arguments = signature.inputs.iter();
    let by_mut = |argument: &FnArg| match argument {
        FnArg::Receiver(receiver) => receiver.reference.is_some() && receiver.mutability.is_some(),
        FnArg::Typed(_) => false,
    };
    let (Some(_), Some(row), None) =
        (arguments.next().filter(|first| by_mut(first)), arguments.next(), arguments.next())
    else {
        return Err(Error::new(signature.paren_token.span.join(), SHAPE));
    };
    let ReturnType::Type(_, returned) = &signature.output else {
        return Err(Error::new(signature.paren_token.span.close(), RETURNS));
    };
    Ok((argument_type(row)?, (**returned).clone()))
}

/// The type of the parameters that `start` takes, and a closure that creates the state from them.
fn start_of(start: &ImplItemFn, ty: &Type) -> Result<(TokenStream, TokenStream)> {
    let signature = &start.sig;
    check_signature(signature)?;
    let mut arguments = signature.inputs.iter();
    let (params, None) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(signature.paren_token.span.join(), SHAPE));
    };
    let Some(params) = params else { return Ok((quote!(()), quote_spanned!(signature.span()=> |()| <#ty>::start()))) };
    Ok(match argument_type(params)? {
        Type::Reference(reference) if reference.mutability.is_none() => {
            let params = at_static(&reference.elem);
            (quote!(#params), quote_spanned!(signature.span()=> |__params: #params| <#ty>::start(&__params)))
        }
        params => {
            let params = at_static(&params);
            (quote!(#params), quote_spanned!(signature.span()=> |__params: #params| <#ty>::start(__params)))
        }
    })
}
