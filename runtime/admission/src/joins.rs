//! Counts values at the places of a function where control flow joins.

/// Counts the places where a local can have one of several values: a local that is set within a block must be joined at the end of
/// the block (or at the start of a loop), and in each surrounding block. A compiler creates a value for each of these.
///
/// The count is exact. The time is linear in the count and the number of instructions: real modules have many locals and deep
/// nesting, and set few of the locals in inner blocks.
#[derive(Default)]
pub(crate) struct Joins {
    /// The number of each open block among all blocks of the function; ascending.
    open: Vec<u64>,
    blocks: u64,
    /// For each local, the number of blocks that had been opened when it was last set; those that are still open have counted it.
    set: Vec<u64>,
}

impl Joins {
    /// Begins a function with this number of locals, including parameters.
    pub(crate) fn begin(&mut self, locals: usize) {
        self.open.clear();
        self.blocks = 0;
        self.set.clear();
        self.set.resize(locals, 0);
    }

    /// Opens a block, loop or if whose end (for a loop, its start) takes this number of values. Returns the added count.
    pub(crate) fn open(&mut self, carries: usize) -> usize {
        self.blocks = self.blocks.saturating_add(1);
        self.open.push(self.blocks);
        carries
    }

    /// Closes the innermost block. The end of the function itself closes nothing.
    pub(crate) fn close(&mut self) {
        self.open.pop();
    }

    /// Sets a local. Returns the number of open blocks that had not counted it; 0 for a local that does not exist.
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

    /// `(` opens a block, `)` closes one, and a digit sets the local of this number.
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
        // Blocks that were closed in between are counted separately.
        assert_eq!(joins("(0(1)(1)1)"), 1 + 2 + 1);
        assert_eq!(joins("(())))0"), 0, "ends without a beginning close nothing");
    }
}
