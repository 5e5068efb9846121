//! Random numbers that are the same on every machine and in every version of this crate.

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>): small, and written down here, so that a seed in an old report
/// still makes the module that it made then.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The numbers of one item: the `index`-th of the corpus `name` under `seed`. Those of different items have nothing
    /// to do with each other, so that any item can be made again by itself.
    pub fn of(seed: u64, name: &str, index: u64) -> Rng {
        let mut rng = Rng(seed);
        for word in name.bytes().map(u64::from).chain([index]) {
            rng.0 = rng.next_u64() ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        rng
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// True in one of `many` cases.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// One of `items`, of which there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next_u64().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_always_the_same_and_others_are_others() {
        assert_eq!(Rng::of(1, "a", 2).bytes(20), Rng::of(1, "a", 2).bytes(20));
        let first = |seed, name, index| Rng::of(seed, name, index).next_u64();
        let all = [first(1, "a", 2), first(2, "a", 2), first(1, "b", 2), first(1, "a", 3), first(1, "ab", 2)];
        assert!(all.iter().enumerate().all(|(index, number)| !all[..index].contains(number)), "{all:?}");
        // Reports name seeds: what they make must not change.
        assert_eq!(first(1, "a", 2), FIRST);
    }

    const FIRST: u64 = 16_107_240_579_565_425_689;
}
