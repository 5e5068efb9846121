//! Row 21: the compiler crashes on a module.

use weir_hostile::Class;
use weir_sandbox::{Compiler, Engine};

use super::{Broken, Finding, Procedure, at, hold, limits};
use crate::ground::{Ground, tenant};
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 21,
    name: "compiler_crash",
    title: "a worker that is killed, aborts, uses up its time, or answers nonsense",
    class: Class::Compile,
    expected: "the module is refused, and the next one is compiled",
    steps,
};

/// Workers that end as one would that a module broke, and what its module is refused with.
const ENDS: [(&str, &str); 4] = [
    ("cat > /dev/null; kill -SEGV $$", "compile_crash"),
    ("cat > /dev/null; kill -ABRT $$", "compile_crash"),
    ("cat > /dev/null; kill -XCPU $$", "compile_cpu"),
    ("cat > /dev/null; head -c 100000 /dev/zero", "compile_worker"),
];

fn steps(ground: &Ground) -> Finding {
    let limits = limits(ground);
    let bytes = guest::filter("", "");
    let mut codes = Vec::new();
    for (script, expected) in ENDS {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        let compiler = Compiler::Worker { program: "/bin/sh".into(), arguments };
        let config = ground.config().clone().with(|it| {
            it.compiler = compiler;
            it.instances_max = 4;
        });
        let engine = Engine::new(&config).map_err(at("an engine"))?;
        let refusal = engine.admit(&tenant("compiler_crash"), &bytes, &limits).err();
        let refusal = refusal.ok_or_else(|| Broken(format!("admitted by a worker that ends: {script}")))?;
        hold(refusal.code() == expected, || format!("refused with {}: {refusal}", refusal.code()))?;
        codes.push(refusal.code());
    }
    // The engine that everything else runs on compiles as before.
    ground.engine().admit(&tenant("after_a_crash"), &bytes, &limits).map_err(at("the next module"))?;
    Ok(format!("refused {}; the next module was admitted", codes.join(", ")))
}
