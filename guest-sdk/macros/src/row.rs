//! `#[derive(Row)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Data, DeriveInput, Error, Fields, GenericParam, Lifetime, LitStr, Result, Type};

use crate::text;

struct RowField {
    ident: syn::Ident,
    name: String,
    ty: Type,
}

pub(crate) fn expand(input: DeriveInput) -> Result<TokenStream> {
    let fields = fields(&input)?;
    let lifetime = lifetime(&input)?;
    let ident = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();

    // A struct that borrows is read from windows of its own lifetime. Other structs are read from windows of any lifetime.
    let (read_generics, window) = match &lifetime {
        Some(lifetime) => (quote!(#impl_generics), lifetime.clone()),
        None => (quote!(<'__window>), Lifetime::new("'__window", ident.span())),
    };
    let static_generics = lifetime.as_ref().map(|_| quote!(<'static>));
    let write_lifetime = lifetime.unwrap_or_else(|| Lifetime::new("'static", ident.span()));

    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let names: Vec<_> = fields.iter().map(|field| &field.name).collect();
    let indices: Vec<_> = (0..fields.len()).map(syn::Index::from).collect();
    let numbers: Vec<u32> = (0..).take(fields.len()).collect();
    // Each expression has the span of the author's type, so that errors point there.
    let write: Vec<_> = fields
        .iter()
        .map(|field| {
            let ty = &field.ty;
            let forever = Lifetime::new("'static", ident.span());
            let lifetime = if mentions_static(ty) { &forever } else { &write_lifetime };
            quote_spanned!(ty.span()=> <#ty as ::weir_guest::rt::Field<#lifetime>>)
        })
        .collect();
    let read: Vec<_> = fields
        .iter()
        .map(|field| {
            let ty = &field.ty;
            quote_spanned!(ty.span()=> <#ty as ::weir_guest::rt::Field<#window>>)
        })
        .collect();
    let pending = format_ident!("__pending");

    // A row that borrows for `'static` can be written but not read: no window has this lifetime.
    let read_impl = (!fields.iter().any(|field| mentions_static(&field.ty))).then(|| {
        quote! {
            #[automatically_derived]
            impl #read_generics ::weir_guest::rt::ReadRow<#window> for #ident #ty_generics #where_clause {
                type Columns = (#(#read::Column,)*);
                fn columns() -> Self::Columns {
                    (#(<#read::Column as ::weir_guest::rt::Column>::new(),)*)
                }
                fn fill(__columns: &mut Self::Columns, __row: u32, __count: usize) -> usize {
                    #(let __count = ::weir_guest::rt::Column::fill(&mut __columns.#indices, #numbers, __row, __count);)*
                    __count
                }
                #[inline(always)]
                fn get(__columns: &#window Self::Columns, __slot: usize) -> Self {
                    Self { #(#idents: #read::get(&__columns.#indices, __slot),)* }
                }
            }
        }
    });

    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::weir_guest::rt::Row for #ident #ty_generics #where_clause {
            const FIELDS: &'static [::weir_guest::rt::FieldSpec] =
                &[#(::weir_guest::rt::FieldSpec { name: #names, ty: #write::TYPE, nullable: #write::NULLABLE }),*];
            const HAS_BYTES: bool = false #(|| <#write::Builder as ::weir_guest::rt::Builder>::HAS_BYTES)*;
            type Static = #ident #static_generics;
            type Builders = (#(#write::Builder,)*);
            fn builders() -> Self::Builders {
                (#(<#write::Builder as ::weir_guest::rt::Builder>::new(),)*)
            }
            #[inline(always)]
            fn put(self, __builders: &mut Self::Builders, __slot: usize) {
                #(#write::put(self.#idents, &mut __builders.#indices, __slot);)*
            }
            #[inline]
            fn pending_bytes(__builders: &Self::Builders) -> usize {
                let mut #pending = 0usize;
                #(#pending = #pending.max(::weir_guest::rt::Builder::pending_bytes(&__builders.#indices));)*
                #pending
            }
            fn emit(__builders: &mut Self::Builders, __count: usize) {
                #(::weir_guest::rt::Builder::emit(&mut __builders.#indices, #numbers, __count);)*
            }
        }

        #read_impl

        #[automatically_derived]
        impl #impl_generics ::weir_guest::rt::Output for #ident #ty_generics #where_clause {
            const SHAPE: ::weir_guest::rt::Shape = ::weir_guest::rt::Shape::Map;
            const FIELDS: &'static [::weir_guest::rt::FieldSpec] = <Self as ::weir_guest::rt::Row>::FIELDS;
            type Sink = ::weir_guest::rt::MapSink<<Self as ::weir_guest::rt::Row>::Static>;
            type FallibleSink = ::weir_guest::rt::FilterMapSink<<Self as ::weir_guest::rt::Row>::Static>;
            #[inline(always)]
            fn put(self, __sink: &mut Self::Sink, __slot: usize) {
                __sink.put(self, __slot);
            }
            #[inline(always)]
            fn put_fallible(self, __sink: &mut Self::FallibleSink, __slot: usize) {
                __sink.put(::core::option::Option::Some(self), __slot);
            }
        }
    })
}

fn fields(input: &DeriveInput) -> Result<Vec<RowField>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "expected a struct with named fields, one for each column"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new(input.ident.span(), "expected named fields: their names are the names of the columns"));
    };
    let mut fields: Vec<RowField> = Vec::new();
    for field in &named.named {
        let Some(ident) = field.ident.clone() else { continue };
        let mut name = text::plain(&ident);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    name = meta.value()?.parse::<LitStr>()?.value();
                    Ok(())
                } else {
                    Err(meta.error("expected `#[row(name = \"…\")]`"))
                }
            })?;
        }
        if name.is_empty() || name.len() > 64 {
            return Err(Error::new(ident.span(), "invalid column name: use 1 to 64 bytes"));
        }
        if fields.iter().any(|other| other.name == name) {
            let message = format!("column `{name}` has two fields: remove one, or set `#[row(name = \"…\")]`");
            return Err(Error::new(ident.span(), message));
        }
        fields.push(RowField { ident, name, ty: field.ty.clone() });
    }
    Ok(fields)
}

fn mentions_static(ty: &Type) -> bool {
    struct Search(bool);
    impl Visit<'_> for Search {
        fn visit_lifetime(&mut self, lifetime: &Lifetime) {
            self.0 |= lifetime.ident == "static";
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

/// The only lifetime that a row may have: the lifetime of the window from which it borrows.
fn lifetime(input: &DeriveInput) -> Result<Option<Lifetime>> {
    let mut lifetime = None;
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => lifetime = Some(parameter.lifetime.clone()),
            other => {
                return Err(Error::new(
                    other.span(),
                    "a row can have only one generic parameter, a lifetime: the types of its columns must be known",
                ));
            }
        }
    }
    Ok(lifetime)
}
