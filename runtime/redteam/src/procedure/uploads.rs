//! Rows 26 to 28: anything but a core module is recognised by its first bytes and not parsed.

use weir_hostile::Class;
use weir_sandbox::Refusal;

use super::{Broken, Finding, Procedure, at, hold};
use crate::ground::{Ground, tenant};
use crate::guest;

pub(super) const COMPONENT: Procedure = Procedure {
    row: 26,
    name: "upload_component",
    title: "a component binary",
    class: Class::Upload,
    expected: "refused: component",
    steps: component,
};

pub(super) const PRECOMPILED: Procedure = Procedure {
    row: 27,
    name: "upload_precompiled",
    title: "an artefact of the very compiler that the host uses",
    class: Class::Upload,
    expected: "refused: precompiled",
    steps: precompiled,
};

pub(super) const TEXT: Procedure = Procedure {
    row: 28,
    name: "upload_text",
    title: "a valid guest as text, after space and comments too",
    class: Class::Upload,
    expected: "refused: wasm_text",
    steps: text,
};

fn component(ground: &Ground) -> Finding {
    let component = wat::parse_str("(component (core module (func)))").map_err(at("the component"))?;
    refused(ground, &component, "component")
}

fn precompiled(ground: &Ground) -> Finding {
    // A guest that would be admitted, compiled by another engine of the same version.
    let engine = wasmtime::Engine::default();
    let artefact = engine.precompile_module(&guest::filter("", "")).map_err(at("the artefact"))?;
    refused(ground, &artefact, "precompiled")
}

fn text(ground: &Ground) -> Finding {
    let text = "(module (memory (export \"memory\") 1))";
    for before in ["", " \n\t", ";; a comment\n", "(; a comment ;)"] {
        refused(ground, format!("{before}{text}").as_bytes(), "wasm_text")?;
    }
    refused(ground, text.as_bytes(), "wasm_text")
}

fn refused(ground: &Ground, bytes: &[u8], code: &str) -> Finding {
    let refusal: Refusal = match ground.engine().admit(&tenant("uploads"), bytes, ground.limits()) {
        Ok(_) => return Err(Broken("admitted".to_owned())),
        Err(refusal) => refusal,
    };
    hold(refusal.code() == code, || format!("refused: {}: {refusal}", refusal.code()))?;
    Ok(format!("refused {code}: {refusal}"))
}
