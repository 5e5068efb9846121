//! How many values a function has where control flow meets.

/// Counts the places where a local may have one of several values: a local that is set within a block has to be joined at
/// the block's end, or at a loop's start, and so in each block around it. A compiler keeps a value of its own for each.
///
/// Counted exactly, in time linear in the count and the instructions: real modules have many locals and deep nests, and set
/// few of the locals in the inner ones.
#[derive(Default)]
pub(crate) struct Joins {
    /// Where each open block stands in the order of all blocks of the function; ascending.
    open: Vec<u64>,
    blocks: u64,
    /// For each local how many blocks had been opened when it was last set; the open ones among those count it already.
    set: Vec<u64>,
}

impl Joins {
    /// Begins with a function of this number of locals, parameters included.
    pub(crate) fn begin(&mut self, locals: usize) {
        self.open.clear();
        self.blocks = 0;
        self.set.clear();
        self.set.resize(locals, 0);
    }

    /// What a block, loop or if adds whose end (the start, for a loop) takes this number of values.
    pub(crate) fn open(&mut self, carries: usize) -> usize {
        self.blocks = self.blocks.saturating_add(1);
        self.open.push(self.blocks);
        carries
    }

    /// The innermost one ends. The end of the function itself closes nothing.
    pub(crate) fn close(&mut self) {
        self.open.pop();
    }

    /// A local is set: the open blocks that did not count it so far. Nothing for a local that does not exist.
    pub(crate) fn set(&mut self, local: u32) -> usize {
        let Some(set) = self.set.get_mut(local as usize) else { return 0 };
        let counted = self.open.partition_point(|&opened| opened <= *set);
        *set = self.blocks;
        self.open.len() - counted
    }
}

#[cfg(test)]
mod tests {
    use super::Joins;

    /// `(` opens a block, `)` closes one, a digit sets the local of this number.
    fn joins(function: &str) -> usize {
        let mut joins = Joins::default();
        joins.begin(10);
        let one = |step: char| match step {
            '(' => joins.open(0),
            ')' => {
                joins.close();
                0
            }
            digit => joins.set(digit.to_digit(10).unwrap()),
        };
        function.chars().map(one).sum()
    }

    #[test]
    fn a_local_counts_once_in_each_block_around() {
        assert_eq!(joins("0011"), 0, "outside of blocks nothing is joined");
        assert_eq!(joins("(0)"), 1);
        assert_eq!(joins("(000)"), 1);
        assert_eq!(joins("(0)(0)"), 2);
        assert_eq!(joins("(((01)))"), 6);
        assert_eq!(joins("(0((0)))"), 3);
        assert_eq!(joins("(((0)0)0)"), 3);
        assert_eq!(joins("(((0))(0)(1))"), 3 + 1 + 2);
        // Blocks that were closed in between count for themselves.
        assert_eq!(joins("(0(1)(1)1)"), 1 + 2 + 1);
        assert_eq!(joins("(())))0"), 0, "ends without a beginning close nothing");
    }
}
