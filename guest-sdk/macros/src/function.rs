//! The parts that the expansions of all exported functions share: manifest, exports and state.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Lifetime, LitStr, Result, Type};

use crate::text;

/// An exported function, as the manifest and the export names describe it.
pub(crate) struct Export {
    pub(crate) name: String,
    /// An expression of type `weir_guest::rt::Function`.
    pub(crate) function: TokenStream,
    /// An expression of type `Box<dyn FnMut(u32)>`, which processes a batch with this number of rows. Evaluated once per instance.
    pub(crate) runner: TokenStream,
}

impl Export {
    /// The manifest, `weir_init_…` and `weir_call_…`. Native builds compile them too, so that `cargo check` reports mistakes, but
    /// neither export nor link them.
    ///
    /// The author's types occur in only two expressions, with their own spans, so that the compiler reports a mistake once or
    /// twice, and at the place where it was made.
    pub(crate) fn expand(&self) -> TokenStream {
        let Export { name, function, runner } = self;
        let init_export = format!("weir_init_{name}");
        let call_export = format!("weir_call_{name}");
        // These names are shown in the backtrace of a trap.
        let init_ident = format_ident!("init_{name}");
        let call_ident = format_ident!("call_{name}");
        quote! {
            const _: () = {
                const FUNCTION: ::weir_guest::rt::Function = #function;
                #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "weir.manifest"))]
                #[used]
                static MANIFEST: [u8; FUNCTION.json_bytes()] = FUNCTION.json();

                ::std::thread_local! {
                    static RUNNER: ::weir_guest::rt::Runner = const { ::weir_guest::rt::Runner::new() };
                }

                #[allow(dead_code)]
                #[cfg_attr(target_arch = "wasm32", unsafe(export_name = #init_export))]
                extern "C" fn #init_ident() -> i32 {
                    ::weir_guest::rt::start();
                    RUNNER.with(|runner| runner.set(#runner));
                    0
                }

                #[allow(dead_code)]
                #[cfg_attr(target_arch = "wasm32", unsafe(export_name = #call_export))]
                extern "C" fn #call_ident(rows: u32) -> i32 {
                    RUNNER.with(|runner| runner.run(rows));
                    0
                }
            };
        }
    }
}

/// The name under which a type's function is exported: the value of `name = "…"`, or the type's name in snake case. `shape` and
/// `expected` are the error messages for a wrong item and for wrong arguments.
pub(crate) fn exported_name(ty: &Type, arguments: TokenStream, shape: &str, expected: &str) -> Result<String> {
    let Type::Path(path) = ty else { return Err(Error::new(ty.span(), shape)) };
    let Some(last) = path.path.segments.last() else { return Err(Error::new(ty.span(), shape)) };
    let mut name = text::snake_case(&text::plain(&last.ident));
    let mut span = last.ident.span();
    syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error(expected));
        }
        let literal = meta.value()?.parse::<LitStr>()?;
        name = literal.value();
        span = literal.span();
        Ok(())
    })
    .parse2(arguments)?;
    check_name(&name, span)?;
    Ok(name)
}

/// Refuses a name that the ABI does not allow.
pub(crate) fn check_name(name: &str, span: proc_macro2::Span) -> Result<()> {
    if text::is_name(name) {
        return Ok(());
    }
    Err(Error::new(
        span,
        format!(
            "invalid function name `{name}`: use 1 to 64 lower-case letters, digits and `_`, and begin with a letter"
        ),
    ))
}

/// `ty` with every lifetime replaced by `'static`, so that it can be named outside of the function.
pub(crate) fn at_static(ty: &Type) -> Type {
    struct Static;
    impl VisitMut for Static {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            *lifetime = Lifetime::new("'static", lifetime.apostrophe);
        }
        fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
            reference.lifetime.get_or_insert_with(|| Lifetime::new("'static", reference.and_token.span));
            visit_mut::visit_type_reference_mut(self, reference);
        }
    }
    let mut ty = ty.clone();
    Static.visit_type_mut(&mut ty);
    ty
}
