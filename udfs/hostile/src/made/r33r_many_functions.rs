//! A module of more functions than a manifest may list.

use super::Made;
use crate::bombs::{KEEPS_ALL, each};
use crate::text::module;
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "a manifest of 300 functions",
    class: Class::Upload,
    expect: Expect::Refused(&["manifest"]),
    bytes: |_| {
        let line =
            |index| format!("{{\"abi\":1,\"name\":\"f{index}\",\"kind\":\"transform\",\"output_shape\":\"filter\"}}\n");
        module(&each(300, line), KEEPS_ALL)
    },
};
