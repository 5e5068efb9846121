//! Selects the batches to trace.

use bincode::{Decode, Encode};
use weir_batch::Fault;

/// Decides by a batch's own trace id, and by the contexts of its records. The samplers are those of `OTEL_TRACES_SAMPLER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sampler {
    // Trace ids whose last 63 bits are below this are sampled, as in OpenTelemetry's SDKs.
    below: u64,
    by_parents: bool,
}

/// All trace ids are below this.
const ALL: u64 = 1 << 63;

/// Settings that do not describe a sampler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// The sampler is unknown.
    #[error(
        "unknown sampler `{0}`: use always_on, always_off, traceidratio, parentbased_always_on, \
         parentbased_always_off or parentbased_traceidratio"
    )]
    Name(String),
    /// The argument is not a ratio.
    #[error("`{0}` is not a ratio between 0 and 1")]
    Ratio(String),
}

impl SamplerError {
    /// Who has to act: whoever set the environment of the process.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl Default for Sampler {
    /// `parentbased_always_on`: traces everything.
    fn default() -> Sampler {
        Sampler { below: ALL, by_parents: true }
    }
}

impl Sampler {
    /// The sampler for these values of `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`. Without a name, the default. The
    /// default ratio is 1.
    ///
    /// # Errors
    ///
    /// An unknown name, or an argument that is not a ratio.
    pub fn named(name: Option<&str>, argument: Option<&str>) -> Result<Sampler, SamplerError> {
        let Some(name) = name else { return Ok(Sampler::default()) };
        let (root, by_parents) = match name.strip_prefix("parentbased_") {
            Some(root) => (root, true),
            None => (name, false),
        };
        let below = match root {
            "always_on" => ALL,
            "always_off" => 0,
            "traceidratio" => argument.map_or(Ok(ALL), threshold)?,
            _ => return Err(SamplerError::Name(name.to_owned())),
        };
        Ok(Sampler { below, by_parents })
    }

    /// Whether a sampled context in one of a batch's records causes the batch to be sampled.
    pub(super) fn by_parents(self) -> bool {
        self.by_parents
    }

    /// Whether the ratio selects this trace.
    pub(super) fn takes(self, trace_id: [u8; 16]) -> bool {
        (u128::from_be_bytes(trace_id) as u64) >> 1 < self.below // the last eight bytes, less their last bit
    }
}

fn threshold(argument: &str) -> Result<u64, SamplerError> {
    let ratio: f64 = argument.trim().parse().map_err(|_| SamplerError::Ratio(argument.to_owned()))?;
    match (0.0..=1.0).contains(&ratio) {
        true => Ok((ratio * ALL as f64) as u64),
        false => Err(SamplerError::Ratio(argument.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::TraceIds;
    use super::*;

    fn share(name: &str, argument: &str) -> f64 {
        let sampler = Sampler::named(Some(name), Some(argument)).unwrap();
        let ids = TraceIds::new();
        (0..10_000).filter(|_| sampler.takes(ids.trace_id())).count() as f64 / 10_000.0
    }

    #[test]
    fn a_ratio_is_the_share_of_traces_that_are_taken() {
        for ratio in [0.01, 0.3, 0.9] {
            let share = share("traceidratio", &ratio.to_string());
            assert!((share - ratio).abs() < 0.03, "{share} of {ratio}");
        }
        assert_eq!((share("traceidratio", "0"), share("traceidratio", "1")), (0.0, 1.0));
        assert_eq!((share("always_off", "1"), share("always_on", "0")), (0.0, 1.0));
        // Below half: the id is compared with the ratio as in any SDK.
        let half = Sampler::named(Some("traceidratio"), Some("0.5")).unwrap();
        assert!(half.takes((u128::from(u64::MAX) << 64 | 0x7fff_ffff_ffff_ffff).to_be_bytes()));
        assert!(!half.takes((1_u128 << 64 | 0x8000_0000_0000_0000).to_be_bytes()));
    }

    #[test]
    fn settings_are_mended_by_whoever_made_them() {
        for error in [SamplerError::Name("t".to_owned()), SamplerError::Ratio("t".to_owned())] {
            assert_eq!((error.fault(), error.retryable()), (Fault::External, false));
        }
    }

    #[test]
    fn names_say_whether_parents_count() {
        assert_eq!(Sampler::named(None, None), Ok(Sampler::default()));
        assert_eq!(Sampler::named(Some("parentbased_always_on"), None), Ok(Sampler::default()));
        assert!(Sampler::named(Some("parentbased_always_off"), None).unwrap().by_parents());
        assert!(!Sampler::named(Some("traceidratio"), None).unwrap().by_parents());
        assert_eq!(Sampler::named(Some("xray"), None), Err(SamplerError::Name("xray".to_owned())));
        for wrong in ["", "2", "-0.1", "NaN", "half"] {
            let refused = Sampler::named(Some("traceidratio"), Some(wrong));
            assert_eq!(refused, Err(SamplerError::Ratio(wrong.to_owned())));
        }
    }
}
