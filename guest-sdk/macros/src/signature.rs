//! What an author's function takes and returns, as the macros need it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericArgument, GenericParam, PathArguments, Result, Signature, Type, TypeParamBound};

use crate::function::at_static;

pub(crate) const RETURNS: &str = "a transform returns `bool` (filter), a row (map), `Option<row>` (filter and map), \
    `Vec<row>` or `impl Iterator<Item = row>` (flat map), or a `Result` of one of these";

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
