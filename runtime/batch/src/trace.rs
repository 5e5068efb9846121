//! The W3C trace context of a batch (<https://www.w3.org/TR/trace-context/>, version 00).

use std::fmt;
use std::str::FromStr;
use weir_fault::Fault;

/// Trace id, span id and flags: 25 bytes by value. Neither id is all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A context with these ids; `None` if one is all zeros, which the specification forbids.
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) -> Option<TraceContext> {
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(TraceContext { trace_id, span_id, flags: sampled.into() })
    }

    /// The trace's id.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The span's id.
    pub fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// Whether the trace is recorded.
    pub fn sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

/// The value of a `traceparent` header: `00-<trace id>-<span id>-<flags>`, 55 bytes.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            u128::from_be_bytes(self.trace_id),
            u64::from_be_bytes(self.span_id),
            self.flags
        )
    }
}

/// Bytes that are not a valid `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent: expected 00-<32 hex digits>-<16 hex digits>-<2 hex digits> with nonzero ids")]
pub struct TraceParseError;

impl TraceParseError {
    /// Who has to act: the bytes came with a record.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same bytes may be valid later: never.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl FromStr for TraceContext {
    type Err = TraceParseError;

    fn from_str(text: &str) -> Result<TraceContext, TraceParseError> {
        // Upper case is not valid, and `from_str_radix` would accept a sign, so every byte is checked.
        let hex = |part: &str, digits: usize| {
            let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            (part.len() == digits && part.bytes().all(lower_hex))
                .then(|| u128::from_str_radix(part, 16).ok())
                .flatten()
                .ok_or(TraceParseError)
        };
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(TraceParseError);
        let (version, trace, span, flags) = (next()?, next()?, next()?, next()?);
        let (trace, span, flags) = (hex(trace, 32)?, hex(span, 16)?, hex(flags, 2)?);
        // A later version may append fields; version 00 may not. Version ff is forbidden.
        let version = hex(version, 2)?;
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return Err(TraceParseError);
        }
        let narrow = |value: u128| u64::try_from(value).map_err(|_| TraceParseError);
        let mut context =
            TraceContext::new(trace.to_be_bytes(), narrow(span)?.to_be_bytes(), false).ok_or(TraceParseError)?;
        context.flags = u8::try_from(flags).map_err(|_| TraceParseError)?;
        Ok(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_comes_back_as_it_was() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().unwrap();
        assert!(context.sampled());
        assert_eq!(context.to_string(), text);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(TraceParseError), "{text}");
        }
    }
}
