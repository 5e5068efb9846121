//! Arithmetic of which each result is made canonical.

use super::Made;
use crate::bombs::{filled_with, sized, times};
use crate::{Class, Expect};

pub(crate) const MADE: Made = Made {
    title: "functions of 20,000 multiplications",
    class: Class::Compile,
    expect: Expect::Answered,
    bytes: |target| {
        let count = sized(target, 3, 20_000);
        let product = times(count, "local.get 0 f64.mul ");
        filled_with(target, &format!("(func (param f64) (result f64) local.get 0 {product})"), 100)
    },
};
