//! What every exported function's expansion shares: its manifest, its exports, its state.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Lifetime, LitStr, Result, Type};

use crate::text;

/// A function as it goes into the manifest and the export names.
pub(crate) struct Export {
    pub(crate) name: String,
    /// An expression of type `weir_guest::rt::Function`.
    pub(crate) function: TokenStream,
    /// An expression of type `Box<dyn FnMut(u32)>`, which runs a batch of so many rows. Evaluated once an instance.
    pub(crate) runner: TokenStream,
}

impl Export {
    /// Manifest, `weir_init_…` and `weir_call_…`. Natively they are compiled too, so that mistakes show in
    /// `cargo check`, but neither exported nor linked.
    ///
    /// The author's types are mentioned in two expressions only, each time with their own spans: a mistake is then
    /// reported about once, and where it was made.
    pub(crate) fn expand(&self) -> TokenStream {
        let Export { name, function, runner } = self;
        let init_export = format!("weir_init_{name}");
        let call_export = format!("weir_call_{name}");
        // The names that show in a trap's backtrace.
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

/// The name that a type's function is exported under: the type's in snake case, or as `name = "…"` says. `shape` is what the
/// attribute goes on, and `expected` how it is written.
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

/// Refuses a name that the contract does not allow.
pub(crate) fn check_name(name: &str, span: proc_macro2::Span) -> Result<()> {
    if text::is_name(name) {
        return Ok(());
    }
    Err(Error::new(
        span,
        format!(
            "`{name}` cannot be a function's name: a lower-case letter, then lower-case letters, digits and `_`, at most 64"
        ),
    ))
}

/// `ty` with every lifetime made `'static`: the form in which it can be named outside of the function.
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
