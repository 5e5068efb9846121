//! A function of more input fields than it may have: each is looked up in every stream.

use super::Made;
use crate::bombs::{KEEPS_ALL, each};
use crate::text::module;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a manifest of 300 input fields",
    class: Class::Upload,
    expect: Expect::Refused(&["manifest"]),
    bytes: |_| {
        let fields = each(300, |index| {
            format!("{}{{\"name\":\"a{index}\",\"type\":\"i64\"}}", if index == 0 { "" } else { "," })
        });
        let line = format!(
            "{{\"abi\":1,\"name\":\"f\",\"kind\":\"transform\",\"output_shape\":\"filter\",\"input\":[{fields}]}}"
        );
        module(&line, KEEPS_ALL)
    },
};
