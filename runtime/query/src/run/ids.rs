//! Sources, stages and sinks of a running query by their number: typed, so that nobody looks for one among the others.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use weir_plan::Node;

/// A number that belongs to one kind of node. Only [`Nodes`] and [`Point::of`] make one, from a plan whose check has
/// resolved every input: whoever has an id finds its node.
pub(crate) trait Id: Copy {
    /// From its place in the plan.
    fn at(place: usize) -> Self;

    /// Its place in the plan.
    fn place(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            pub(crate) struct $name(usize);

            impl Id for $name {
                fn at(place: usize) -> $name {
                    $name(place)
                }

                fn place(self) -> usize {
                    self.0
                }
            }
        )+
    };
}

ids! {
    /// A source's place in [`weir_plan::Plan::sources`].
    SourceId,
    /// A stage's place in [`weir_plan::Plan::stages`].
    StageId,
    /// A sink's place in [`weir_plan::Plan::sinks`].
    SinkId
}

/// A point of the chain that a stage or sink takes batches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Source(SourceId),
    Stage(StageId),
}

impl Point {
    /// The points that a plan names as inputs.
    pub(crate) fn of(inputs: &[Node]) -> Vec<Point> {
        let point = |node: &Node| match *node {
            Node::Source(place) => Point::Source(SourceId(place)),
            Node::Stage(place) => Point::Stage(StageId(place)),
        };
        inputs.iter().map(point).collect()
    }
}

/// Something of every source, every stage or every sink of a query, in the order of its plan.
#[derive(Debug)]
pub(crate) struct Nodes<I, T> {
    all: Vec<T>,
    id: PhantomData<I>,
}

impl<I: Id, T> Nodes<I, T> {
    /// One for each, made with its id.
    pub(crate) fn each<N>(of: &[N], mut make: impl FnMut(I, &N) -> T) -> Nodes<I, T> {
        of.iter().enumerate().map(|(place, node)| make(I::at(place), node)).collect()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = I> + use<I, T> {
        (0..self.all.len()).map(I::at)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.all.iter_mut()
    }

    /// Each with its id.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (I, &T)> {
        self.all.iter().enumerate().map(|(place, one)| (I::at(place), one))
    }

    /// Each with its id.
    pub(crate) fn pairs_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.all.iter_mut().enumerate().map(|(place, one)| (I::at(place), one))
    }

    /// Each with its id.
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (I, T)> {
        self.all.into_iter().enumerate().map(|(place, one)| (I::at(place), one))
    }
}

impl<I, T> Default for Nodes<I, T> {
    fn default() -> Nodes<I, T> {
        Nodes { all: Vec::new(), id: PhantomData }
    }
}

impl<I, T> FromIterator<T> for Nodes<I, T> {
    fn from_iter<A: IntoIterator<Item = T>>(all: A) -> Nodes<I, T> {
        Nodes { all: all.into_iter().collect(), id: PhantomData }
    }
}

/// An id of another query would be a fault of the runtime, and is never met in silence.
impl<I: Id, T> Index<I> for Nodes<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.all[id.place()]
    }
}

impl<I: Id, T> IndexMut<I> for Nodes<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.all[id.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_finds_its_node_and_none_is_passed_over_in_silence() {
        let names: Nodes<StageId, String> =
            Nodes::each(&["a", "b"], |id: StageId, name| format!("{name}{}", id.place()));
        let ids: Vec<StageId> = names.ids().collect();
        assert_eq!(ids.iter().map(|&id| names[id].as_str()).collect::<Vec<_>>(), ["a0", "b1"]);
        let inputs = Point::of(&[Node::Source(3), Node::Stage(1)]);
        assert_eq!(inputs, [Point::Source(SourceId(3)), Point::Stage(ids[1])]);
        let of_another = std::panic::catch_unwind(|| names[StageId(2)].clone());
        assert!(of_another.is_err(), "{of_another:?}");
    }
}
