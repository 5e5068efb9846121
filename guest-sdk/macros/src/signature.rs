//! The argument and return types of an author's function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericArgument, GenericParam, PathArguments, Result, Signature, Type, TypeParamBound};

use crate::function::at_static;

pub(crate) const RETURNS: &str = "expected a return type of `bool` (filter), a row (map), `Option<row>` (filter and map), \
    `Vec<row>` or `impl Iterator<Item = row>` (flat map), or a `Result` of one of these";

/// The type of a row that a function takes by value or by reference, and the expression that reads such a row.
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
        return refuse(token.span(), "an exported function cannot be async; remove `async`");
    }
    if let Some(token) = &signature.unsafety {
        return refuse(token.span(), "an exported function cannot be unsafe; remove `unsafe`");
    }
    if let Some(token) = &signature.abi {
        return refuse(
            token.span(),
            "an exported function cannot have an ABI; remove `extern`: the macro adds the export",
        );
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            return refuse(
                parameter.span(),
                "an exported function cannot be generic: the types of its columns must be known",
            );
        }
    }
    Ok(())
}

pub(crate) fn argument_type(argument: &FnArg) -> Result<Type> {
    match argument {
        FnArg::Typed(typed) => match &*typed.ty {
            Type::ImplTrait(ty) => Err(Error::new(
                ty.span(),
                "an exported function cannot be generic: the types of its columns must be known",
            )),
            ty => Ok(ty.clone()),
        },
        FnArg::Receiver(receiver) => Err(Error::new(
            receiver.span(),
            "`#[transform]` cannot be used on a method: put it on the `impl`, with `fn apply(&mut self, row: Row) -> …`",
        )),
    }
}

/// How the macro adapts the value that an author's function returns.
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

/// The return type as a type that can be named: `impl Iterator<Item = T>` becomes `Vec<T>`.
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
