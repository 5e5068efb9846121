//! How counters are listed: each once, with all that is made of it.

/// Whether a number can fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// It only rises while the process lives.
    Counter,
    /// It is true of a moment.
    Gauge,
}

/// The column of `weir top` that a counter is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopColumn {
    /// Records taken in.
    In,
    /// Records handed on.
    Out,
    /// Records that failed, skipped or kept as dead letters.
    Errors,
    /// Guest calls that ended early.
    Traps,
    /// Time in the guest, in nanoseconds.
    Busy,
}

/// One counter of a source, stage, sink or query: what JSON, metrics, `weir top` and the docs are made from.
#[derive(Debug)]
#[non_exhaustive]
pub struct CounterSpec<T> {
    /// Its key in JSON, and its field.
    pub key: &'static str,
    /// Its metric as OpenTelemetry names it: with dots, and without the unit.
    pub metric: &'static str,
    /// The metric's unit (UCUM): `s`, `By`, `{record}`.
    pub unit: &'static str,
    /// How many of the counter make one unit of the metric.
    pub per_unit: u64,
    /// Whether it can fall.
    pub kind: CounterKind,
    /// What it counts: the help of the metric, and the row of docs/metrics.md.
    pub help: &'static str,
    /// The column of `weir top` that it is part of.
    pub column: Option<TopColumn>,
    /// Its value.
    pub read: fn(&T) -> u64,
}

impl<T> CounterSpec<T> {
    /// The sum of the counters of a column.
    pub(super) fn total(specs: &[CounterSpec<T>], of: &T, column: TopColumn) -> u64 {
        specs.iter().filter(|spec| spec.column == Some(column)).map(|spec| (spec.read)(of)).fold(0, u64::saturating_add)
    }
}

/// Declares the counters of something: the struct of cells that its tasks raise, the struct of their values at one moment
/// (which is also the JSON), and the list `COUNTERS` of [`CounterSpec`].
///
/// A line of `counters` is: what it counts, as a doc comment; its field, which is its key in JSON; its cell; `=>` whether it
/// is a `Counter` or a `Gauge`; its metric and unit, with `/ n` where the metric's unit is `n` of the counter's; and
/// `in TopColumn` where `weir top` sums it. It has `#[serde(default, skip_serializing_if = "is_zero")]` where JSON leaves
/// out a 0. A counter that is added later has that: reports of older processes, which lack it, are still read.
///
/// `first` and `then` are further fields of the values, before and behind the counters in JSON, with how they are read.
/// `kept` are further fields of the cells.
macro_rules! counters {
    (
        $(#[$about:meta])*
        $values:ident of $cells:ident as $me:ident
        first { $( $(#[$first_meta:meta])* $first:ident: $first_type:ty = $read_first:expr, )* }
        counters {
            $(
                $(#[doc = $help:literal])+ $(#[serde($($serde:tt)+)])?
                $key:ident: $cell:ty => $kind:ident $metric:literal $unit:literal
                $(/ $per_unit:literal)? $(in $column:ident)?;
            )*
        }
        then { $( $(#[$then_meta:meta])* $then:ident: $then_type:ty = $read_then:expr, )* }
        kept { $( $(#[$kept_meta:meta])* $kept:ident: $kept_type:ty, )* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, bincode::Encode, bincode::Decode)]
        #[non_exhaustive]
        pub struct $values {
            $( $(#[$first_meta])* pub $first: $first_type, )*
            $( $(#[doc = $help])+ $(#[serde($($serde)+)])? pub $key: u64, )*
            $( $(#[$then_meta])* pub $then: $then_type, )*
        }

        impl $values {
            /// Every counter, in the order of the fields.
            pub const COUNTERS: &'static [$crate::run::counter_spec::CounterSpec<$values>] = &[
                $( $crate::run::counter_spec::CounterSpec {
                    key: stringify!($key),
                    metric: $metric,
                    unit: $unit,
                    per_unit: 1 $(* $per_unit)?,
                    kind: $crate::run::counter_spec::CounterKind::$kind,
                    help: concat!($($help),+).trim_ascii_start(),
                    column: {
                        let _none: Option<$crate::run::counter_spec::TopColumn> = None;
                        $( let _none = Some($crate::run::counter_spec::TopColumn::$column); )?
                        _none
                    },
                    read: |values| values.$key,
                }, )*
            ];

            /// The sum of the counters that are part of a column of `weir top`.
            pub fn total(&self, column: $crate::run::counter_spec::TopColumn) -> u64 {
                $crate::run::counter_spec::CounterSpec::total(Self::COUNTERS, self, column)
            }
        }

        #[derive(Debug, Default)]
        pub(crate) struct $cells {
            $( $(#[$kept_meta])* pub(super) $kept: $kept_type, )*
            $( pub(crate) $key: $cell, )*
        }

        impl $cells {
            /// What the counters are at this moment.
            pub(crate) fn progress(&self) -> $values {
                let $me = self;
                $values {
                    $( $first: $read_first, )*
                    $( $key: $me.$key.get(), )*
                    $( $then: $read_then, )*
                }
            }
        }
    };
}

pub(super) use counters;
