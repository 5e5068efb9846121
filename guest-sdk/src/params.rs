//! Parameters: values that the query file sets, the same for every record.

use crate::spec::{FieldType, ParamSpec};
use crate::sys;

/// A struct of parameters. Derived; `()` for a function without parameters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of parameters",
    label = "not a set of parameters",
    note = "put `#[derive(Params)]` on a struct with named fields of bool, i64, f64 or String"
)]
pub trait Params: Sized {
    /// The parameters, in the order of their indices.
    const SPECS: &'static [ParamSpec];
    /// The values that the query sets, or the defaults. In native builds there is no query: create the struct in tests.
    fn load() -> Self;
}

impl Params for () {
    const SPECS: &'static [ParamSpec] = &[];

    fn load() {}
}

/// The types of parameters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a parameter",
    label = "not a parameter type",
    note = "use bool, i64, f64 or String"
)]
pub trait Param: Sized {
    /// The parameter's type.
    const TYPE: FieldType;
    /// The type of the literal for its default.
    type Literal;
    /// Reads the value from the host.
    fn load(index: u32) -> Self;
}

impl Param for bool {
    const TYPE: FieldType = FieldType::Bool;
    type Literal = bool;

    fn load(index: u32) -> Self {
        sys::param_i64(index) != 0
    }
}

impl Param for i64 {
    const TYPE: FieldType = FieldType::I64;
    type Literal = i64;

    fn load(index: u32) -> Self {
        sys::param_i64(index)
    }
}

impl Param for f64 {
    const TYPE: FieldType = FieldType::F64;
    type Literal = f64;

    fn load(index: u32) -> Self {
        sys::param_f64(index)
    }
}

impl Param for String {
    const TYPE: FieldType = FieldType::Utf8;
    type Literal = &'static str;

    fn load(index: u32) -> Self {
        let mut bytes = vec![0; sys::param_bytes(index, &mut [])];
        sys::param_bytes(index, &mut bytes);
        match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => panic!("parameter {index} is not UTF-8: {error}"),
        }
    }
}
