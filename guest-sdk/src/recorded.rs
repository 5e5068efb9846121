//! Recorded values, for native tests. In a guest this has size 0, because the host stores the values.

#[cfg(not(target_arch = "wasm32"))]
#[derive(Default)]
pub(crate) struct Recorded {
    count: u64,
    sum: f64,
    last: Option<f64>,
}

#[cfg(not(target_arch = "wasm32"))]
impl Recorded {
    pub(crate) fn record(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.last = Some(value);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    pub(crate) fn last(&self) -> Option<f64> {
        self.last
    }
}

#[cfg(target_arch = "wasm32")]
#[derive(Default)]
pub(crate) struct Recorded;

#[cfg(target_arch = "wasm32")]
impl Recorded {
    #[inline(always)]
    pub(crate) fn record(&mut self, _value: f64) {}
}
