//! `#[transform]` and `#[raw_filter]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, GenericArgument, GenericParam, ItemFn, ItemImpl, PathArguments, Result, ReturnType, Signature, Type,
    TypeParamBound,
};

use crate::function::{Export, at_static, check_name};
use crate::{stateful, text};

pub(crate) const RETURNS: &str = "a transform returns `bool` (filter), a row (map), `Option<row>` (filter and map), \
    `Vec<row>` or `impl Iterator<Item = row>` (flat map), or a `Result` of one of these";

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if let Ok(item) = syn::parse2::<ItemImpl>(item.clone()) {
        return stateful::expand(arguments, item);
    }
    if !arguments.is_empty() {
        return Err(Error::new(arguments.span(), "`#[transform]` takes no arguments"));
    }
    let function: ItemFn = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), "`#[transform]` goes on a function: `fn name(row: Row) -> …`, or on an `impl` with `fn apply(&mut self, row: Row) -> …`"))?;
    check_signature(&function.sig)?;
    let signature = &function.sig;
    let ident = &signature.ident;
    let name = text::plain(ident);
    check_name(&name, ident.span())?;

    let mut types = signature.inputs.iter().map(argument_type).collect::<Result<Vec<_>>>()?.into_iter();
    let (Some(row), params, None) = (types.next(), types.next(), types.next()) else {
        return Err(Error::new(
            signature.paren_token.span.join(),
            "a transform takes one row, and if it has parameters a reference to them: `fn name(row: Row, params: &Params) -> …`",
        ));
    };
    let (row, row_argument) = row_argument(row);
    let (params, params_argument) = match params {
        None => (quote!(()), None),
        Some(Type::Reference(reference)) if reference.mutability.is_none() => {
            let params = at_static(&reference.elem);
            (quote!(#params), Some(quote!(__params)))
        }
        Some(other) => return Err(Error::new(other.span(), "parameters are taken by reference: `&Params`")),
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

/// The type of a row that is taken by value or by reference, and the expression that reads it.
pub(crate) fn row_argument(row: Type) -> (Type, TokenStream) {
    let (row, by_reference) = match row {
        Type::Reference(reference) if reference.mutability.is_none() => ((*reference.elem).clone(), true),
        other => (other, false),
    };
    let row = at_static(&row);
    let argument = quote_spanned!(row.span()=> ::weir_guest::rt::ReadRow::get(__columns, __slot));
    let argument = if by_reference { quote!(&#argument) } else { argument };
    (row, argument)
}

pub(crate) fn expand_raw(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let row: Type = syn::parse2(arguments).map_err(|error| {
        Error::new(error.span(), "`#[raw_filter(Row)]` names the row whose fields the filter reads")
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

pub(crate) fn check_signature(signature: &Signature) -> Result<()> {
    let refuse = |span, message: &str| Err(Error::new(span, message));
    if let Some(token) = &signature.asyncness {
        return refuse(token.span(), "an exported function cannot be async: there is nothing to wait for in a guest");
    }
    if let Some(token) = &signature.unsafety {
        return refuse(token.span(), "an exported function cannot be unsafe");
    }
    if let Some(token) = &signature.abi {
        return refuse(token.span(), "an exported function is an ordinary Rust function; the macro adds the export");
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            return refuse(
                parameter.span(),
                "an exported function cannot be generic: its columns' types must be known",
            );
        }
    }
    Ok(())
}

pub(crate) fn argument_type(argument: &FnArg) -> Result<Type> {
    match argument {
        FnArg::Typed(typed) => match &*typed.ty {
            Type::ImplTrait(ty) => {
                Err(Error::new(ty.span(), "an exported function cannot be generic: its columns' types must be known"))
            }
            ty => Ok(ty.clone()),
        },
        FnArg::Receiver(receiver) => Err(Error::new(
            receiver.span(),
            "a transform is a function, not a method: put `#[transform]` on the `impl`, with `fn apply(&mut self, row: Row) -> …`",
        )),
    }
}

/// How the macro adapts what an author's function returns.
pub(crate) enum Wrap {
    Nothing,
    Iterator,
    ResultOfIterator,
}

impl Wrap {
    pub(crate) fn around(&self, called: TokenStream) -> TokenStream {
        match self {
            Wrap::Nothing => called,
            Wrap::Iterator => quote!(::weir_guest::rt::Flat(#called)),
            Wrap::ResultOfIterator => quote!(#called.map(::weir_guest::rt::Flat)),
        }
    }
}

/// The return type as a type that can be named, `impl Iterator<Item = T>` becoming `Vec<T>`.
pub(crate) fn answer(returned: &Type) -> Result<(Type, Wrap)> {
    if let Some(item) = iterator_item(returned)? {
        return Ok((syn::parse_quote_spanned!(returned.span()=> ::std::vec::Vec<#item>), Wrap::Iterator));
    }
    let mut answer = returned.clone();
    if let Type::Path(path) = &mut answer
        && let Some(last) = path.path.segments.last_mut()
        && last.ident == "Result"
        && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
        && let Some(GenericArgument::Type(first)) = arguments.args.first_mut()
        && let Some(item) = iterator_item(first)?
    {
        *first = syn::parse_quote_spanned!(first.span()=> ::std::vec::Vec<#item>);
        return Ok((answer, Wrap::ResultOfIterator));
    }
    Ok((answer, Wrap::Nothing))
}

/// The `T` of `impl Iterator<Item = T>`.
fn iterator_item(ty: &Type) -> Result<Option<Type>> {
    let Type::ImplTrait(bounds) = ty else { return Ok(None) };
    for bound in &bounds.bounds {
        let TypeParamBound::Trait(bound) = bound else { continue };
        let Some(last) = bound.path.segments.last() else { continue };
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { continue };
        for argument in &arguments.args {
            if let GenericArgument::AssocType(item) = argument
                && item.ident == "Item"
            {
                return Ok(Some(item.ty.clone()));
            }
        }
    }
    Err(Error::new(ty.span(), RETURNS))
}
