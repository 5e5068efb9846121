//! The return types of transforms, which determine their kinds.

use std::convert::Infallible;
use std::fmt::Display;

use crate::error::{Coded, report};
use crate::row::Row;
use crate::sink::{FilterMapSink, FilterSink, FlatMapSink, Sink};
use crate::spec::{FieldSpec, Shape};

/// What a transform returns for a row, unless it fails. Derived for rows together with [`Row`].
#[diagnostic::on_unimplemented(
    message = "a transform cannot return `{Self}`",
    label = "not a return type of a transform",
    note = "the return type determines the kind of transform: `bool` is a filter, a row (a struct with `#[derive(Row)]`) is a map, \
            `Option<row>` is a filter and map, `Vec<row>`, `[row; N]` or `impl Iterator<Item = row>` is a flat map; \
            with a `Result` of one of these, single rows can fail"
)]
pub trait Output: Sized {
    /// The kind.
    const SHAPE: Shape;
    /// The output row's fields.
    const FIELDS: &'static [FieldSpec];
    /// The buffer for results.
    type Sink: Sink;
    /// The buffer for results if rows may fail.
    type FallibleSink: Sink;
    /// Adds the result for the window's row `slot`.
    fn put(self, sink: &mut Self::Sink, slot: usize);
    /// The same if rows may fail.
    fn put_fallible(self, sink: &mut Self::FallibleSink, slot: usize);
}

impl Output for bool {
    const SHAPE: Shape = Shape::Filter;
    const FIELDS: &'static [FieldSpec] = &[];
    type Sink = FilterSink;
    type FallibleSink = FilterSink;

    #[inline(always)]
    fn put(self, sink: &mut Self::Sink, slot: usize) {
        sink.put(self, slot);
    }

    #[inline(always)]
    fn put_fallible(self, sink: &mut Self::Sink, slot: usize) {
        sink.put(self, slot);
    }
}

impl<R: Row> Output for Option<R> {
    const SHAPE: Shape = Shape::FilterMap;
    const FIELDS: &'static [FieldSpec] = R::FIELDS;
    type Sink = FilterMapSink<R::Static>;
    type FallibleSink = FilterMapSink<R::Static>;

    #[inline(always)]
    fn put(self, sink: &mut Self::Sink, slot: usize) {
        sink.put(self, slot);
    }

    #[inline(always)]
    fn put_fallible(self, sink: &mut Self::Sink, slot: usize) {
        sink.put(self, slot);
    }
}

/// A wrapper for an author's `impl Iterator`, because traits cannot distinguish an iterator from a row.
pub struct Flat<I>(pub I);

macro_rules! flat {
    ($([$($generics:tt)*] $ty:ty, $row:ty;)*) => {$(
        impl<$($generics)*> Output for $ty {
            const SHAPE: Shape = Shape::FlatMap;
            const FIELDS: &'static [FieldSpec] = <$row as Row>::FIELDS;
            type Sink = FlatMapSink<<$row as Row>::Static>;
            type FallibleSink = Self::Sink;

            #[inline(always)]
            fn put(self, sink: &mut Self::Sink, slot: usize) {
                for row in self {
                    sink.put(row, slot);
                }
            }

            #[inline(always)]
            fn put_fallible(self, sink: &mut Self::Sink, slot: usize) {
                Output::put(self, sink, slot);
            }
        }
    )*};
}

flat! {
    [R: Row] Vec<R>, R;
    [R: Row, const N: usize] [R; N], R;
    [I: Iterator<Item: Row>] Flat<I>, I::Item;
}

impl<I: Iterator> IntoIterator for Flat<I> {
    type Item = I::Item;
    type IntoIter = I;

    fn into_iter(self) -> I {
        self.0
    }
}

/// What a transform returns: an [`Output`], or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "a transform cannot return `{Self}`",
    label = "not a return type of a transform",
    note = "the return type determines the kind of transform: `bool` is a filter, a row (a struct with `#[derive(Row)]`) is a map, \
            `Option<row>` is a filter and map, `Vec<row>`, `[row; N]` or `impl Iterator<Item = row>` is a flat map; \
            with a `Result` of one of these, single rows can fail"
)]
pub trait Answer {
    /// The kind.
    const SHAPE: Shape;
    /// Whether rows may fail.
    const FALLIBLE: bool;
    /// The output row's fields.
    const FIELDS: &'static [FieldSpec];
    /// The buffer for results.
    type Sink: Sink;
    /// The error of a row.
    type Error;
    /// Adds the result for the window's row `slot`. `code` returns an error's code.
    fn put(self, sink: &mut Self::Sink, slot: usize, code: impl FnOnce(Coded<'_, Self::Error>) -> i32);
}

impl<O: Output> Answer for O {
    const SHAPE: Shape = O::SHAPE;
    const FALLIBLE: bool = false;
    const FIELDS: &'static [FieldSpec] = O::FIELDS;
    type Sink = O::Sink;
    type Error = Infallible;

    #[inline(always)]
    fn put(self, sink: &mut Self::Sink, slot: usize, _code: impl FnOnce(Coded<'_, Infallible>) -> i32) {
        Output::put(self, sink, slot);
    }
}

impl<O: Output, E: Display> Answer for Result<O, E> {
    const SHAPE: Shape = O::SHAPE;
    const FALLIBLE: bool = true;
    const FIELDS: &'static [FieldSpec] = O::FIELDS;
    type Sink = O::FallibleSink;
    type Error = E;

    #[inline(always)]
    fn put(self, sink: &mut Self::Sink, slot: usize, code: impl FnOnce(Coded<'_, E>) -> i32) {
        match self {
            Ok(answer) => answer.put_fallible(sink, slot),
            Err(error) => {
                sink.skip(slot);
                report(sink.row(slot), code(Coded(&error)), &error);
            }
        }
    }
}
